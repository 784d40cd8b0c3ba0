// Two organizations, Acme and another, with their people, behind the API: what tests of tenants begin with.

import { expect } from "bun:test";
import type { TestAnswer } from "./api.ts";
import type { TestDatabase } from "./databases.ts";
import { createOrganization, createPerson, type Person } from "./people.ts";
import { createTenantApi, type TenantApi } from "./tenants.ts";

/** An object as an answer shows it. */
export type Shown = Record<string, unknown> & { id: string };
export const errorOf = (answer: TestAnswer) => (answer.body["error"] ?? {}) as { code?: string; field?: string };

type Call = (method: string, path: string, body?: unknown) => Promise<TestAnswer>;

export interface Acme extends AsyncDisposable {
  database: TestDatabase;
  api: TenantApi;
  admin: Person;
  /** Acme's admin and its other member; `otherBoss` is an admin of the other organization. */
  boss: Person;
  member: Person;
  otherBoss: Person;
  orgId: string;
  otherOrgId: string;
  as(person: Person): Call;
  asAdmin: Call;
  asBoss: Call;
  /** An application of Acme, each with a subdomain of its own. */
  createApp(subdomain?: string): Promise<Shown>;
}

/** Opens it on a fresh database, which goes with it. */
export async function openAcme(
  open: () => Promise<TestDatabase>,
  options: Parameters<typeof createTenantApi>[1] = {},
): Promise<Acme> {
  const database = await open();
  const api = createTenantApi(database, options);
  const admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
  const orgId = await createOrganization(api, "Acme");
  const otherOrgId = await createOrganization(api, "Other");
  const boss = await createPerson(api, { username: "boss", orgId, isOrgAdmin: true });
  const member = await createPerson(api, { username: "member", orgId });
  const otherBoss = await createPerson(api, { username: "stranger", orgId: otherOrgId, isOrgAdmin: true });
  const as =
    (person: Person): Call =>
    (method, path, body) =>
      api.call(method, path, { session: person.session, ...(body === undefined ? {} : { body }) });
  const asBoss = as(boss);
  let count = 0;
  return {
    ...{ database, api, admin, boss, member, otherBoss, orgId, otherOrgId, as, asAdmin: as(admin), asBoss },
    async createApp(subdomain = `app${++count}`) {
      const created = await asBoss("POST", "/org/applications", { subdomain, name: `App ${subdomain}` });
      expect(created.status).toBe(201);
      return created.body["application"] as Shown;
    },
    async [Symbol.asyncDispose]() {
      await api.tenants.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

// Tenant isolation: every operation of /admin and /org that the OpenAPI document knows, called as every kind of caller with
// the real ids of one organization's things. What each must answer stands in isolation-table.ts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import SwaggerParser from "@apidevtools/swagger-parser";
import { createAudit } from "../../src/observe/audit.ts";
import type { CallOptions } from "../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../helpers/databases.ts";
import { createOrganization, createPerson, goodPassword, type Person } from "../helpers/people.ts";
import { createTenantApi, type TenantApi } from "../helpers/tenants.ts";
import { mark, plantThings, type PlantedThings, type Things } from "./isolation-things.ts";
import { columns, isolation, type Column } from "./isolation-table.ts";

/** Operations whose answers have no names in them (and the stream, which says nothing at first). */
const numbersOnly = /\/(stats|traffic|limits|rate-limit|effective|events)$/;

/** Documents that were found to be valid: both engines have the same. */
const valid = new Set<string>();

describeEngines("isolation", (open) => {
  let database: TestDatabase;
  let api: TenantApi;
  let orgId: string;
  let operations: { name: string; method: string; path: string }[];
  let callers: Record<Column, CallOptions>;
  let planted: PlantedThings;
  /** What the last call left as it was, for the next one of the same kind: to make it anew takes most of the time. */
  let untouched: { kind: string; things: Things; snapshot: string } | null = null;

  beforeAll(async () => {
    database = await open();
    api = createTenantApi(database);
    orgId = await createOrganization(api, `${mark}-org`);
    planted = plantThings(database, api, orgId);
    const otherOrgId = await createOrganization(api, "Other");
    await createPerson(api, { username: "spare", isAdmin: true, totp: true, login: false });
    const document = JSON.parse((await api.call("GET", "/swagger/json")).text) as { paths: Record<string, object> };
    operations = Object.entries(document.paths)
      .filter(([path]) => /^\/(admin|org)\//.test(path))
      .flatMap(([path, methods]) =>
        Object.keys(methods).map((method) => ({ name: `${method.toUpperCase()} ${path}`, method, path })),
      );
    await audited();

    const logged = (person: Person): CallOptions => ({ session: person.session });
    const expired = await createPerson(api, { username: `${mark}-expired`, orgId, isOrgAdmin: true });
    api.clock.nowMs += api.deps.settings.sessionTtlMs + 1;
    const revoked = await createPerson(api, { username: `${mark}-revoked`, orgId, isOrgAdmin: true });
    await api.call("POST", "/auth/logout", { session: revoked.session, body: {} });
    const deactivated = await createPerson(api, { username: `${mark}-inactive`, orgId, isOrgAdmin: true });
    await database.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", deactivated.id).execute();
    const half = await createPerson(api, {
      username: `${mark}-half`,
      orgId,
      isOrgAdmin: true,
      totp: true,
      login: false,
    });
    const first = await api.call("POST", "/auth/login", { body: { username: half.username, password: goodPassword } });
    expect(first.body["needsTotp"]).toBe(true);
    // Whoever gets in by a factor that is taken away later: a login alone leads to no session.
    const owing = async (person: Parameters<typeof createPerson>[1]): Promise<CallOptions> => {
      const { id, session } = await createPerson(api, { ...person, totp: true });
      await database.db.kysely.updateTable("accounts").set({ totp_secret: null }).where("id", "=", id).execute();
      return { session };
    };
    const strictOrgId = await createOrganization(api, "Strict", true);
    callers = {
      user: logged(await createPerson(api, { username: `${mark}-user`, orgId })),
      orgAdmin: logged(await createPerson(api, { username: `${mark}-boss`, orgId, isOrgAdmin: true })),
      other: logged(await createPerson(api, { username: "other", orgId: otherOrgId, isOrgAdmin: true })),
      system: logged(await createPerson(api, { username: "root", isAdmin: true, totp: true })),
      nobody: {},
      deactivated: logged(deactivated),
      expired: logged(expired),
      revoked: logged(revoked),
      halfDone: { session: first.body["pendingToken"] as string },
      owingMember: await owing({ username: "owing-boss", orgId: strictOrgId, isOrgAdmin: true }),
      owingAdmin: await owing({ username: "owing-root", isAdmin: true }),
    };
  });
  afterAll(async () => {
    await api.tenants.close();
    await database[Symbol.asyncDispose]();
  });

  /** Something of the organization in the audit log, and in the memory of the shards. */
  async function audited(): Promise<void> {
    const audit = createAudit({ db: database.db, log: api.deps.log, flushMs: 5 });
    audit.record({ action: "visitor.auth", success: false, orgId, identity: mark, details: { name: mark } });
    await audit.close();
  }

  async function call(
    name: string,
    path: string,
    caller: CallOptions,
  ): Promise<{ outcome: number | string; text: string; changed: boolean }> {
    const kind = path.split("/").slice(1, 3).join("/");
    if (untouched?.kind !== kind) {
      const things = await planted.createThings(path);
      untouched = { kind, things, snapshot: await planted.snapshot() };
    }
    const { things, snapshot: before } = untouched;
    const id = things.ids[path.split("/")[2] ?? ""] ?? "";
    const [method = ""] = name.split(" ");
    const response = await api.open(method, path.replace("{id}", id).replace("{entryId}", things.entryId), {
      ...caller,
      // Each its own address: wrong passwords are part of the table, and block the address that they come from.
      address: planted.nextAddress(),
      ...(method === "GET" ? {} : { body: planted.bodyOf(name) }),
    });
    if (response.headers.get("content-type") === "text/event-stream") {
      await response.body!.cancel();
      return { outcome: response.status, text: "", changed: false };
    }
    const text = await response.text();
    const changed = (await planted.snapshot()) !== before;
    if (changed || (response.ok && method !== "GET")) untouched = null;
    if (response.ok) return { outcome: response.status, text, changed };
    const { error } = JSON.parse(text) as { error: { code: string } };
    return { outcome: error.code, text, changed };
  }

  test("every operation has its row, and no row is left over", () => {
    expect(operations.map(({ name }) => name).sort()).toEqual(Object.keys(isolation).sort());
    // Nor is there a route that the document leaves out.
    const routes = api.routes
      .filter(({ path }) => /^\/(admin|org)\//.test(path))
      .map(({ method, path }) => `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`);
    expect([...new Set(routes)].sort()).toEqual(Object.keys(isolation).sort());
  });

  test("the document of the whole API is valid OpenAPI 3", async () => {
    const { text } = await api.call("GET", "/swagger/json");
    const document = JSON.parse(text) as Parameters<typeof SwaggerParser.validate>[0] & {
      paths: Record<string, Record<string, { security?: object[]; responses: object; tags?: string[] }>>;
    };
    for (const { name, method, path } of operations) {
      const operation = document.paths[path]![method]!;
      const statuses = Object.keys(operation.responses);
      expect({ name, secured: operation.security!.length > 1, tags: operation.tags!.length }).toEqual({
        name,
        secured: true,
        tags: 1,
      });
      for (const status of ["401", "403", "500"])
        expect({ name, statuses }).toMatchObject({ statuses: expect.arrayContaining([status]) });
      expect({ name, ok: statuses.some((status) => status.startsWith("2")) }).toEqual({ name, ok: true });
    }
    if (!valid.has(text)) await SwaggerParser.validate(document);
    valid.add(text);
  });

  describe("security", () => {
    for (const [index, column] of columns.entries()) {
      test(`as ${column}`, async () => {
        for (const { name, path } of operations) {
          const row = isolation[name];
          if (row === undefined) continue;
          const { outcome, text, changed } = await call(name, path, callers[column]);
          expect({ name, outcome }).toEqual({ name, outcome: row[index]! });
          if (typeof outcome !== "number" || name.startsWith("GET"))
            expect({ name, changed }).toEqual({ name, changed: false });
          // There is something of the organization to be seen: what follows would be easy to promise otherwise.
          if (column === "orgAdmin" && name.startsWith("GET /org/") && !numbersOnly.test(name))
            expect({ name, shows: text.includes(mark) }).toEqual({ name, shows: true });
          // Whoever does not belong to the organization reads and changes nothing of it, whatever the answer.
          if (column === "user" || column === "orgAdmin" || column === "system") continue;
          expect({ name, leaks: text.includes(mark), changed }).toEqual({ name, leaks: false, changed: false });
        }
      }, 120_000);
    }

    test("who is moved, demoted or deactivated loses access with the next request", async () => {
      const { kysely } = database.db;
      const person = await createPerson(api, { username: `${mark}-moved`, orgId, isOrgAdmin: true, totp: true });
      const status = async (path: string) => (await api.call("GET", path, { session: person.session })).status;
      const set = (change: object) => kysely.updateTable("accounts").set(change).where("id", "=", person.id).execute();
      const { ids } = await planted.createThings("/org/applications");
      const app = `/org/applications/${ids["applications"]}`;
      expect([await status("/org/audit"), await status(app)]).toEqual([200, 200]);
      await set({ is_org_admin: 0 });
      expect([await status("/org/audit"), await status(app)]).toEqual([403, 200]);
      await set({ org_id: await createOrganization(api, "Elsewhere") });
      expect(await status(app)).toBe(404);
      await set({ org_id: null });
      expect(await status(app)).toBe(403);
      await set({ org_id: orgId, active: 0 });
      expect(await status(app)).toBe(401);
    });
  });
});

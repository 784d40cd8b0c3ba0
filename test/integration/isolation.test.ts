// Tenant isolation: every operation of /admin and /org that the OpenAPI document knows, called as every kind of caller with
// the real ids of one organization's things. What each must answer stands in isolation-table.ts.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import SwaggerParser from "@apidevtools/swagger-parser";
import { createAudit } from "../../src/observe/audit.ts";
import { insertWhitelistEntry, type ListOwner } from "../../src/db/whitelist-entries.ts";
import { newId } from "../../src/lib/ids.ts";
import type { CallOptions } from "../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../helpers/databases.ts";
import { createOrganization, createPerson, goodPassword, type Person } from "../helpers/people.ts";
import { capturedRequest, createTenantApi, liveTunnel, type TenantApi } from "../helpers/tenants.ts";
import { columns, isolation, type Column } from "./isolation-table.ts";

/** In the names of everything of the organization: no other organization may ever be answered with it. */
const mark = "planted";

describeEngines("isolation", (open) => {
  let database: TestDatabase;
  let api: TenantApi;
  let orgId: string;
  let operations: { name: string; method: string; path: string }[];
  let callers: Record<Column, CallOptions>;
  let count = 0;
  let lastAccountId = "";

  beforeAll(async () => {
    database = await open();
    api = createTenantApi(database);
    orgId = await createOrganization(api, `${mark}-org`);
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

  interface Things {
    ids: Record<string, string>;
    entryId: string;
  }

  /** One of each thing of the organization, anew: operations may change or delete them. By the first part of the path. */
  async function createThings(path: string): Promise<Things> {
    const n = ++count;
    const { kysely } = database.db;
    // What the calls before left, so that the next snapshot is small.
    for (const table of ["api_keys", "whitelist_entries", "applications"] as const) {
      await kysely.deleteFrom(table).where("org_id", "=", orgId).execute();
    }
    await kysely.deleteFrom("accounts").where("id", "=", lastAccountId).execute();
    const account = await createPerson(api, { username: `${mark}-${n}`, orgId, login: false });
    const app = newId("app");
    const key = newId("key");
    lastAccountId = account.id;
    const common = { org_id: orgId, created_at: 0 };
    await kysely
      .insertInto("applications")
      .values({
        ...{ ...common, id: app, subdomain: `${mark}-${n}`, name: `${mark} ${n}`, auth_mode: "inherit", is_active: 1 },
        ...{ total_connections: 0, bytes_sent: 0, bytes_received: 0, request_count: 0 },
      })
      .execute();
    await kysely
      .insertInto("api_keys")
      .values({
        ...{ ...common, id: key, app_id: app, key_hash: `${n}`, prefix: "dlk_", description: mark, scope: "both" },
        ...{ created_by: null, expires_at: null, last_used_at: 0 },
      })
      .execute();
    const tunnel = liveTunnel({ name: `${mark}-${n}`, orgId, appId: app });
    api.tunnels.splice(0, api.tunnels.length, tunnel);
    const request = capturedRequest(tunnel, { path: `/${mark}` });
    api.requests.splice(0, api.requests.length, request);
    await setPolicies(app);
    const ids: Record<string, string> = {
      accounts: account.id,
      organizations: orgId,
      applications: app,
      "api-keys": key,
      tunnels: tunnel.id,
      requests: request.id,
    };
    const kind = path.split("/")[2] ?? "";
    const entryId = await createEntry(path, kind, ids);
    ids["whitelist"] = entryId;
    return { ids, entryId };
  }

  async function setPolicies(app: string): Promise<void> {
    for (const owner of [orgId, app]) {
      await database.db.kysely.deleteFrom("policies").where("owner_id", "=", owner).execute();
      await database.db.kysely
        .insertInto("policies")
        .values({
          ...{ id: newId("pol"), owner_id: owner, org_id: orgId, app_id: owner === orgId ? null : owner },
          ...{ auth_type: "basic", basic_username: mark, basic_password_hash: "x", oidc_issuer_url: null },
          ...{ oidc_client_id: null, oidc_client_secret: null, oidc_scopes_json: null },
          ...{ oidc_allowed_domains_json: null, oidc_required_claims_json: null, api_key_enabled: 0 },
          ...{ allow_preflight: 0, session_hours: 1, allow_ips_json: "[]", deny_ips_json: "[]" },
          ...{ version: `${mark}-${owner}`, updated_at: 0 },
        })
        .execute();
    }
  }

  async function createEntry(path: string, kind: string, ids: Record<string, string>): Promise<string> {
    const owners: Record<string, ListOwner> = {
      accounts: { level: "account", ownerId: ids["accounts"]!, orgId, appId: null, accountId: ids["accounts"]! },
      applications: {
        level: "application",
        ownerId: ids["applications"]!,
        orgId,
        appId: ids["applications"]!,
        accountId: null,
      },
    };
    const ofOrganization: ListOwner = { level: "organization", ownerId: orgId, orgId, appId: null, accountId: null };
    const ofSystem: ListOwner = { level: "system", ownerId: "", orgId: null, appId: null, accountId: null };
    const owner = path.startsWith("/admin/whitelist") ? ofSystem : (owners[kind] ?? ofOrganization);
    const id = newId("wl");
    await database.db.transaction((trx) =>
      insertWhitelistEntry(trx, {
        ...{ id, level: owner.level, owner_id: owner.ownerId, org_id: owner.orgId, app_id: owner.appId },
        ...{ account_id: owner.accountId, cidr: `10.${count >> 8}.${count & 255}.1`, description: mark },
        ...{ created_by: null, created_at: 0 },
      }),
    );
    return id;
  }

  /** A body that the operation accepts, so that what is tested is who may call it. */
  function bodyOf(name: string): unknown {
    const n = ++count;
    const entry = { ipRange: `192.168.${n >> 8}.${n & 255}` };
    const wrong = { currentPassword: "not-my-password" };
    const own = name.split("/").slice(2).join("/");
    const bodies: Record<string, unknown> = {
      accounts: { username: `new${n}` },
      "accounts/{id}/username": { username: `new${n}` },
      "accounts/{id}/email": { email: `new${n}@example.com` },
      "accounts/{id}/password": { password: "another-quiet-river" },
      "accounts/{id}/organization": { orgId: null },
      "accounts/{id}/org-admin": { isOrgAdmin: false },
      "accounts/{id}/whitelist": entry,
      "applications/{id}/whitelist": entry,
      "organizations/{id}/whitelist": entry,
      whitelist: entry,
      organizations: { name: `new ${n}` },
      "organizations/{id}": { requireTotp: false },
      settings: { requireTotp: false },
      policy: { authType: "api_key" },
      "applications/{id}/policy": { authType: "api_key" },
      "organizations/{id}/policy": { authType: "api_key" },
      applications: { subdomain: `new${n}`, name: "New" },
      "applications/{id}": { name: "New" },
      "applications/{id}/rate-limit": {
        ...{ enabled: true, maxAttempts: 5 },
        ...{ windowDurationSeconds: 60, blockDurationSeconds: 60 },
      },
      "api-keys": { description: "new" },
      "oidc/test": { issuerUrl: "not a url" },
      "me/password": { ...wrong, newPassword: "another-quiet-river" },
      "me/totp/start": wrong,
      "me/totp/setup": { code: "123456" },
      "me/totp": { ...wrong, code: "123456" },
      "me/token": wrong,
    };
    const body = name.startsWith("DELETE") && own !== "me/totp" ? {} : (bodies[own] ?? {});
    const isCreated = /^POST \/admin\/(applications|api-keys)$/.test(name);
    return isCreated ? { ...(body as object), orgId } : body;
  }

  async function call(
    name: string,
    path: string,
    caller: CallOptions,
  ): Promise<{ outcome: number | string; text: string; changed: boolean }> {
    const things = await createThings(path);
    const before = await snapshot();
    const id = things.ids[path.split("/")[2] ?? ""] ?? "";
    const [method = ""] = name.split(" ");
    const response = await api.open(method, path.replace("{id}", id).replace("{entryId}", things.entryId), {
      ...caller,
      // Each its own address: wrong passwords are part of the table, and block the address that they come from.
      address: `10.9.${count >> 8}.${count & 255}`,
      ...(method === "GET" ? {} : { body: bodyOf(name) }),
    });
    if (response.headers.get("content-type") === "text/event-stream") {
      await response.body!.cancel();
      return { outcome: response.status, text: "", changed: false };
    }
    const text = await response.text();
    const changed = (await snapshot()) !== before;
    if (response.ok) return { outcome: response.status, text, changed };
    const { error } = JSON.parse(text) as { error: { code: string } };
    return { outcome: error.code, text, changed };
  }

  /** Everything that the organization has. */
  async function snapshot(): Promise<string> {
    const { kysely } = database.db;
    const rows: unknown[] = [
      await kysely.selectFrom("organizations").selectAll().where("id", "=", orgId).execute(),
      await kysely
        .selectFrom("accounts")
        .select(["id", "username", "password_hash", "token_hash", "totp_secret", "active", "is_org_admin"])
        .where("org_id", "=", orgId)
        .orderBy("id")
        .execute(),
    ];
    for (const table of ["applications", "policies", "api_keys", "whitelist_entries"] as const) {
      rows.push(await kysely.selectFrom(table).selectAll().where("org_id", "=", orgId).orderBy("id").execute());
    }
    rows.push(await kysely.selectFrom("rate_limits").selectAll().execute());
    return JSON.stringify([rows, api.closed]);
  }

  test("every operation has its row, and no row is left over", () => {
    expect(operations.map(({ name }) => name).sort()).toEqual(Object.keys(isolation).sort());
  });

  test("the document of the whole API is valid OpenAPI 3", async () => {
    const document = JSON.parse((await api.call("GET", "/swagger/json")).text) as Parameters<
      typeof SwaggerParser.validate
    >[0] & { paths: Record<string, Record<string, { security?: object[]; responses: object; tags?: string[] }>> };
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
    await SwaggerParser.validate(document);
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
      const { ids } = await createThings("/org/applications");
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

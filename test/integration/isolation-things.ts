// What the isolation table is tried on: one of each thing of an organization, bodies that operations accept, and all that it has.

import { insertWhitelistEntry, type ListOwner } from "../../src/db/whitelist-entries.ts";
import { newId } from "../../src/lib/ids.ts";
import type { TestDatabase } from "../helpers/databases.ts";
import { createPerson } from "../helpers/people.ts";
import { capturedRequest, liveTunnel, type TenantApi } from "../helpers/tenants.ts";

/** In the names of everything of the organization: no other organization may ever be answered with it. */
export const mark = "planted";

export interface Things {
  ids: Record<string, string>;
  entryId: string;
}

export type PlantedThings = ReturnType<typeof plantThings>;

/** Makes the things of the organization `orgId`, in the database and in the memory of the shards. */
export function plantThings(database: TestDatabase, api: TenantApi, orgId: string) {
  let count = 0;
  let lastAccountId = "";

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
    const [accountId, appId] = [ids["accounts"]!, ids["applications"]!];
    const ofAccount: ListOwner = { level: "account", ownerId: accountId, orgId, appId: null, accountId };
    const ofApplication: ListOwner = { level: "application", ownerId: appId, orgId, appId, accountId: null };
    const owners: Record<string, ListOwner> = {
      ...{ accounts: ofAccount, "account-whitelist": ofAccount, "account-whitelists": ofAccount },
      ...{ applications: ofApplication, "app-whitelist": ofApplication, "app-whitelists": ofApplication },
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
    const limiter = { enabled: true, maxAttempts: 5, windowDurationSeconds: 60, blockDurationSeconds: 60 };
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
      "rate-limit": limiter,
      "applications/{id}/rate-limit": limiter,
      "organizations/{id}/rate-limit": limiter,
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

  // Written once: they run behind every call.
  const { kysely: all } = database.db;
  const queries = [
    all.selectFrom("organizations").selectAll().where("id", "=", orgId),
    all
      .selectFrom("accounts")
      .select(["id", "username", "email", "password_hash", "token_hash", "totp_secret", "active", "is_org_admin"])
      .where("org_id", "=", orgId)
      .orderBy("id"),
    ...(["applications", "policies", "api_keys", "whitelist_entries"] as const).map((table) =>
      all.selectFrom(table).selectAll().where("org_id", "=", orgId).orderBy("id"),
    ),
    all.selectFrom("rate_limits").selectAll().where("org_id", "=", orgId).orderBy("owner_id"),
  ].map((query) => query.compile());

  /** Everything that the organization has. */
  function snapshot(): Promise<string> {
    return all.connection().execute(async (connection) => {
      const rows: unknown[] = [];
      for (const query of queries) rows.push((await connection.executeQuery(query)).rows);
      return JSON.stringify([rows, api.closed]);
    });
  }

  return {
    createThings,
    bodyOf,
    snapshot,
    /** An address that no call had before. */
    nextAddress: () => `10.9.${++count >> 8}.${count & 255}`,
  };
}

// What tests of the registry have in common: tenants to begin with, and what they ask of shards and database.

import type { Registered } from "../../src/api/tunnels/register.ts";
import type { PolicyRow } from "../../src/db/policies.ts";
import { newId } from "../../src/lib/ids.ts";
import type { TestDatabase } from "./databases.ts";
import { eventually } from "./eventually.ts";
import {
  addAccount,
  addApplication,
  addKey,
  addOrganization,
  type Credential,
  type TestRegistry,
} from "./test-registry.ts";

export const closed = (at: TestRegistry, tunnelId: string) =>
  eventually(() => at.shards.sessionsOf(tunnelId).length === 0, "the sessions are closed");
export const reasonsOf = (at: TestRegistry, tunnelId: string) =>
  at.shards.told("disconnect", tunnelId).map(({ reason }) => reason);

export const basicPolicy = (orgId: string, appId: string | null = null): PolicyRow => ({
  ...{ id: newId("pol"), owner_id: appId ?? orgId, org_id: orgId, app_id: appId, auth_type: "basic" },
  ...{ basic_username: "visitor", basic_password_hash: "$2b$04$hash", oidc_issuer_url: null, oidc_client_id: null },
  ...{ oidc_client_secret: null, oidc_scopes_json: null, oidc_allowed_domains_json: null },
  ...{ oidc_required_claims_json: null, api_key_enabled: 0, allow_preflight: 0, session_hours: 1 },
  ...{ allow_ips_json: "[]", deny_ips_json: "[]", version: "v1", updated_at: 0 },
});

/** Acme with the application shop, an account, and keys of both. */
export async function acmeOf(database: TestDatabase) {
  const orgId = await addOrganization(database, "acme");
  const shop = await addApplication(database, orgId, "shop");
  const [ada, key] = [await addAccount(database, "ada", orgId), await addKey(database, orgId)];
  return { orgId, shop, ada, key, shopKey: await addKey(database, orgId, { app_id: shop }) };
}

export const stateOf = (at: TestRegistry, { tunnelId }: Registered) => at.registry.find(tunnelId)?.state ?? null;
export const becomes = (at: TestRegistry, tunnel: Registered, state: string | null) =>
  eventually(() => stateOf(at, tunnel) === state, `the tunnel is ${state}`);
export const leaseRow = ({ db }: TestDatabase, name: string) =>
  db.kysely.selectFrom("leases").selectAll().where("name", "=", name).executeTakeFirst();
export const historyOf = ({ db }: TestDatabase, { tunnelId }: Registered) =>
  db.kysely.selectFrom("tunnels").selectAll().where("id", "=", tunnelId).executeTakeFirst();

export interface World {
  acme: string;
  globex: string;
  shop: string;
  blog: string;
  loner: Credential;
  ada: Credential;
  gina: Credential;
  orgKey: Credential;
  shopKey: Credential;
}

/** Two organizations; acme has the applications shop and blog. */
export async function populate(database: TestDatabase): Promise<World> {
  const [acme, globex] = [await addOrganization(database, "acme"), await addOrganization(database, "globex")];
  const [shop, blog] = [await addApplication(database, acme, "shop"), await addApplication(database, acme, "blog")];
  return {
    ...{ acme, globex, shop, blog },
    loner: await addAccount(database, "loner"),
    ada: await addAccount(database, "ada", acme),
    gina: await addAccount(database, "gina", globex),
    orgKey: await addKey(database, acme),
    shopKey: await addKey(database, acme, { app_id: shop }),
  };
}

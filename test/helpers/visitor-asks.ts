// What a shard would ask main about visitors of a test's applications, and the keys to ask with.

import { createToken, hashToken, tokenPrefix } from "../../src/auth/tokens.ts";
import type { PolicyBody } from "../../src/api/policies/model.ts";
import { networkOf } from "../../src/lib/cidr.ts";
import { orgId, type VisitorServer } from "./visitor-server.ts";

export const basic: PolicyBody = { authType: "basic", basicUsername: "ada", basicPassword: "visitor-secret" };
export const right = { username: "ada", password: "visitor-secret" };

export function askBasic(server: VisitorServer, given: { username: string; password: string }, address = "127.0.0.1") {
  const network = networkOf(address);
  return server.auth.answer({ kind: "basic", name: "app", appId: "app_app", ...given, address, network });
}

export function askSession(server: VisitorServer, session: string, name = "app") {
  return server.auth.answer({
    kind: "session",
    name,
    appId: `app_${name}`,
    session,
    address: "127.0.0.1",
    network: "127.0.0.1",
  });
}

export function askKey(server: VisitorServer, key: string, name: string) {
  // Each from an address of its own, so that the limiter stays out of it.
  const address = `127.0.0.${Math.floor(Math.random() * 250) + 2}`;
  return server.auth.answer({ kind: "api_key", name, appId: `app_${name}`, orgId, key, address, network: address });
}

/** Stores an API key of the first organization and returns it. */
export async function addKey(
  server: VisitorServer,
  row: { app_id?: string; scope?: "tunnel" | "visitor" | "both"; expires_at?: number },
) {
  const key = createToken("dlk");
  await server.db.kysely
    .insertInto("api_keys")
    .values({
      id: `key_${crypto.randomUUID()}`,
      org_id: orgId,
      app_id: null,
      key_hash: hashToken(key),
      prefix: tokenPrefix(key),
      description: "test",
      scope: "visitor",
      created_by: null,
      created_at: Date.now(),
      expires_at: null,
      last_used_at: 0,
      ...row,
    })
    .execute();
  return key;
}

// A server with one organization, on either engine, and a local service, for tests of what a change of permissions does to live tunnels.

import { adminApi, type AdminApi } from "./admin-api.ts";
import { startLocalService, type LocalService } from "./local-service.ts";
import { freshPostgresUrl } from "./postgres.ts";
import { startTestServer, type TestServer } from "./server.ts";

export interface OrganizationServer extends AsyncDisposable {
  server: TestServer;
  local: LocalService;
  api: AdminApi;
  orgId: string;
}

/** `engine`: "sqlite" or "postgres". The caller disposes of it. */
export async function startOrganizationServer(engine: string): Promise<OrganizationServer> {
  // Lists of the database decide about agents, and the one address that this allows is nobody's.
  const env = { SHARDS: "2", AGENT_WHITELIST: "192.0.2.1", HOLD_MS: "200" };
  const secrets = { JWT_SECRET: "j".repeat(43), ENCRYPTION_KEY: "e".repeat(43) };
  const shared = async () => ({ ...env, ...secrets, DATABASE_URL: await freshPostgresUrl() });
  const server = await startTestServer(engine === "sqlite" ? env : await shared());
  const local = startLocalService();
  const api = adminApi(server);
  return {
    ...{ server, local, api, orgId: await api.createOrganization("acme") },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      local[Symbol.dispose]();
    },
  };
}

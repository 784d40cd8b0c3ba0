// What the browser tests run against, until they have the whole server: the real API and dashboard on a TCP port.

import { createSessionTokens } from "../../src/auth/jwt.ts";
import { createLimiter } from "../../src/auth/limiter.ts";
import { createPasswords } from "../../src/auth/passwords.ts";
import { createSealer } from "../../src/auth/sealing.ts";
import { createApi } from "../../src/api/app.ts";
import { readDashboard } from "../../src/api/dashboard/files.ts";
import { createDashboardRoutes } from "../../src/api/dashboard/routes.ts";
import { createSetupCode } from "../../src/api/setup/service.ts";
import { createLimiterStore } from "../../src/db/limiter.ts";
import { createLogger } from "../../src/lib/log.ts";
import { openTestSqlite } from "../helpers/databases.ts";
import { builtDashboard } from "./built-dashboard.ts";

export async function startStage() {
  const database = await openTestSqlite();
  const nowMs = () => Date.now();
  const { kysely } = database.db;
  const deps = {
    db: database.db,
    settings: {
      domain: "localhost",
      dashboardDomain: "localhost",
      scheme: "http" as const,
      sessionTtlMs: 86_400_000,
      pendingLoginTtlMs: 300_000,
      adminApiTokens: true,
      loginLimit: { maxAttempts: 10, windowMs: 900_000, blockMs: 1_800_000 },
      totpLimit: { maxAttempts: 5, windowMs: 900_000, blockMs: 900_000 },
    },
    passwords: createPasswords({ cost: 4 }),
    sealer: createSealer(["test encryption key of 32 bytes and more"]),
    sessionTokens: createSessionTokens({ secret: "x".repeat(32), issuer: "http://localhost", nowMs }),
    limiter: createLimiter({ store: createLimiterStore(kysely), nowMs }),
    audit: { record: () => {}, async within() {} },
    tunnels: { async disconnect() {}, count: () => 0 },
    log: createLogger({ level: "warn", format: "json", write: (line: string) => void console.error(line) }),
    nowMs,
    delay: (ms: number) => Bun.sleep(ms),
  };
  const api = createApi(deps, [createDashboardRoutes(readDashboard(builtDashboard()))]);
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    idleTimeout: 0,
    fetch(request) {
      const url = new URL(request.url);
      const headers = new Headers(request.headers);
      headers.set("x-digit-link-address", "127.0.0.1");
      headers.set("x-digit-link-host", url.host);
      headers.set("x-digit-link-scheme", "http");
      headers.set("x-digit-link-request-id", crypto.randomUUID());
      return api.fetch(new Request(request, { headers }));
    },
  });
  return {
    origin: `http://localhost:${server.port}`,
    setupCode: await createSetupCode(deps),
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      await database[Symbol.asyncDispose]();
    },
  };
}

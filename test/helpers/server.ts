// The real server in this process, on a free port, with a database of its own that disappears with it.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { loadConfig } from "../../src/config/load.ts";
import { createLogger } from "../../src/lib/log.ts";
import { startServer } from "../../src/server.ts";

/** Settings by their environment names, beyond those of `testEnv`. */
export type ServerEnv = Record<string, string>;

export interface TestServer extends AsyncDisposable {
  readonly port: number;
  /** What agents register with. */
  readonly token: string;
  /** JSON log lines so far. */
  readonly logs: readonly string[];
}

const token = "test-admin-token-0123456789abcdef0123456789abcdef";

/** The settings of every server of the tests. `folder` gets the database and the internal sockets. */
export function testEnv(folder: string, env: ServerEnv): ServerEnv {
  return {
    PORT: "0",
    HOST: "127.0.0.1",
    DOMAIN: "localhost",
    SCHEME: "http",
    DB_PATH: join(folder, "test.db"),
    ADMIN_TOKEN: token,
    AGENT_WHITELIST: "127.0.0.0/8,::1",
    BCRYPT_COST: "4",
    SHARDS: "1",
    ...env,
  };
}

/** Starts it; dispose stops it and removes its files. */
export async function startTestServer(env: ServerEnv = {}): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-server-"));
  const logs: string[] = [];
  const log = createLogger({ level: "debug", format: "json", write: (line) => void logs.push(line) });
  const server = await startServer(loadConfig({ env: testEnv(folder, env), file: null }), { log });
  return {
    port: server.port,
    token,
    logs,
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

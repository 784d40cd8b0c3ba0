// A server whose PostgreSQL takes questions and answers none, as behind a broken network.

import { freshPostgresUrl } from "./postgres.ts";
import { startRelay } from "./relay.ts";
import { type ServerProcessOptions, startServerProcess } from "./server-process.ts";

/** What a server with PostgreSQL can't make for itself. */
export const givenSecrets = { JWT_SECRET: "j".repeat(40), ENCRYPTION_KEY: Buffer.alloc(32, 7).toString("base64") };

/** It is up, with one shard, and from now on without an answer. */
export async function serverOfSilentDatabase({ env, ...options }: ServerProcessOptions = {}) {
  const url = new URL(await freshPostgresUrl());
  const relay = await startRelay(Number(url.port));
  url.port = String(relay.port);
  const given = { ...givenSecrets, DATABASE_URL: url.href, ...env };
  const server = await startServerProcess({ shards: 1, ...options, env: given });
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  relay.target = silent.port;
  for (const connection of relay.connections) connection.stall();
  return {
    server,
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]();
      await relay[Symbol.asyncDispose]();
      silent.stop(true);
    },
  };
}

// A PostgreSQL that takes questions and answers none, as behind a broken network: readiness says so, and the server still ends.

import { expect, test } from "bun:test";
import { freshPostgresUrl } from "../helpers/postgres.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startRelay } from "../helpers/relay.ts";
import { startServerProcess } from "../helpers/server-process.ts";

async function serverOfSilentDatabase() {
  const url = new URL(await freshPostgresUrl());
  const relay = await startRelay(Number(url.port));
  url.port = String(relay.port);
  const secrets = { JWT_SECRET: "j".repeat(40), ENCRYPTION_KEY: Buffer.alloc(32, 7).toString("base64") };
  const server = await startServerProcess({ shards: 1, env: { ...secrets, DATABASE_URL: url.href } });
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

test("it is not ready, and says so in time", async () => {
  await using one = await serverOfSilentDatabase();
  const { port } = one.server;
  const ask = () => requestOnce({ port }, "GET /ready HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  const answers = await Promise.all(Array.from({ length: 20 }, ask));
  expect(answers.map(({ status }) => status)).toEqual(answers.map(() => 503));
}, 30_000);

test("its end has a limit, and what is lost is said", async () => {
  await using one = await serverOfSilentDatabase();
  const { server } = one;
  const started = performance.now();
  server.signal("SIGTERM");
  expect(await Promise.race([server.exited, Bun.sleep(15_000)])).toBe(0);
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(server.log.map(({ message }) => message)).toContain("the database does not answer: what waits is not stored");
}, 30_000);

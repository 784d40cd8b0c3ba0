// A visitor that took much at first and reads slowly from then on: it is not taken for one that has stopped.

import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { startTestServer } from "../helpers/server.ts";
import { patternSha1 } from "../helpers/pattern.ts";
import { openSlowReader } from "../helpers/slow-reader.ts";
import { testTls } from "../helpers/test-tls.ts";

setDefaultTimeout(60_000);

const folder = mkdtempSync(join(tmpdir(), "digit-link-slow-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const files = { TLS_CERT: join(folder, "cert.pem"), TLS_KEY: join(folder, "key.pem") };
writeFileSync(files.TLS_CERT, testTls.cert);
writeFileSync(files.TLS_KEY, testTls.key);

// The agents check the server's certificate; this one is nobody's but the test's.
beforeAll(() => void (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"));
afterAll(() => void delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);

// After a fast start the kernel holds megabytes for the visitor, and says that it takes more when a third of them is free: at these speeds
// that is longer than the limit. Without looking again by itself the server cut the first off after 2 s, the second after 7.
const limitMs = 1_000;
const ways = [
  { way: "moved to its shard", env: {}, bytesPerSecond: 200_000, watchMs: 5_000 },
  {
    way: "piped by main, with TLS of our own",
    env: { SCHEME: "https", ...files },
    bytesPerSecond: 1e6,
    watchMs: 11_000,
  },
];

test.concurrent.each(ways)("$way", async ({ env, bytesPerSecond, watchMs }) => {
  const limits = { WRITE_PROGRESS_TIMEOUT_MS: String(limitMs), BODY_PROGRESS_TIMEOUT_MS: String(limitMs) };
  await using server = await startTestServer({ ...limits, ...env });
  using service = startLocalService();
  const isSecure = "TLS_CERT" in env;
  await using _agent = await startTestAgent({
    server,
    subdomain: "demo",
    localPort: service.port,
    origin: `${isSecure ? "https" : "http"}://localhost:${server.port}`,
  });
  using reader = await openSlowReader({
    port: server.port,
    ...{ host: "demo.localhost", path: "/size/4000000000", fastMs: 300, bytesPerSecond },
    ...(isSecure ? { tls: { ca: testTls.cert } } : {}),
  });
  const startedAt = performance.now();
  // On a busy machine it gets to read less in that time.
  const hasReadOn = (): boolean => performance.now() - startedAt > watchMs && reader.received > 1_000_000;
  await eventually(() => reader.over !== null || hasReadOn(), "it reads for a while", watchMs + 20_000);
  expect({ over: reader.over, ms: performance.now() - startedAt }).toMatchObject({ over: null });
});

test.concurrent("what only the connection ends is read to its end, long after the server has closed it", async () => {
  await using server = await startTestServer();
  using service = startLocalService();
  await using _agent = await startTestAgent({ server, subdomain: "demo", localPort: service.port });
  const bytes = 400_000;
  using reader = await openSlowReader({
    port: server.port,
    ...{ host: "demo.localhost", path: `/until-close/${bytes}`, version: "1.0", fastMs: 0, bytesPerSecond: 100_000 },
  });
  await eventually(() => reader.over !== null, "all is read", 20_000);
  expect({ over: reader.over, ...reader.body() }).toEqual({ over: "closed", bytes, sha1: patternSha1(bytes) });
});

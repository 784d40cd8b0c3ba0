// What the server answers in place of a local service stands in the requests with its status, and counts as such.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";

let server: TestServer;
let silent: Bun.Server<undefined>;
beforeAll(async () => {
  silent = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Promise<Response>(() => {}) });
  server = await startTestServer({ REQUEST_TIMEOUT_MS: "300ms", MAX_BODY_BYTES: "1000" });
});
afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await silent?.stop(true);
});

const chunked = (size: string): string => `Transfer-Encoding: chunked\r\n\r\n${size}\r\n${"x".repeat(2_000)}\r\n`;
const answers = [
  [502, "closed", "connection refused: nothing listens there", "\r\n"],
  [504, "silent", "no answer within 0.3 s", "\r\n"],
  [413, "large", "the request body is larger than MAX_BODY_BYTES", chunked("7d0")],
  [400, "malformed", "a chunk size", chunked("zz")],
] as const;
test.each(answers)("a %d of the server's own (%s)", async (status, name, error, rest) => {
  const [closed = 0] = await freePorts(1);
  const localPort = name === "closed" ? closed : (silent.port ?? 0);
  await using _agent = await startTestAgent({ server, subdomain: name, localPort });
  const head = `POST / HTTP/1.1\r\nHost: ${name}.localhost\r\n`;
  expect((await requestOnce({ port: server.port }, head + rest)).status).toBe(status);
  const { requests } = await adminApi(server).must("GET", `/admin/requests?status=${status}`);
  expect(requests).toMatchObject([{ name, status, error: expect.stringContaining(error), running: false }]);
});

test("each of them is counted, and as an error where it is one", async () => {
  const counted = async (): Promise<{ requests: number; errors: number }> => {
    const { points } = await adminApi(server).must("GET", "/admin/traffic");
    const sums = { requests: 0, errors: 0 };
    for (const { requests, errors } of points as (typeof sums)[]) {
      sums.requests += requests;
      sums.errors += errors;
    }
    return sums;
  };
  // The shard reports within seconds.
  await eventually(async () => (await counted()).requests >= answers.length, "all are counted", 30_000);
  expect(await counted()).toEqual({ requests: 4, errors: 2 });
});

// A tunnel whose local service is the server itself, or leads to it: what is asked through it would go round for ever.

import { describe, expect, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

/** A tunnel that forwards to the server's own port, and how many requests have passed it. */
async function openLoop(server: TestServer) {
  const origin = `http://localhost:${server.port}`;
  const agent = await openTunnel({ origin, token: server.token, port: server.port, name: "loop" });
  const requests = async (): Promise<number> => {
    const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
    return (tunnels as { requests: number }[])[0]!.requests;
  };
  return { requests, [Symbol.asyncDispose]: () => agent.stop(0) };
}

describe("a tunnel that leads to its own server", () => {
  const attempts = [
    ["a plain request", ""],
    ["one whose visitor says that it is the first", "X-Digit-Link-Hops: 0\r\nx_digit_link_hops: 0\r\n"],
    ["one that has the field taken away on its way", "Connection: close, x-digit-link-hops, forwarded\r\n"],
  ] as const;
  test.each(attempts)("ends after three turns with one sentence: %s", async (_, fields) => {
    await using server = await startTestServer({ SHARDS: "2" });
    await using loop = await openLoop(server);
    const answer = await requestOnce(
      { port: server.port },
      `GET / HTTP/1.1\r\nHost: loop.localhost\r\nAccept: application/json\r\n${fields}\r\n`,
      { timeoutMs: 20_000 },
    );
    expect(answer.status).toBe(508);
    expect(JSON.parse(answer.body.toString())).toMatchObject({ error: { code: "loop_detected" } });
    await eventually(async () => (await loop.requests()) === 3, "three requests have passed");
  });
});

describe("a TCP tunnel that leads to its own public port", () => {
  test.each(["127.0.0.1", "::1"])("is down for that reason, and goes round once: %s", async (host) => {
    const [port = 0] = await freePorts(1);
    await using server = await startTestServer({ SHARDS: "1", TCP_PORTS: String(port), TCP_HOST: host });
    const origin = `http://localhost:${server.port}`;
    await using agent = await openTunnel({ origin, token: server.token, protocol: "tcp", host, port });
    const tunnel = async () => {
      const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
      return (tunnels as { connections: number; streams: number; local: { state: string; why: string | null } }[])[0]!;
    };
    const why = "it is the tunnel's own public port: every connection would come back here";
    await eventually(() => agent.all("local.status").at(-1)?.why === why, "the agent's user is told");
    await eventually(async () => (await tunnel()).local.why === why, "the server knows as well");
    const { promise: ended, resolve } = Promise.withResolvers<string>();
    await Bun.connect({
      ...{ hostname: host, port, allowHalfOpen: true },
      socket: {
        data() {},
        end: () => resolve("end"),
        close: (_, error) => resolve(error ? "reset" : "close"),
        error() {},
      },
    });
    expect(await ended).toBe("reset");
    await eventually(async () => (await tunnel()).streams === 0, "nothing goes round");
    // The visitor, what the agent made of it, and as much for each check meanwhile.
    expect((await tunnel()).connections).toBeLessThan(20);
    expect(agent.all("local.status").at(-1)).toMatchObject({ state: "down", why });
  });
});

// docs/protocol.md is enough to write an agent in another language: one that has nothing else serves what ours does.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalService, startLocalService } from "../helpers/local-service.ts";
import { patternPieces, patternSha1 } from "../helpers/pattern.ts";
import { RawClient, type RawResponse, requestOnce } from "../helpers/raw-client.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { type AskOptions, requestBytes, upgradeLines } from "../helpers/services.ts";

const host = "foreign.localhost";
let server: TestServer;
let service: LocalService;
let agent: Bun.Subprocess<"ignore", "pipe", "inherit">;

beforeAll(async () => {
  server = await startTestServer({ SHARDS: "2", PING_INTERVAL_MS: "300", DEAD_AFTER_MS: "3s" });
  service = startLocalService();
  const program = join(import.meta.dir, "../helpers/foreign-agent.mjs");
  const argv = [String(server.port), "localhost", server.token, "foreign", String(service.port)];
  agent = Bun.spawn(["node", program, ...argv], { stdio: ["ignore", "pipe", "inherit"] });
  const { value } = await agent.stdout.getReader().read();
  expect(new TextDecoder().decode(value)).toBe("up\n");
});
afterAll(async () => {
  agent.kill();
  await server[Symbol.asyncDispose]();
  service[Symbol.dispose]();
});

const ask = (target: string, options: AskOptions = {}): Promise<RawResponse> =>
  requestOnce(server, requestBytes(host, target, options), { discard: target.startsWith("/size"), timeoutMs: 60_000 });

test("heads and bodies of every framing, both ways", async () => {
  const head = (await ask("/head/x?a=%2F..", { lines: ["X-A: caf\xe9", "x-a:2"] })).body.toString("latin1");
  expect(head).toStartWith(`GET /head/x?a=%2F.. HTTP/1.1\r\nHost: ${host}\r\nX-A: caf\xe9\r\nx-a:2\r\n`);
  for (const target of ["/size/20000000", "/size/20000000?chunked"])
    expect((await ask(target)).sha1).toBe(patternSha1(20_000_000));
  expect((await ask("/until-close/100000")).sha1).toBe(patternSha1(100_000));
  using client = await RawClient.open(server);
  for (const framing of ["length", "chunked"]) {
    const answer = client.response({ timeoutMs: 60_000 });
    const line = framing === "length" ? "Content-Length: 5000000" : "Transfer-Encoding: chunked";
    await client.send(requestBytes(host, "/upload", { method: "POST", lines: [line] }));
    for (const piece of patternPieces(0, 5_000_000)) {
      if (framing === "chunked") await client.send(`${piece.length.toString(16)}\r\n`);
      await client.send(piece);
      if (framing === "chunked") await client.send("\r\n");
    }
    if (framing === "chunked") await client.send("0\r\nX-Sum: 1\r\n\r\n");
    const trailers = framing === "chunked" ? [["X-Sum", "1"]] : [];
    expect(JSON.parse((await answer).body.toString())).toEqual({
      ...{ bodyBytes: 5_000_000, sha1: patternSha1(5_000_000), trailers },
    });
  }
  await client.send(requestBytes(host, "/size/12345", { method: "HEAD" }) + requestBytes(host, "/status/204"));
  expect((await client.response({ toHead: true })).status).toBe(200);
  expect((await client.response()).status).toBe(204);
});

test("interim answers, trailers, events one by one, a WebSocket", async () => {
  expect((await ask("/hints")).interim.map(({ status }) => status)).toEqual([103, 103]);
  expect((await ask("/trailers")).trailers).toEqual([
    ["X-Sum", "abc"],
    ["grpc-status", "0"],
  ]);
  using listening = await RawClient.open(server);
  await listening.send(requestBytes(host, "/sse/foreign"));
  const events = await service.events("foreign");
  for (const event of ["one", "two"]) {
    await events.send(event);
    await listening.until(`data: ${event}\n\n`);
  }
  using upgraded = await RawClient.open(server);
  await upgraded.send(requestBytes(host, "/raw/foreign", { lines: upgradeLines }));
  expect((await upgraded.response()).status).toBe(101);
  await upgraded.send("ping");
  expect((await upgraded.rawBytes(4)).toString()).toBe("ping");
  upgraded.finishSending();
  expect(await upgraded.ended).toBe("clean");
});

test("what breaks off is broken, a visitor that leaves is noticed, nothing is left, and the session stands", async () => {
  expect(await ask("/die/1000?how=clean").catch(() => "broken")).toBe("broken");
  expect((await ask("/die-early?how=clean")).status).toBe(502);
  const client = await RawClient.open(server);
  await client.send(requestBytes(host, "/silent/foreign"));
  const request = await service.next("/silent/foreign");
  client.socket.destroy();
  await request.closed;
  const tunnels = async () => (await adminApi(server).must("GET", "/admin/tunnels"))["tunnels"] as object[];
  const whole = { subdomain: "foreign", sessions: 1, streams: 0, local: { state: "up" } };
  await eventually(async () => Bun.deepMatch({ 0: whole }, { ...(await tunnels()) }), "no stream is left");
  // Many pings have passed.
  expect([agent.exitCode, (await ask("/ok")).status]).toEqual([null, 200]);
});

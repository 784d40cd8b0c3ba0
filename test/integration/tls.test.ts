// TLS of our own: what passes through it, and certificates that are renewed.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { once } from "node:events";
import { mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { connect as connectTls } from "node:tls";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createHash, X509Certificate } from "node:crypto";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { patternSha1 } from "../helpers/pattern.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { startTestServer } from "../helpers/server.ts";
import { renewedTls, testTls } from "../helpers/test-tls.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-tls-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const body = Buffer.alloc(8 * 1024 * 1024, "digit-link ");
const digest = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");

function startLocal() {
  return Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, server) {
      if (server.upgrade(request, { data: undefined })) return;
      if (request.method === "POST") return new Response(digest(await request.bytes()));
      const seen = { proto: request.headers.get("x-forwarded-proto"), host: request.headers.get("host") };
      return new URL(request.url).pathname === "/body" ? new Response(body) : Response.json(seen);
    },
    websocket: { message: (socket, message) => void socket.send(message) },
  });
}

const files = { TLS_CERT: join(folder, "cert.pem"), TLS_KEY: join(folder, "key.pem") };
writeFileSync(files.TLS_CERT, testTls.cert);
writeFileSync(files.TLS_KEY, testTls.key);

// The agents check the server's certificate; this one is nobody's but the test's.
beforeAll(() => void (process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0"));
afterAll(() => void delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"]);

/** A server and the agent of `secure.localhost`. */
async function startPair(localPort: number) {
  const server = await startTestServer({ ...files, SCHEME: "https", SHARDS: "2" });
  const agent = await startTestAgent({
    ...{ server, subdomain: "secure", localPort },
    origin: `https://localhost:${server.port}`,
  });
  return {
    server,
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test("visitors, uploads, downloads and WebSockets pass, and say that they came by https", async () => {
  using local = startLocal();
  await using pair = await startPair(local.port ?? 0);
  const { port } = pair.server;
  const tls = { ca: testTls.cert };
  const url = `https://secure.localhost:${port}`;
  const seen = await fetch(`${url}/seen`, { tls });
  expect(await seen.json()).toEqual({ proto: "https", host: `secure.localhost:${port}` });
  expect(digest(await (await fetch(`${url}/body`, { tls })).bytes())).toBe(digest(body));
  expect(await (await fetch(url, { method: "POST", body, tls })).text()).toBe(digest(body));
  const health = await fetch(`https://localhost:${port}/health`, { tls });
  expect(health.headers.get("strict-transport-security")).toContain("max-age=");
  const socket = new WebSocket(`wss://secure.localhost:${port}/echo`, { tls } as never);
  const echoed = Promise.withResolvers<unknown>();
  socket.onopen = () => socket.send("through TLS");
  socket.onmessage = (event) => echoed.resolve(event.data);
  expect(await echoed.promise).toBe("through TLS");
  socket.close();
}, 30_000);

test("answers reach visitors that read late whole, whatever says where they end, also while the server leaves", async () => {
  using local = startLocalService();
  await using server = await startServerProcess({ shards: 2, env: { ...files, SCHEME: "https" } });
  await using _agent = await openTunnel({
    ...{ token: server.token, origin: `https://localhost:${server.port}`, port: local.port, name: "secure" },
  });
  const sizes = Array.from({ length: 24 }, (_, i) => (i + 1) * 128 * 1024);
  const visits = sizes.map(async (bytes, i) => {
    const socket = connectTls({ port: server.port, host: "127.0.0.1", servername: "localhost", ca: testTls.cert });
    await once(socket, "secureConnect");
    socket.pause();
    const [version, path] = [i % 2, i % 3 === 0 ? `/size/${bytes}?chunked` : `/size/${bytes}`];
    socket.write(`GET ${path} HTTP/1.${version}\r\nHost: secure.localhost\r\nConnection: close\r\n\r\n`);
    return { socket, bytes, isChunked: version === 1 && i % 3 === 0 };
  });
  const all = await Promise.all(visits);
  await eventually(() => local.requests.length === sizes.length, "all are asked for");
  server.signal("SIGTERM");
  const got = all.map(async ({ socket, bytes, isChunked }) => {
    const parts: Buffer[] = [];
    for await (const part of socket) parts.push(part as Buffer);
    const answer = Buffer.concat(parts);
    const at = answer.indexOf("\r\n\r\n") + 4;
    return { bytes, isChunked, answer: answer.subarray(at) };
  });
  for (const { bytes, isChunked, answer } of await Promise.all(got)) {
    if (isChunked) expect(answer.subarray(-5).toString()).toBe("0\r\n\r\n");
    else expect([answer.length, createHash("sha1").update(answer).digest("hex")]).toEqual([bytes, patternSha1(bytes)]);
  }
  expect(await server.exited).toBe(0);
}, 60_000);

test("a body that broke off never looks whole, also where only the end of the connection says it", async () => {
  using local = startLocalService();
  await using pair = await startPair(local.port);
  const cuts = ["reset", "clean"].flatMap((how) =>
    ["chunked", "close"].flatMap((framing) => [1_000, 3_000_000].map((bytes) => ({ how, framing, bytes }))),
  );
  // The clean end of a body without a length is its proper end.
  for (const { how, framing, bytes } of cuts.filter((cut) => cut.how === "reset" || cut.framing === "chunked")) {
    const socket = connectTls({ port: pair.server.port, host: "127.0.0.1", servername: "localhost", ca: testTls.cert });
    socket.on("data", () => {});
    const ended = Promise.withResolvers<string>();
    socket.once("end", () => ended.resolve("whole"));
    socket.once("error", () => ended.resolve("broken"));
    socket.write(`GET /die/${bytes}?how=${how}&framing=${framing} HTTP/1.0\r\nHost: secure.localhost\r\n\r\n`);
    expect([how, framing, bytes, await ended.promise]).toEqual([how, framing, bytes, "broken"]);
    socket.destroy();
  }
}, 30_000);

// As certbot and Kubernetes do it: the paths are links, which lead elsewhere after a renewal.
const renew = (name: string, tls: { cert: string; key: string }, kinds: ("cert" | "key")[] = ["cert", "key"]): void => {
  for (const kind of kinds) {
    writeFileSync(join(folder, `${name}.${kind}`), tls[kind]);
    symlinkSync(`${name}.${kind}`, join(folder, "new"));
    renameSync(join(folder, "new"), join(folder, `live.${kind}`));
  }
};

test("each new certificate is taken up; connections that stand go on; a pair that does not fit is told, and the old one stays", async () => {
  renew("first", testTls);
  const live = { TLS_CERT: join(folder, "live.cert"), TLS_KEY: join(folder, "live.key") };
  await using server = await startTestServer({ ...live, SCHEME: "https" });
  const connect = () =>
    connectTls({
      ...{ port: server.port, host: "127.0.0.1", servername: "localhost" },
      ca: [testTls.cert, renewedTls.cert],
    });
  const old = connect();
  const answers: string[] = [];
  old.on("data", (chunk: Buffer) => answers.push(chunk.toString("latin1")));
  const ask = async (): Promise<void> => {
    answers.length = 0;
    old.write("GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n");
    await eventually(() => answers.join("").includes('"ok"'), "the connection that stands is served");
  };
  await ask();
  const shown = async (): Promise<string> => {
    const socket = connect();
    await once(socket, "secureConnect");
    const { raw } = socket.getPeerCertificate();
    socket.destroy();
    return raw.toString("base64");
  };
  const told = (text: string): number => server.logs.filter((line) => line.includes(text)).length;
  const [first, second] = [testTls, renewedTls].map(({ cert }) => new X509Certificate(cert).raw.toString("base64"));
  const takenUp = async (times: number): Promise<void> =>
    eventually(() => told("new TLS certificate in use") === times, "the certificate is taken up");
  expect(await shown()).toBe(first!);

  // The key comes late.
  renew("second", renewedTls, ["cert"]);
  await eventually(() => told("the old one stays") > 0, "the pair is told not to fit");
  expect(await shown()).toBe(first!);
  renew("second", renewedTls, ["key"]);
  await takenUp(1);
  expect(await shown()).toBe(second!);
  renew("third", testTls);
  await takenUp(2);
  expect(await shown()).toBe(first!);
  // In place, as a script of one's own may do it.
  for (const kind of ["key", "cert"] as const) writeFileSync(join(folder, `third.${kind}`), renewedTls[kind]);
  await takenUp(3);
  expect(await shown()).toBe(second!);
  await ask();
  old.destroy();
}, 30_000);

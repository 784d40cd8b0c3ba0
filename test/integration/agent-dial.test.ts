// How an agent opens a session: whose certificate it accepts, what it says to a proxy, and which answers it takes for an upgrade.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { SessionDial } from "../../cli/agent/session-dial.ts";
import type { Refusal } from "../../cli/agent/refusal.ts";
import { subprotocol } from "../../src/protocol/frames.ts";
import { acceptKey } from "../../src/protocol/websocket-frames.ts";
import { startHttpProxy } from "../helpers/http-proxy.ts";
import { testTls } from "../helpers/test-tls.ts";

type Outcome = { opened: true } | { reason: string; refusal: Refusal | null };

function dial(url: string, proxy: string | null = null): Promise<Outcome> {
  return new Promise((resolve) => {
    // oxlint-disable-next-line no-new -- it begins by itself
    new SessionDial(new URL(url), proxy, {
      opened(socket) {
        socket.end(1000, "");
        resolve({ opened: true });
      },
      failed: (reason, refusal) => resolve({ reason, refusal }),
    });
  });
}

/** A server on 127.0.0.1 whose answer to the first head is `answer(head)`; null: it hangs up. */
function answering(answer: (head: string) => string | null, host = "127.0.0.1") {
  const heads: string[] = [];
  const listener = Bun.listen({
    ...{ hostname: host, port: 0 },
    socket: {
      data(socket, chunk) {
        const head = chunk.toString("latin1");
        heads.push(head);
        const bytes = answer(head);
        if (bytes === null) socket.end();
        else socket.write(bytes);
      },
    },
  });
  return { port: listener.port, heads, [Symbol.dispose]: () => listener.stop(true) };
}

function upgrade(head: string, change: (answer: string) => string = (answer) => answer): string {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(head)?.[1] ?? "";
  return change(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n` +
      `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
  );
}

test("what it asks is an upgrade by the letter", async () => {
  using server = answering(upgrade);
  expect(await dial(`ws://127.0.0.1:${server.port}/_tunnel/s/0?ticket=abc`)).toEqual({ opened: true });
  expect(server.heads[0]!.replace(/(Sec-WebSocket-Key: )[A-Za-z0-9+/]{22}==/, "$1KEY").split("\r\n")).toEqual([
    "GET /_tunnel/s/0?ticket=abc HTTP/1.1",
    `Host: 127.0.0.1:${server.port}`,
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Key: KEY",
    "Sec-WebSocket-Version: 13",
    `Sec-WebSocket-Protocol: ${subprotocol}`,
    "",
    "",
  ]);
});

describe("answers", () => {
  const json = '{"error":{"code":"bad_ticket","message":"No.","retryable":true}}';
  const chunked = `${json.length.toString(16)}\r\n${json}\r\n0\r\n\r\n`;
  const refusal = { code: "bad_ticket", message: "No.", retryable: true, retryAfterMs: null };
  const failures: [string, (head: string) => string | null, RegExp, Refusal | null][] = [
    [
      "a key for another request",
      (head) => upgrade(head, (it) => it.replace(/Accept: \S+/, "Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
      /its key is wrong/,
      null,
    ],
    ["another protocol", (head) => upgrade(head, (it) => it.replace(subprotocol, "chat")), /not for digit-link/, null],
    ["no protocol", (head) => upgrade(head, (it) => it.replace(/Sec-WebSocket-Protocol.*\r\n/, "")), /not for/, null],
    [
      "an extension",
      (head) =>
        upgrade(head, (it) => it.replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")),
      /extension that was not asked for/,
      null,
    ],
    ["another upgrade", (head) => upgrade(head, (it) => it.replace("websocket", "h2c")), /not to a WebSocket/, null],
    ["a refusal", () => `HTTP/1.1 403 No\r\nContent-Length: ${json.length}\r\n\r\n${json}`, /answered 403/, refusal],
    [
      "a refusal with a time",
      () => `HTTP/1.1 503 No\r\nRetry-After: 7\r\nContent-Length: ${json.length}\r\n\r\n${json}`,
      /answered 503/,
      { ...refusal, retryAfterMs: 7_000 },
    ],
    ["a refusal in chunks", () => `HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n${chunked}`, /403/, refusal],
    [
      "a page, a proxy's for one,",
      () => "HTTP/1.1 502 Bad\r\nContent-Length: 6\r\n\r\n<html>",
      /answered 502 to the session at \/; does the proxy before it pass that on\?$/,
      null,
    ],
    ["a redirect", () => "HTTP/1.1 302 Found\r\nLocation: http://x/\r\nContent-Length: 0\r\n\r\n", /302/, null],
    ["something else than HTTP", () => "SSH-2.0-OpenSSH_9.6 hello there\r\n", /doesn't answer in HTTP/, null],
    ["nothing", () => null, /closed the connection before it answered/, null],
  ];
  for (const [name, answer, reason, expected] of failures) {
    test(`${name} is no session`, async () => {
      using server = answering(answer);
      expect(await dial(`ws://127.0.0.1:${server.port}/`)).toEqual({
        reason: expect.stringMatching(reason),
        refusal: expected,
      });
    });
  }

  test("an interim answer before the 101 is passed over", async () => {
    using server = answering((head) => `HTTP/1.1 103 Early Hints\r\nLink: <x>\r\n\r\n${upgrade(head)}`);
    expect(await dial(`ws://127.0.0.1:${server.port}/`)).toEqual({ opened: true });
    const many = "HTTP/1.1 100 Continue\r\n\r\n".repeat(8_000);
    using chatty = answering((head) => `${many}${upgrade(head)}`);
    expect(await dial(`ws://127.0.0.1:${chatty.port}/`)).toEqual({ opened: true });
  });

  test("nobody there", async () => {
    const { port, [Symbol.dispose]: stop } = answering(() => null);
    stop();
    expect(await dial(`ws://127.0.0.1:${port}/`)).toMatchObject({ reason: expect.stringMatching(/can't be reached/) });
  });
});

describe("security", () => {
  const folder = mkdtempSync("/tmp/agent-dial-");
  const ca = join(folder, "ca.pem");
  let server: ReturnType<typeof Bun.serve>;
  beforeAll(() => {
    writeFileSync(ca, testTls.cert);
    server = Bun.serve({
      ...{ hostname: "127.0.0.1", port: 0, tls: testTls },
      fetch: (request, self) =>
        self.upgrade(request, { data: undefined, headers: { "Sec-WebSocket-Protocol": subprotocol } })
          ? undefined
          : new Response(),
      websocket: { message() {} },
    });
  });
  afterAll(async () => {
    await server.stop(true);
    rmSync(folder, { recursive: true });
  });

  /** What a process says that trusts `trusted` besides the usual authorities. */
  async function outcome(trusted: string | null, url: string, proxy = ""): Promise<string> {
    const { NODE_EXTRA_CA_CERTS: _1, NODE_TLS_REJECT_UNAUTHORIZED: _2, ...env } = process.env;
    const script = join(import.meta.dir, "../helpers/dial-session.ts");
    const child = Bun.spawn([process.execPath, script, url, proxy], {
      env: { ...env, ...(trusted === null ? {} : { NODE_EXTRA_CA_CERTS: trusted }) },
    });
    return (await child.stdout.text()).trim();
  }

  test("a certificate must come from somebody that is trusted, and be for the host; through a proxy as well", async () => {
    const port = server.port!;
    await using proxy = await startHttpProxy(port);
    const through = `http://127.0.0.1:${proxy.port}`;
    const [known, unknown, other, proxied, proxiedUnknown, proxiedOther] = await Promise.all([
      outcome(ca, `wss://localhost:${port}/`),
      outcome(null, `wss://localhost:${port}/`),
      outcome(ca, `wss://127.0.0.1.nip.localdomain:${port}/`, through),
      outcome(ca, `wss://localhost:${port}/`, through),
      outcome(null, `wss://localhost:${port}/`, through),
      outcome(ca, `wss://tunnel.example:${port}/`, through),
    ]);
    expect([known, proxied]).toEqual(["opened", "opened"]);
    for (const refused of [unknown, other, proxiedUnknown, proxiedOther])
      expect(refused).toMatch(/^the certificate of \S+ is not accepted: /);
    expect(proxy.asked).toContain(`CONNECT tunnel.example:${port}`);
  });

  test("a certificate for another host is refused without a proxy", async () => {
    using relay = Bun.listen({
      ...{ hostname: "127.0.0.2", port: 0, tls: testTls },
      socket: { data() {} },
    });
    expect(await outcome(ca, `wss://127.0.0.2:${relay.port}/`)).toMatch(/is not accepted: .*127\.0\.0\.2/);
  });

  test("a proxy gets its name and password, and nobody else", async () => {
    using proxy = answering((head) => (head.startsWith("CONNECT") ? "HTTP/1.1 200 OK\r\n\r\n" : upgrade(head)));
    const through = `http://us%20er:p%40ss@127.0.0.1:${proxy.port}`;
    expect(await dial("ws://tunnel.example/_tunnel/s/0", through)).toEqual({ opened: true });
    const credentials = Buffer.from("us er:p@ss").toString("base64");
    expect(proxy.heads[0]).toBe(
      `CONNECT tunnel.example:80 HTTP/1.1\r\nHost: tunnel.example:80\r\nProxy-Authorization: Basic ${credentials}\r\n\r\n`,
    );
    expect(proxy.heads[1]).not.toContain("Proxy-Authorization");
  });

  const proxies: [string, string, RegExp][] = [
    ["that wants a password", "HTTP/1.1 407 No\r\nContent-Length: 0\r\n\r\n", /wants a name and a password: http:\/\//],
    ["that has no way there", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n", /answered 502 instead/],
    ["that speaks before the server can", "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 Sw", /answered 200 instead/],
  ];
  for (const [name, answer, reason] of proxies) {
    test(`a proxy ${name} is told, without its password`, async () => {
      using proxy = answering(() => answer);
      const result = await dial("ws://tunnel.example/", `http://user:secret@127.0.0.1:${proxy.port}`);
      expect(result).toEqual({ reason: expect.stringMatching(reason), refusal: null });
      expect(JSON.stringify(result)).not.toContain("secret");
    });
  }

  for (const proxy of [
    "https://user:secret@proxy.example:3128",
    "socks5://user:secret@proxy.example",
    "http://[secret",
    "http://us%er:secret@p",
  ]) {
    test(`a proxy that can't be used (${proxy.slice(0, 6)}…) is told, without its password`, async () => {
      const result = await dial("ws://tunnel.example/", proxy);
      expect(result).toEqual({ reason: expect.stringMatching(/not given as http:\/\/host:port/), refusal: null });
      expect(JSON.stringify(result)).not.toContain("secret");
    });
  }
});

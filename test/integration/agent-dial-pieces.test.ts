// How an agent opens a session: answers in pieces, what becomes of the connection, and whose frames are masked.

import { afterAll, describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { SessionDial } from "../../cli/agent/session-dial.ts";
import { isLoopbackAddress } from "../../cli/agent/upgrade-request.ts";
import type { Refusal } from "../../cli/agent/refusal.ts";
import { subprotocol } from "../../src/protocol/frames.ts";
import type { SessionSocket } from "../../src/protocol/session-socket.ts";
import { acceptKey } from "../../src/protocol/websocket-frames.ts";
import { eventually } from "../helpers/eventually.ts";
import { startHttpProxy } from "../helpers/http-proxy.ts";
import { testTls } from "../helpers/test-tls.ts";

type Outcome = { socket: SessionSocket } | { reason: string; refusal: Refusal | null };

function dial(url: string, proxy: string | null = null) {
  const { promise, resolve } = Promise.withResolvers<Outcome>();
  const heard: string[] = [];
  const events = {
    received: (bytes: Buffer, start: number, end: number) => void heard.push(bytes.toString("latin1", start, end)),
    ...{ drained() {}, closed() {} },
  };
  const one = new SessionDial(new URL(url), proxy, {
    opened: (socket) => (socket.start(events), resolve({ socket })),
    failed: (reason, refusal) => resolve({ reason, refusal }),
  });
  return { one, outcome: promise, heard };
}

/** A server whose connections do `answer` when a head has come. */
function answering(answer: (socket: Socket, head: string) => unknown, hostname = "127.0.0.1") {
  const count = { opened: 0, closed: 0 };
  const listener = Bun.listen({
    ...{ hostname, port: 0 },
    socket: {
      open: () => void count.opened++,
      data: (socket, chunk) => void answer(socket, chunk.toString("latin1")),
      close: () => void count.closed++,
      error() {},
    },
  });
  return { count, port: listener.port, [Symbol.dispose]: () => listener.stop(true) };
}

function upgrade(head: string): string {
  const key = /^sec-websocket-key: (.*)\r$/im.exec(head)?.[1] ?? "";
  return (
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n` +
    `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`
  );
}

describe("an answer", () => {
  const json = '{"error":{"code":"bad_ticket","message":"No.","retryable":true}}';
  const refusal = { code: "bad_ticket", message: "No.", retryable: true, retryAfterMs: null };

  /** In pieces, each read alone: that is, given to the dial by hand, in memory that is read into again. */
  async function read(pieces: string[]) {
    let head = "";
    using server = answering((_, text) => (head += text));
    const { one, outcome, heard } = dial(`ws://127.0.0.1:${server.port}/`);
    await eventually(() => head.endsWith("\r\n\r\n"), "it has asked");
    const text = pieces.join("|").replace("UPGRADE", upgrade(head));
    for (const piece of text.split("|")) {
      const bytes = Buffer.from(piece, "latin1");
      (one["socket"]?.data ?? one).received(bytes);
      bytes.fill(0xdb);
    }
    return { outcome: await outcome, heard };
  }

  test("comes in any pieces, with frames right behind it", async () => {
    const frame = "\x82\x03abc";
    expect((await read([`UPGRADE${frame}`])).heard).toEqual(["abc"]);
    expect((await read(["HTTP/1.1 103 Early", " Hints\r\n", "\r", "\nUPGRADE", frame])).heard).toEqual(["abc"]);
    const early = await read(["HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 103 Ea", "rly Hints\r\n\r\nUPGRADE", frame]);
    expect(early.heard).toEqual(["abc"]);
  });

  test.each([
    ["in pieces", [`HTTP/1.1 403 No\r\nContent-Len`, `gth: ${json.length}\r\n\r\n{"err`, json.slice(5)]],
    [
      "whose chunks go wrong",
      [`HTTP/1.1 403 No\r\nTransfer-Encoding: chunked\r\n\r\n${json.length.toString(16)}\r\n${json}x`],
    ],
  ])("that refuses %s is read", async (_, pieces) => {
    const { outcome } = await read(pieces);
    expect(outcome).toEqual({ reason: expect.stringMatching(/answered 403/), refusal });
  });

  test("that refuses until the connection ends is read, and no connection is left behind", async () => {
    using ending = answering((socket) => socket.end(`HTTP/1.1 403 No\r\n\r\n${json}`));
    expect(await dial(`ws://127.0.0.1:${ending.port}/`).outcome).toMatchObject({ refusal });
    using staying = answering((socket) => socket.write("HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"));
    expect(await dial(`ws://127.0.0.1:${staying.port}/`).outcome).toMatchObject({ refusal: null });
    await eventually(() => staying.count.closed === 1, "it is closed");
  });

  test("is of no use to who has given up, and its connection ends", async () => {
    using server = answering(() => {});
    dial(`ws://127.0.0.1:${server.port}/`).one.abort();
    await eventually(() => server.count.opened === 1 && server.count.closed === 1, "one that was not open yet");
    const { one } = dial(`ws://127.0.0.1:${server.port}/`);
    await eventually(() => one["socket"] !== null, "it is open");
    one.abort();
    await eventually(() => server.count.closed === 2, "one that was");
  });
});

test("a proxy's answer comes in pieces, too", async () => {
  let asked = "";
  using proxy = answering((socket, head) => {
    asked += head;
    if (!head.startsWith("CONNECT")) socket.write(upgrade(head));
  });
  const { one, outcome } = dial("ws://tunnel.example/", `http://127.0.0.1:${proxy.port}`);
  await eventually(() => asked.endsWith("\r\n\r\n"), "it has asked");
  for (const piece of ["HTTP/1.1 200 O", "K\r\n\r\n"]) one.received(Buffer.from(piece));
  const opened = await outcome;
  expect(opened).toHaveProperty("socket");
  if ("socket" in opened) opened.socket.end(1000, "");
});

test("a server at an IPv6 address", async () => {
  using server = answering((socket, head) => socket.write(upgrade(head)), "::1");
  const outcome = await dial(`ws://[::1]:${server.port}/`).outcome;
  expect(outcome).toHaveProperty("socket");
  if ("socket" in outcome) outcome.socket.end(1000, "");
});

describe("security", () => {
  test.each([100, 300])("a proxy's %d is no connection", async (status) => {
    using proxy = answering((socket, head) =>
      socket.write(head.startsWith("CONNECT") ? `HTTP/1.1 ${status} Well\r\n\r\n` : upgrade(head)),
    );
    const { outcome } = dial("ws://tunnel.example/", `http://127.0.0.1:${proxy.port}`);
    expect(await outcome).toMatchObject({ reason: expect.stringContaining(`answered ${status} instead`) });
  });

  describe("frames are masked at random unless nobody can read along", () => {
    const before = process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
    const server = Bun.serve({
      ...{ hostname: "127.0.0.1", port: 0, tls: testTls },
      fetch: (request, self) =>
        self.upgrade(request, { headers: { "Sec-WebSocket-Protocol": subprotocol } }) ? undefined : new Response(),
      websocket: { message() {} },
    });
    afterAll(() => server.stop(true));

    async function maskingOf(url: string, proxy: string | null = null): Promise<unknown> {
      const outcome = await dial(url, proxy).outcome;
      if (!("socket" in outcome)) return outcome;
      const { socket } = outcome;
      socket.end(1000, "");
      return [socket["masking"], socket.isPlain];
    }

    test("on this machine, by a proxy, in TLS, and in TLS by a proxy", async () => {
      using plain = answering((socket, head) =>
        socket.write(head.startsWith("CONNECT") ? "HTTP/1.1 200 OK\r\n\r\n" : upgrade(head)),
      );
      await using proxy = await startHttpProxy(server.port!);
      const through = `http://127.0.0.1:${proxy.port}`;
      const secure = `wss://localhost:${server.port}/`;
      expect(await maskingOf(`ws://127.0.0.1:${plain.port}/`)).toEqual(["zero", true]);
      expect(await maskingOf("ws://tunnel.example/", `http://127.0.0.1:${plain.port}`)).toEqual(["random", true]);
      expect(await maskingOf(secure)).toMatchObject({ reason: expect.stringContaining("is not accepted") });
      try {
        process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = "0";
        expect(await maskingOf(secure)).toEqual(["zero", false]);
        expect(await maskingOf(secure, through)).toEqual(["zero", false]);
      } finally {
        if (before === undefined) delete process.env["NODE_TLS_REJECT_UNAUTHORIZED"];
        else process.env["NODE_TLS_REJECT_UNAUTHORIZED"] = before;
      }
    });

    test.each([
      ["127.0.0.1", true],
      ["127.9.9.9", true],
      ["::ffff:127.0.0.1", true],
      ["::1", true],
      ["10.127.0.1", false],
      ["128.0.0.1", false],
      ["::ffff:10.0.0.1", false],
      ["2001:db8::1", false],
    ])("%s is this machine: %p", (address, isHere) => expect(isLoopbackAddress(address)).toBe(isHere));
  });
});

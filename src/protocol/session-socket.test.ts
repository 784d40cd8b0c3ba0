// The socket under a session: two ends that talk, and what a peer that doesn't read may leave with us.

import { describe, expect, jest, test } from "bun:test";
import type { Socket } from "bun";
import { eventually } from "../../test/helpers/eventually.ts";
import { type Masking, type SessionEvents, SessionSocket } from "./session-socket.ts";

const headroom = 16;

/** Notes what a socket hears; keeps no view. */
function listen(heard: string[]): SessionEvents {
  let message = "";
  return {
    received(bytes, start, end, isLast) {
      message += bytes.toString("latin1", start, end);
      if (!isLast) return;
      heard.push(message);
      message = "";
    },
    drained() {},
    closed: (code, reason) => void heard.push(`closed ${code} ${reason}`),
  };
}

const handlers = {
  data: (socket: Socket<SessionSocket>, chunk: Buffer) => socket.data.received(chunk),
  drain: (socket: Socket<SessionSocket>) => socket.data.drain(),
  end: (socket: Socket<SessionSocket>) => socket.data.ended(),
  close: (socket: Socket<SessionSocket>) => socket.data.closed(),
  error: (socket: Socket<SessionSocket>) => void socket.terminate(),
};

/** A server's end and a client's on one connection; `wire` is what the client's end writes. */
async function pair(masking: Masking) {
  const [atServer, atClient]: [string[], string[]] = [[], []];
  const wire: Buffer[] = [];
  const opened = Promise.withResolvers<SessionSocket>();
  const listener = Bun.listen<SessionSocket>({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: {
      ...handlers,
      open(socket) {
        socket.data = new SessionSocket(socket, "none", true);
        socket.data.start(listen(atServer));
        opened.resolve(socket.data);
      },
      data(socket, chunk) {
        wire.push(Buffer.from(chunk));
        socket.data.received(chunk);
      },
    },
  });
  const socket = await Bun.connect<SessionSocket>({
    ...{ hostname: "127.0.0.1", port: listener.port, allowHalfOpen: true },
    data: undefined as unknown as SessionSocket,
    socket: handlers,
  });
  const client = new SessionSocket(socket, masking, true);
  socket.data = client;
  client.start(listen(atClient));
  const server = await opened.promise;
  return { server, client, atServer, atClient, wire, [Symbol.dispose]: () => listener.stop(true) };
}

function send(socket: SessionSocket, text: string): void {
  const bytes = Buffer.alloc(headroom + text.length);
  bytes.write(text, headroom, "latin1");
  socket.sendBinary(bytes, headroom, bytes.length);
}

for (const masking of ["zero", "random"] as const) {
  test(`both ends hear each other, masked ${masking === "zero" ? "with zeros" : "at random"}; the client waits for the server's close`, async () => {
    using ends = await pair(masking);
    const texts = ["", "short", "x".repeat(126), "long ".repeat(30_000)];
    for (const text of texts) {
      send(ends.client, text);
      send(ends.server, text);
    }
    await eventually(() => ends.atServer.length === 4 && ends.atClient.length === 4, "all of it arrived");
    expect([ends.atServer, ends.atClient]).toEqual([texts, texts]);
    expect(Buffer.concat(ends.wire).includes("long long")).toBe(masking === "zero");
    ends.client.close(4000, "enough");
    expect(ends.atClient.length).toBe(4);
    await eventually(() => ends.atClient.length === 5, "the client's end is closed");
    expect([ends.atServer.at(-1), ends.atClient.at(-1)]).toEqual(["closed 4000 enough", "closed 4000 enough"]);
  });
}

test("the client hears why the server closes", async () => {
  using ends = await pair("zero");
  ends.server.close(4003, "revoked");
  await eventually(() => ends.atClient.length === 1, "it heard");
  expect(ends.atClient).toEqual(["closed 4003 revoked"]);
});

/** A socket on paper: what is written to it and done with it, and what its owner hears. */
function onPaper(masking: Masking, takes = true) {
  const heard: string[] = [];
  const did: string[] = [];
  const socket = {
    write(bytes: Uint8Array, offset: number, length: number) {
      if (takes) did.push(Buffer.from(bytes.subarray(offset, offset + length)).toString("hex"));
      return takes ? length : 0;
    },
    ...{ pause() {}, resume() {}, shutdown: () => void did.push("shutdown"), terminate: () => void did.push("end") },
  };
  const one = new SessionSocket(socket, masking, true);
  one.start({ ...listen(heard), drained: () => void heard.push("drained") });
  return { one, did, heard };
}
const bytesOf = (hex: string): Buffer => Buffer.from(hex, "hex");

test.each<[string, string, string]>([
  ["with a code", "88020fa3", "88020fa3"],
  ["with none", "8800", "880203e8"],
])("a server that closes %s is answered alike, and hangs up by itself", (_, hears, says) => {
  const { one, did, heard } = onPaper("zero");
  one.received(bytesOf(hears));
  const masked = `${says.slice(0, 2)}8200000000${says.slice(4)}`;
  expect([did, heard]).toEqual([[masked], [hears === "8800" ? "closed 1005 " : "closed 4003 "]]);
  one.closed();
});

test("a client that closes is answered, and no more is written", () => {
  const { one, did, heard } = onPaper("none");
  one.received(bytesOf("8882000000000fa3"));
  one.close(4001, "late");
  one.received(bytesOf("898000000000"));
  expect([did, heard]).toEqual([["88020fa3", "shutdown"], ["closed 4003 "]]);
  one.closed();
});

test("pings are answered", () => {
  const { one, did } = onPaper("none");
  one.received(bytesOf("898200000000abcd"));
  expect(did).toEqual(["8a02abcd"]);
});

test("its owner hears that something has left, and that the connection has ended", () => {
  const { one, did, heard } = onPaper("none");
  one.drain();
  one.ended();
  expect([did, heard]).toEqual([["end"], ["drained", "closed 1006 the connection ended"]]);
});

test("a connection that is closed holds nothing back, and needs no end", () => {
  jest.useFakeTimers();
  try {
    const { one, did } = onPaper("none", false);
    send(one, "kept");
    one.close(4001, "enough");
    one.closed();
    expect([one.backlogBytes, jest.getTimerCount(), did]).toEqual([0, 0, []]);
  } finally {
    jest.useRealTimers();
  }
});

test("what breaks in its owner is not taken for the peer's fault", () => {
  const { one, did } = onPaper("none");
  const received = (): void => {
    throw new RangeError("ours");
  };
  one.start({ ...listen([]), received });
  expect(() => one.received(bytesOf("828100000000ab"))).toThrow("ours");
  expect(did).toEqual([]);
});

describe("security", () => {
  test("text breaks our protocol, all else WebSocket's", () => {
    const text = onPaper("none");
    text.one.received(bytesOf("818100000000ab"));
    expect(text.heard).toEqual(["closed 4001 messages are binary"]);
    const unmasked = onPaper("none");
    unmasked.one.received(bytesOf("8201ab"));
    expect(unmasked.heard).toEqual(["closed 1002 a frame of a client is not masked"]);
    for (const { one } of [text, unmasked]) one.closed();
  });

  test("a peer that reads nothing is given up at 16 MiB, or two seconds behind our good-bye", () => {
    const heard: string[] = [];
    let terminated = 0;
    const socket = { write: () => 0, pause() {}, resume() {}, shutdown() {}, terminate: () => void terminated++ };
    const full = new SessionSocket(socket, "none", true);
    full.start(listen(heard));
    const mib = "x".repeat(1024 * 1024);
    for (let i = 0; i < 15; i++) send(full, mib);
    expect([terminated, heard]).toEqual([0, []]);
    for (let i = 0; i < 2; i++) send(full, mib);
    expect([terminated, heard]).toEqual([1, ["closed 1006 the other end doesn't read"]]);
    jest.useFakeTimers();
    try {
      const left = new SessionSocket(socket, "none", true);
      left.close(4003, "revoked");
      jest.advanceTimersByTime(1_900);
      expect(terminated).toBe(1);
      jest.advanceTimersByTime(200);
      expect(terminated).toBe(2);
      left.closed();
      full.closed();
    } finally {
      jest.useRealTimers();
    }
  });

  test("of what a peer sends in one piece nothing is heard behind a close of ours", () => {
    const heard: string[] = [];
    const socket = { write: (_: unknown, __: number, length: number) => length, ...{ pause() {}, resume() {} } };
    const one = new SessionSocket({ ...socket, shutdown() {}, terminate() {} }, "zero", true);
    one.start({ ...listen(heard), received: () => (heard.push("message"), one.close(4001, "wrong")) });
    const frame = [0x82, 1, 0];
    one.received(Buffer.from([...frame, ...frame]));
    one.closed();
    expect(heard).toEqual(["message", "closed 4001 wrong"]);
  });

  test("of WebSocket pings that are read at once only the last is answered: a flood of them is not a system call each", () => {
    const { one, did } = onPaper("none");
    one.received(bytesOf(["a1", "b2", "c3"].map((payload) => `898100000000${payload}`).join("")));
    expect(did).toEqual(["8a01c3"]);
    one.received(bytesOf("898100000000d4"));
    expect(did).toEqual(["8a01c3", "8a01d4"]);
    one.received(bytesOf("898100000000e5" + "88820000000003e8"));
    expect(did.slice(2)).toEqual(["880203e8", "shutdown"]);
  });

  test("WebSocket pings of an agent that doesn't read are not answered ahead", () => {
    let room = 1_000;
    const write = (_: Uint8Array, __: number, length: number): number => {
      const taken = Math.min(length, room);
      room -= taken;
      return taken;
    };
    const session = new SessionSocket({ write, pause() {}, resume() {}, shutdown() {}, terminate() {} }, "none", true);
    const ping = (): void =>
      session.received(Buffer.concat([Buffer.from([0x89, 0xfd, 0, 0, 0, 0]), Buffer.alloc(125)]));
    for (let i = 0; i < 1_000; i++) ping();
    // The rest of the one that found no room.
    expect([room, session.backlogBytes]).toEqual([0, 8 * 127 - 1_000]);
    room = 1_000;
    session.drain();
    ping();
    expect([room, session.backlogBytes]).toEqual([1_000 - 16 - 127, 0]);
  });
});

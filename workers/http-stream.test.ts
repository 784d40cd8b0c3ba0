// Streams of HTTP requests through a session, without sockets: raw connections that end, and visitors that are turned out.

import { describe, expect, test } from "bun:test";
import { fakeVisitor, requestText } from "../test/helpers/fake-visitor.ts";
import { readFrames } from "../test/helpers/read-frames.ts";
import { DATA, END, FIN, HEAD, RESET, UPGRADE, WINDOW } from "../src/protocol/frames.ts";
import { Outbox } from "../src/protocol/outbox.ts";
import type { SessionSocket } from "../src/protocol/session-socket.ts";
import type { CaptureEntry } from "./capture.ts";
import { HttpStream } from "./http-stream.ts";
import { Session } from "./session.ts";
import type { Tunnel } from "./tunnel.ts";

const switched = "\0\0\0\0HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/** A visitor whose request is stream 1 of a session; `sent`: what the agent got. */
function setUp() {
  const sent: string[] = [];
  const socket = {
    ...{ backlogBytes: 0, close() {} },
    sendBinary: (bytes: Buffer, start: number, end: number) =>
      readFrames(Buffer.from(bytes.subarray(start, end)), {
        frame(type, flags, _id, bytes, start, end) {
          if (type === DATA) sent.push(bytes.toString("latin1", start, end));
          else if (type === RESET) sent.push("reset");
          if (type === END || (type === DATA && (flags & FIN) !== 0)) sent.push("end");
        },
      }),
  };
  const owner = { sessionClosed() {}, checked() {}, capacityFreed() {} };
  const session = new Session(socket as unknown as SessionSocket, owner, {
    ...{ tunnelId: "t", agentId: "a", generation: 1, address: "192.0.2.1", maxStreams: 9 },
    ...{ pingIntervalMs: 10_000, deadAfterMs: 25_000 },
  });
  const ended: (string | null)[] = [];
  const tunnel = {
    ...{ draining: false, requestTimeoutMs: 1_000, serverTiming: false },
    health: { hasAnswered() {} },
    streamEnded: (_: unknown, why: string) => ended.push(why),
  };
  const capture = { head() {}, visit: { entry: {} }, repeatable: true } as unknown as CaptureEntry;
  let stream: HttpStream | null = null;
  const visitor = fakeVisitor((connection) => {
    stream = new HttpStream(tunnel as unknown as Tunnel, connection, capture, FIN | UPGRADE, null);
    connection.begin(stream);
    session.open(stream, Buffer.from("head"), 4, performance.now());
    stream.opened();
  });
  visitor.send(requestText("GET /ws"));
  const agent = new Outbox({ send: (bytes, start, end) => session.received(bytes, start, end, true) });
  const frame = (type: number, flags: number, text = ""): void => {
    agent.frame(type, flags, 1, Buffer.from(text, "latin1"), 0, text.length);
    agent.flush();
  };
  const toAgent = (): string => {
    session.outbox.flush();
    return sent.splice(0).join(" ");
  };
  return { visitor, session, frame, toAgent, ended, stream: stream! as HttpStream };
}

describe("a raw connection", () => {
  test("whose two sides have ended is over when the visitor's last bytes have left", () => {
    const { visitor, session, frame, toAgent, ended } = setUp();
    frame(HEAD, 0, switched);
    const many = "x".repeat(256 * 1024);
    visitor.send(`${many}last`);
    visitor.connection.ended();
    frame(END, FIN);
    expect([toAgent().endsWith("end"), ended.length, session.streams.size]).toEqual([false, 0, 1]);
    frame(WINDOW, 0, "\0\0\0\x09");
    expect([toAgent(), ended, session.streams.size]).toEqual(["last end", [null], 0]);
  });

  test("that our close frame has ended carries nothing more to its visitor, and nothing of it behind its end", () => {
    const { visitor, frame, toAgent, stream } = setUp();
    frame(HEAD, 0, switched);
    visitor.take();
    const now = performance.now() + 10_000;
    const step = (ms: number): void => stream.endIfQuiet({ now: now + ms, inAllMs: 30_000, isLast: true });
    step(0);
    expect(visitor.take()).toBe("\x88\x02\x03\xe9");
    frame(DATA, 0, "\x82\x01x");
    expect(visitor.take()).toBe("");
    step(1_100);
    expect([toAgent(), visitor.did.at(-1)]).toEqual(["end", "shutdown"]);
    visitor.send("late");
    visitor.connection.ended();
    expect(toAgent()).toBe("");
  });
});

describe("security", () => {
  test("whoever is turned out leaves no stream behind, here or at the agent", () => {
    const { visitor, session, toAgent, ended, stream } = setUp();
    stream.expel();
    expect(visitor.take()).toStartWith("HTTP/1.1 403 ");
    expect([toAgent(), session.streams.size, ended]).toEqual(["reset", 0, ["the policy changed"]]);
  });
});

describe("a response head that breaks the rules", () => {
  test("is refused for what is wrong with it, not with the head refused before it", () => {
    const refusalOf = (head: string): (string | null)[] => {
      const { frame, ended } = setUp();
      frame(HEAD, 0, `\0\0\0\0${head}`);
      return ended;
    };
    expect(refusalOf("HTTP/9 200 OK\r\n\r\n")).toEqual(["the status line is not HTTP/1.x"]);
    for (const head of ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"])
      expect([head, refusalOf(head)]).toEqual([
        head,
        ["a response head must end with an empty line, and hold nothing behind it"],
      ]);
  });
});

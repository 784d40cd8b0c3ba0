// A session's frames and its table of streams, without a socket: heads in pieces, ends that cross, what is given back.

import { describe, expect, spyOn, test } from "bun:test";
import {
  closeCode,
  DATA,
  END,
  FIN,
  GO_AWAY,
  HEAD,
  initialWindowBytes,
  MORE,
  MORE_HEAD,
  PONG,
  RESET,
  sessionWindowBytes,
  smallWindowBytes,
  WINDOW,
} from "../src/protocol/frames.ts";
import { Outbox } from "../src/protocol/outbox.ts";
import { SessionSocket } from "../src/protocol/session-socket.ts";
import { Session, type SessionOwner } from "./session.ts";
import { StreamFlow } from "./stream-flow.ts";

/** Writes down what it hears; ends as its test says. */
class Stream extends StreamFlow {
  readonly openFlags = 0;
  readonly heard: string[] = [];
  /** What it does when bytes come. */
  onBytes = (): void => {};
  constructor() {
    super({ backlogBytes: 0, pauseReading() {}, resumeReading() {} });
  }
  opened(): void {}
  fail(): void {}
  onReset(code: number, reason: string): void {
    this.heard.push(`reset ${code} ${reason}`);
  }
  onHead(bytes: Buffer, start: number, end: number, _micros: number, fin: boolean): void {
    this.heard.push(`head of ${end - start}${fin ? ", fin" : ""}: ${bytes.toString("latin1", start, start + 8)}`);
  }
  onData(_bytes: Buffer, start: number, end: number): void {
    this.heard.push(`${end - start} bytes`);
    this.received(end - start);
    this.onBytes();
  }
  onEnd(): void {
    this.heard.push("end");
  }
  onSessionLost(): void {
    this.heard.push(`lost ${this.session === null ? "unbound" : "bound"}`);
  }
  onTick(): void {}
  endIfQuiet(): void {}
  protected requestSent(): void {}
}

function setUp(maxStreams = 100, real?: SessionSocket) {
  const closed: (number | string)[] = [];
  let freed = 0;
  const socket = real ?? {
    backlogBytes: 0,
    sendBinary() {},
    close: (code: number, reason: string) => void closed.push(code, reason),
  };
  const owner: SessionOwner = { sessionClosed() {}, checked() {}, capacityFreed: () => void freed++ };
  const options = { tunnelId: "t", agentId: "a", generation: 1, address: "192.0.2.1", maxStreams };
  const session = new Session(socket as unknown as SessionSocket, owner, {
    ...options,
    ...{ pingIntervalMs: 10_000, deadAfterMs: 25_000 },
  });
  const agent = new Outbox({ send: (bytes, start, end) => session.received(bytes, start, end, true) });
  /** The agent sends a frame with `bytes` bytes that begin with `text`. */
  const frame = (type: number, flags: number, id: number, bytes = 0, text = ""): void => {
    agent.frame(type, flags, id, Buffer.from(text.padEnd(bytes, "."), "latin1"), 0, Math.max(bytes, text.length));
    agent.flush();
  };
  const open = (head = Buffer.from("head")): Stream => {
    const stream = new Stream();
    session.open(stream, head, head.length, performance.now());
    return stream;
  };
  real?.start(session);
  return { session, frame, open, closed, freed: () => freed };
}

describe("a head in pieces", () => {
  test("arrives whole", () => {
    const { frame, open } = setUp();
    const stream = open();
    frame(HEAD, MORE | FIN, 1, 4 + 60_000, "\0\0\0\0HTTP/1.1");
    frame(MORE_HEAD, 0, 1, 100);
    expect(stream.heard).toEqual(["head of 60100, fin: HTTP/1.1"]);
  });

  test.each([
    ["the visitor left", false],
    ["its agent gave it up", true],
  ])("of which the rest never comes, as %s, leaves the next one its place", (_, byAgent) => {
    const { session, frame, open, closed } = setUp();
    const gone = open();
    const stream = open();
    frame(HEAD, MORE, 1, 60_000);
    if (byAgent) frame(RESET, 0, 1, 2);
    else session.reset(gone, 1, "left");
    frame(HEAD, MORE, 2, 4 + 60_000, "\0\0\0\0HTTP/1.1");
    frame(MORE_HEAD, 0, 2, 1);
    expect([closed, stream.heard]).toEqual([[], ["head of 60001: HTTP/1.1"]]);
  });
});

describe("ends", () => {
  test("bytes that end their stream are not followed by its end", () => {
    const { session, frame, open, closed } = setUp();
    const stream = open();
    stream.onBytes = () => session.reset(stream, 5, "too much");
    frame(DATA, FIN, 1, 10);
    expect([stream.heard, closed]).toEqual([["10 bytes"], []]);
  });

  test("frames of a stream that is over are ignored, those of one that never was are not", () => {
    const { session, frame, open, closed } = setUp();
    session.reset(open(), 1, "left");
    frame(DATA, 0, 1, 10);
    frame(END, FIN, 1);
    expect(closed).toEqual([]);
    frame(DATA, 0, 2, 10);
    expect(closed).toEqual([closeCode.protocol, "a frame names a stream that never was"]);
  });

  test("the place of a stream in a full session is offered once it is free", () => {
    const { session, open, freed } = setUp(2);
    const [first] = [open(), open()];
    expect(session.hasRoom).toBe(false);
    session.remove(first!);
    expect([session.hasRoom, freed()]).toEqual([true, 1]);
  });

  test("with the session streams are lost, and hold nothing of it", () => {
    const { session, open } = setUp();
    const stream = open();
    session.closed(1006, "gone");
    expect([stream.heard, session.streams.size]).toEqual([["lost unbound"], 0]);
  });

  test.each(["server", "agent"] as const)("a session that the %s leaves closes with its last stream", (who) => {
    const leave = ({ session, frame }: ReturnType<typeof setUp>): void =>
      who === "agent"
        ? frame(GO_AWAY, 0, 0, 2, "{}")
        : session.goAway({ reason: "drain", deadlineMs: 1, retryable: true });
    const idle = setUp();
    leave(idle);
    expect(idle.closed[0]).toBe(closeCode.goingAway);
    const busy = setUp();
    const streams = [busy.open(), busy.open()];
    leave(busy);
    for (const stream of streams) {
      expect([busy.session.hasRoom, busy.closed]).toEqual([false, []]);
      busy.session.remove(stream);
    }
    expect(busy.closed[0]).toBe(closeCode.goingAway);
  });
});

describe("a request", () => {
  test("whose head an agent is too slow for does not cost it its session", () => {
    let room = 0;
    const write = (_: Uint8Array, __: number, length: number): number => {
      const taken = Math.min(length, room);
      room -= taken;
      return taken;
    };
    const link = { write, pause() {}, resume() {}, shutdown() {}, terminate() {} };
    const socket = new SessionSocket(link, "none", true);
    const { session, open, freed } = setUp(1_000, socket);
    const head = Buffer.alloc(60 * 1024);
    const openAll = (): number => {
      while (session.hasRoom) open(head);
      return session.streams.size;
    };
    const first = openAll();
    expect(first).toBeGreaterThan(100);
    expect(first).toBeLessThan(1_000);
    room = 100 * head.length;
    socket.drain();
    expect([session.hasRoom, freed()]).toEqual([true, 1]);
    expect(openAll()).toBeGreaterThan(first);
  });

  test("that comes before there is a session stays with its visitor, but for what was read already", () => {
    const { session } = setUp();
    const stream = new Stream();
    const did: string[] = [];
    const visitor = { backlogBytes: 0, pauseReading: () => did.push("pause"), resumeReading: () => did.push("resume") };
    Object.assign(stream, { visitor });
    stream.sendRequest(Buffer.from("early"), 0, 5);
    expect(did).toEqual(["pause"]);
    session.open(stream, Buffer.from("head"), 4, performance.now());
    stream.flushRequest();
    expect([did, stream.hasQueued]).toEqual([["pause", "resume"], false]);
  });

  test("moves with each grant of its agent, however little of what waits that lets through, and with the socket", () => {
    const { session, frame, open } = setUp();
    const clock = spyOn(performance, "now");
    try {
      clock.mockReturnValue(1_000);
      const stream = open();
      stream.sendRequest(Buffer.alloc(300_000), 0, 300_000);
      for (const [now, granted] of [
        [2_000, "\0\0\0\x01"],
        [3_000, "\0\x01\0\0"],
      ] as const) {
        clock.mockReturnValue(now);
        frame(WINDOW, 0, 1, 4, granted);
        expect(stream.movedAt).toBe(now);
      }
      expect(stream.hasQueued).toBe(false);
      session.congested = true;
      stream.sendRequest(Buffer.alloc(1), 0, 1);
      clock.mockReturnValue(4_000);
      session.drained();
      expect([stream.hasQueued, stream.movedAt]).toEqual([false, 4_000]);
    } finally {
      clock.mockRestore();
    }
  });
});

describe("security", () => {
  const ofHead = "\0\0\0\0HTTP/1.1";

  test.each<[string, string, (frame: ReturnType<typeof setUp>["frame"]) => void]>([
    [
      "two heads at once",
      "two heads are interleaved",
      (frame) => [1, 2].forEach((id) => frame(HEAD, MORE, id, 50, ofHead)),
    ],
    [
      "a head that goes on for ever",
      "a head is too large",
      (frame) => {
        frame(HEAD, MORE, 1, 60_000, ofHead);
        frame(MORE_HEAD, MORE, 1, 10_000);
      },
    ],
    [
      "the rest of another's head",
      "a head goes on that never began",
      (frame) => {
        frame(HEAD, MORE, 1, 50, ofHead);
        frame(MORE_HEAD, 0, 2, 10);
      },
    ],
    [
      "more bytes than were granted",
      "a stream sent more than it was granted",
      (frame) => {
        for (let sent = 0; sent < 32 * 1024 * 1024; sent += 65_000) frame(DATA, 0, 1, 65_000);
      },
    ],
  ])("%s end the session", (_, why, send) => {
    const one = setUp();
    for (const stream of [one.open(), one.open()]) Object.assign(stream, { visitor: { backlogBytes: 1e9 } });
    send(one.frame);
    expect(one.closed.slice(0, 2)).toEqual([closeCode.protocol, why]);
  });

  test("a pong that lies about its ping says nothing about the way", () => {
    const { session, frame, closed } = setUp();
    const stamp = Buffer.alloc(8);
    for (const ms of [1e15, -1e15, Number.NaN]) {
      stamp.writeDoubleBE(ms);
      frame(PONG, 0, 0, 8, stamp.toString("latin1"));
    }
    expect([session.rttMs, closed]).toEqual([null, []]);
  });

  test.each([0, 7, 9, 65_000])("a pong to no ping of ours, of %d bytes, is nothing", (bytes) => {
    const { session, frame, closed } = setUp();
    frame(PONG, 0, 0, bytes);
    expect([session.rttMs, closed]).toEqual([null, []]);
  });

  test("what streams may hold together stays within what a session may, and comes back with their ends", () => {
    const { session, open } = setUp(1_000);
    for (let round = 0; round < 3; round++) {
      const streams = Array.from({ length: 100 }, () => open());
      const many = sessionWindowBytes / initialWindowBytes;
      const windows = streams.map(({ windowBytes }) => windowBytes);
      expect(windows).toEqual(windows.map((_, i) => (i < many ? initialWindowBytes : smallWindowBytes)));
      expect(streams.at(-1)!.creditBytes).toBe(smallWindowBytes);
      for (const stream of streams) session.remove(stream);
    }
  });
});

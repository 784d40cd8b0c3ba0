// What an agent may answer, and what of it reaches the visitor; and what ends its session.

import { describe, expect, spyOn, test } from "bun:test";
import { requestText } from "../test/helpers/fake-visitor.ts";
import { streaming, switched } from "../test/helpers/http-stream.ts";
import { flushCork } from "../src/ingress/cork.ts";
import { closeCode, DATA, FIN, HEAD, MORE, MORE_HEAD, RESET, UPGRADE, WINDOW } from "../src/protocol/frames.ts";

describe("an answer", () => {
  const asking = (request = requestText("GET /"), flags = FIN) => streaming(flags, request);
  const head = (text: string): string => `\0\0\0\0HTTP/1.1 ${text}\r\n\r\n`;

  test("of a server that leaves is its connection's last", () => {
    const { visitor, frame, tunnel } = asking();
    tunnel.draining = true;
    frame(HEAD, FIN, head("200 OK\r\nContent-Length: 0"));
    expect(visitor.take()).toContain("\r\nConnection: close\r\n");
  });

  test.each([
    ["", 50_000, "tunnel;dur=20.00, local;dur=50.00"],
    [", at the service no more than there was", 90_000, "tunnel;dur=0.00, local;dur=70.00"],
  ])("says where its time went%s", (_, localMicros, told) => {
    using clock = spyOn(performance, "now");
    const { visitor, frame, tunnel, capture, open } = streaming(FIN, requestText("GET /"), true);
    tunnel.serverTiming = true;
    Object.assign(capture.visit, { startedAt: 1_000, judgedAt: 1_010 });
    clock.mockReturnValue(1_030);
    open();
    clock.mockReturnValue(1_100);
    const micros = Buffer.alloc(4);
    micros.writeUInt32BE(localMicros);
    frame(HEAD, FIN, micros.toString("latin1") + head("200 OK\r\nContent-Length: 0").slice(4));
    expect(visitor.take()).toContain(
      `\r\nServer-Timing: edge;dur=100.00, policy;dur=10.00, queue;dur=20.00, ${told}\r\n`,
    );
  });

  test("that doesn't come in time is given up at both ends", () => {
    const { visitor, toAgent, stream, ended } = asking();
    // A hair beside the second: of fractions a thousand more may be a hair less.
    stream.onTick(stream.movedAt + 999.9);
    expect(visitor.take()).toBe("");
    stream.onTick(stream.movedAt + 1_000.1);
    expect([visitor.take().slice(0, 12), toAgent()]).toEqual(["HTTP/1.1 504", "reset"]);
    expect(ended).toEqual(["no answer within 1 s"]);
  });

  test("before the end of its request has its agent told that the rest interests nobody", () => {
    const upload = asking(requestText("POST /", "Content-Length: 9"), 0);
    upload.visitor.send("half");
    upload.frame(HEAD, FIN, head("200 OK\r\nContent-Length: 0"));
    upload.visitor.send("more");
    expect([upload.toAgent(), upload.visitor.take().slice(0, 12)]).toEqual(["half reset", "HTTP/1.1 200"]);
    expect([upload.ended, upload.session.streams.size]).toEqual([[null], 0]);
  });

  test("may be asked for again before anything of it, or of the request's body, has passed, and three times in all", () => {
    expect(asking().stream.mayRepeat).toBe(true);
    expect(streaming().stream.mayRepeat).toBe(false);
    const begun = asking();
    begun.frame(HEAD, 0, head("200 OK\r\nContent-Length: 5"));
    expect(begun.stream.mayRepeat).toBe(false);
    const harmful = asking();
    Object.assign(harmful.capture, { repeatable: false });
    expect(harmful.stream.mayRepeat).toBe(false);
    const { stream } = asking();
    stream.opened();
    expect(stream.mayRepeat).toBe(true);
    stream.opened();
    expect(stream.mayRepeat).toBe(false);
  });
});

describe("security", () => {
  const head = (text: string): string => `\0\0\0\0HTTP/1.1 ${text}\r\n\r\n`;
  const five = head("200 OK\r\nContent-Length: 5");

  test.each<[string, number, [type: number, flags: number, text: string][], string]>([
    ["a 101 that nobody asked for", FIN, [[HEAD, 0, switched]], "502"],
    [
      "a 101 to something else",
      FIN | UPGRADE,
      [[HEAD, 0, head("101 Go\r\nConnection: Upgrade\r\nUpgrade: h2c")]],
      "502",
    ],
    ["an end behind an interim head", FIN, [[HEAD, FIN, head("103 Early Hints")]], "502"],
    ["a body that was announced and never came", FIN, [[HEAD, FIN, five]], "502"],
    [
      "a second head",
      FIN,
      [
        [HEAD, 0, five],
        [HEAD, 0, five],
      ],
      "reset",
    ],
    [
      "a body that is too long",
      FIN,
      [
        [HEAD, 0, five],
        [DATA, 0, "123456"],
      ],
      "reset",
    ],
    [
      "a body that is too short",
      FIN,
      [
        [HEAD, 0, five],
        [DATA, FIN, "1234"],
      ],
      "reset",
    ],
  ])("%s ends the stream, once, and looks like no whole answer", (_, flags, frames, becomes) => {
    const { visitor, frame, toAgent, ended, session } = streaming(flags, requestText("GET /"));
    for (const one of frames) frame(...one);
    const heads = visitor.take().match(/(?<=HTTP\/1\.1 )[2-5]\d+/g);
    expect([heads, visitor.did]).toEqual(becomes === "502" ? [["502"], []] : [["200"], ["terminate"]]);
    expect([toAgent(), ended.length, session.streams.size]).toEqual(["reset", 1, 0]);
  });

  test("interim heads that a visitor doesn't take are not kept without end", () => {
    const { visitor, frame, toAgent, ended, resets } = streaming(FIN, requestText("GET /"));
    visitor.room = 0;
    for (let i = 0; i < 60 && ended.length === 0; i++) {
      frame(HEAD, 0, head(`103 Early Hints\r\nX: ${"x".repeat(20_000)}`));
      flushCork();
    }
    expect([ended, toAgent()]).toEqual([["the visitor reads less interim (1xx) answers than come"], "reset"]);
    expect(visitor.connection.backlogBytes).toBeLessThan(512 * 1024);
    // The agent broke no rule: it is told with what the server has answered.
    expect(resets).toEqual([502]);
    visitor.room = Infinity;
    visitor.connection.drain();
    expect(visitor.take()).toContain("more interim (1xx) answers than this connection has read");
  });

  test("a service sets no cookie of ours", () => {
    const { visitor, frame } = streaming(FIN, requestText("GET /"));
    frame(HEAD, FIN, head("200 OK\r\nContent-Length: 0\r\nSet-Cookie: dl_session=1"));
    expect(visitor.take()).not.toContain("dl_session");
  });
});

describe("a session", () => {
  test("that is closed takes no more streams, and is told of once", () => {
    const { session, gone } = streaming();
    for (let i = 0; i < 2; i++) session.closed(1006, "lost");
    expect([session.hasRoom, gone()]).toEqual([false, 1]);
  });

  test("whose agent says nothing is given up", () => {
    const { session, closed } = streaming();
    const now = performance.now();
    for (let i = 1; i < 60 && closed.length === 0; i++) session.tick(now + i * 1_000);
    expect(closed).toEqual([1006, "the agent went silent"]);
  });

  test.each([
    ["a reset without a code", RESET, 1, 1],
    ["a window update of five bytes", WINDOW, 1, 5],
    ["a head without its timing", HEAD, 1, 3],
  ])("ends for %s", (_, type, id, bytes) => {
    const { frame, closed } = streaming();
    frame(type, 0, "\0".repeat(bytes), id);
    expect(closed[0]).toBe(closeCode.protocol);
  });

  test("keeps a head that comes in pieces in one buffer: a piece costs what it brings, not all that came before", () => {
    const { frame, session, closed } = streaming(FIN, requestText("GET /"));
    frame(HEAD, MORE, "x".repeat(60_000));
    const buffers = new Set<Buffer>();
    for (let pieces = 0; pieces < 500; pieces++) {
      frame(MORE_HEAD, MORE, "x");
      buffers.add(session["partial"]!.bytes);
    }
    expect([closed, session["partial"]!.length, buffers.size]).toEqual([[], 60_000 - 4 + 500, 1]);
  });

  test("keeps no more than 200 bytes of what its agent says a reset is for", () => {
    const { frame, ended } = streaming();
    frame(RESET, 0, `\0\x05${"x".repeat(60_000)}`);
    expect(ended).toEqual(["x".repeat(200)]);
  });
});

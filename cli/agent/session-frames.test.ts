// What a server may make an agent hold: streams, heads in pieces, and sessions that come to nothing.

import { describe, expect, spyOn, test } from "bun:test";
import { playServer as setUp } from "../../test/helpers/play-server.ts";
import {
  closeCode,
  DATA,
  GO_AWAY,
  MORE,
  MORE_HEAD,
  NOTICE,
  OPEN,
  REGISTERED,
  RESET,
  WINDOW,
} from "../../src/protocol/frames.ts";

const head = Buffer.alloc(8 + 60_000);

describe("security", () => {
  test.each<[string, string, (frame: ReturnType<typeof setUp>["frame"]) => void]>([
    [
      "a stream that begins within another's head",
      "stream ids must rise",
      (frame) => [1, 2].forEach((id) => frame(OPEN, MORE, id, head)),
    ],
    ["a number that was used", "stream ids must rise", (frame) => [1, 1].forEach((id) => frame(OPEN, 0, id, head))],
    [
      "a head without end",
      "a head is too large",
      (frame) => {
        frame(OPEN, MORE, 1, head);
        for (let i = 0; i < 3; i++) frame(MORE_HEAD, MORE, 1, head);
      },
    ],
    [
      "an OPEN without room for its windows",
      "an OPEN frame has no windows",
      (frame) => frame(OPEN, 0, 1, Buffer.alloc(7)),
    ],
    ["the rest of no head", "a head goes on that never began", (frame) => frame(MORE_HEAD, 0, 1, head)],
    [
      "the rest of another head",
      "a head goes on that never began",
      (frame) => {
        frame(OPEN, MORE, 1, head);
        frame(MORE_HEAD, 0, 2, head);
      },
    ],
    ["a stream that never was", "a frame names a stream that never was", (frame) => frame(DATA, 0, 1, head)],
    ...[3, 5].map((bytes): [string, string, (frame: ReturnType<typeof setUp>["frame"]) => void] => [
      `a window update of ${bytes} bytes`,
      "a window update is not 4 bytes",
      (frame) => {
        frame(OPEN, 0, 1, Buffer.alloc(8));
        frame(WINDOW, 0, 1, Buffer.alloc(bytes));
      },
    ]),
    ...[REGISTERED, NOTICE, GO_AWAY].map(
      (type): [string, string, (frame: ReturnType<typeof setUp>["frame"]) => void] => [
        `a page of JSON in frame type ${type}`,
        "a control frame is larger than 8 KiB",
        (frame) => frame(type, 0, 0, Buffer.from(`{"message":"${"x".repeat(8192)}"}`)),
      ],
    ),
  ])("%s ends the session", (_, why, send) => {
    using one = setUp();
    one.begin();
    send(one.frame);
    expect(one.closed.slice(0, 2)).toEqual([closeCode.protocol, why]);
  });

  test("10,000 streams are held, those beyond are refused one by one", () => {
    using one = setUp();
    one.begin();
    for (let id = 1; id <= 10_002; id++) one.frame(OPEN, 0, id, Buffer.alloc(8));
    one.session.outbox.flush();
    expect([one.session.streams.size, one.resets, one.closed]).toEqual([10_000, [10_001, 10_002], []]);
  });

  test("a piece of a head costs what it brings: what came before is not copied again", () => {
    using one = setUp();
    one.begin();
    const concat = spyOn(Buffer, "concat");
    try {
      one.frame(OPEN, MORE, 1, head);
      for (let i = 0; i < 1_000; i++) one.frame(MORE_HEAD, MORE, 1, Buffer.from("x"));
      one.frame(MORE_HEAD, 0, 1, Buffer.from("y"));
      const copied = concat.mock.results.reduce((sum, { value }) => sum + (value as Buffer).length, 0);
      expect(copied).toBeLessThan(2 * head.length);
    } finally {
      concat.mockRestore();
    }
    const whole = `${"\0".repeat(60_000)}${"x".repeat(1_000)}y`;
    expect(one.begun).toEqual([[0, whole, 0, 0]]);
  });

  test("times that no server means are not taken", () => {
    using one = setUp();
    one.begin();
    one.frame(REGISTERED, 0, 0, Buffer.from(JSON.stringify({ pingIntervalMs: 0, deadAfterMs: -1 })));
    const { pingAfterMs, deadAfterMs } = one.session["liveness"];
    expect([pingAfterMs, deadAfterMs]).toEqual([12_500, 25_000]);
    one.frame(REGISTERED, 0, 0, Buffer.from(JSON.stringify({ pingIntervalMs: 600_001, deadAfterMs: 1e12 })));
    expect(one.session["liveness"]).toMatchObject({ pingAfterMs: 12_500, deadAfterMs: 25_000 });
  });

  test("who is to ask every minute is not dead before it has asked", () => {
    using one = setUp();
    one.begin();
    one.frame(REGISTERED, 0, 0, Buffer.from(JSON.stringify({ pingIntervalMs: 60_000, deadAfterMs: 10_000 })));
    expect(one.session["liveness"]).toMatchObject({ pingAfterMs: 75_000, deadAfterMs: 90_000 });
  });

  test("of what a server says as its reasons, 200 and 500 letters are taken", () => {
    using one = setUp();
    one.begin();
    one.frame(OPEN, 0, 1, Buffer.alloc(8));
    one.frame(RESET, 0, 1, Buffer.from(`\0\x04${"x".repeat(1_000)}`));
    one.frame(NOTICE, 0, 0, Buffer.from(JSON.stringify({ message: "y".repeat(1_000) })));
    expect([one.heard, one.told]).toEqual([[[4, "x".repeat(200)]], ["y".repeat(500)]]);
  });

  test("a server that never agrees is given up after 15 s", () => {
    using one = setUp();
    one.session["tick"](performance.now() + 14_000);
    expect(one.ends).toEqual([]);
    one.session["tick"](performance.now() + 16_000);
    expect(one.ends).toEqual(["the server did not open a session in time"]);
    expect(one.session["dial"]?.["events"]).toBeNull();
  });

  test("a server that goes silent is given up", () => {
    using one = setUp();
    one.session["liveness"].heardAt = 0;
    one.begin();
    const { heardAt } = one.session;
    expect(heardAt).toBeGreaterThan(0);
    for (let second = 1; second <= 24; second++) one.session["tick"](heardAt + second * 1_000);
    expect(one.closed).toEqual([]);
    one.session["tick"](heardAt + 25_500);
    expect(one.closed).toEqual([1006, "the server went silent"]);
  });

  test("nothing begins on a session that is over, which is said once", () => {
    using one = setUp();
    one.begin();
    one.session.closed(1000, "done");
    one.session.closed(1006, "again");
    one.session.close(1000, "once more");
    one.frame(OPEN, 0, 1, Buffer.alloc(8));
    expect([one.ends, one.begun, one.closed]).toEqual([["done"], [], []]);
  });
});

// Liveness: when an end pings, when it gives up, and that whoever floods it with pings is not answered one by one.

import { expect, setSystemTime, test } from "bun:test";
import { headerBytes, PING, PONG } from "./frames.ts";
import { Liveness } from "./liveness.ts";
import { Outbox } from "./outbox.ts";

function setUp() {
  const messages: Buffer[] = [];
  const outbox = new Outbox({ send: (bytes, start, end) => messages.push(Buffer.from(bytes.subarray(start, end))) });
  // A whole number: differences of fractions may lack a billionth of a millisecond.
  return { messages, liveness: new Liveness(outbox, 10_000, 25_000), start: Math.ceil(performance.now()) };
}

test("pings once in each interval of silence, and gives up after the longer one", () => {
  const { messages, liveness, start } = setUp();
  let second = 0;
  /** Ticks once a second until then. */
  const at = (seconds: number): [boolean, number] => {
    let alive = true;
    while (second < seconds) alive = liveness.tick(start + ++second * 1_000);
    return [alive, messages.length];
  };
  expect([9, 10, 11, 19, 20, 24].map(at)).toEqual([
    [true, 0],
    [true, 1],
    [true, 1],
    [true, 1],
    [true, 2],
    [true, 2],
  ]);
  expect(at(25)).toEqual([false, 2]);
  expect(messages.map((message) => [message[0], message.readDoubleBE(headerBytes) - start])).toEqual([
    [PING, 10_000],
    [PING, 20_000],
  ]);
});

test("time in which this end itself stood still is no silence of the other's, who is asked at once", () => {
  const { messages, liveness, start } = setUp();
  const at = (seconds: number): boolean => liveness.tick(start + seconds * 1_000);
  for (let second = 1; second <= 9; second++) expect(at(second)).toBe(true);
  expect(messages).toEqual([]);
  expect(at(60)).toBe(true);
  expect(messages.map(([type]) => type)).toEqual([PING]);
  for (let second = 61; second <= 74; second++) expect(at(second)).toBe(true);
  expect(at(76)).toBe(false);
});

test.each([
  [25_000, 5_000],
  [1_000, 2_000],
])(
  "who gives up after %d ms has stood still after more than %d, and was heard when it was heard",
  (deadAfterMs, most) => {
    const { messages, liveness, start } = setUp();
    liveness.deadAfterMs = deadAfterMs;
    liveness.heardAt = start + 5_000;
    liveness["tickedAt"] = start;
    expect([liveness.tick(start + most), messages.length]).toEqual([true, 0]);
    expect([liveness.tick(start + 2 * most + 1), messages.length]).toEqual([true, 1]);
    expect(liveness.heardAt).toBe(start + 5_000);
  },
);

test("a sleep that the monotonic clock doesn't count has the other asked at once, too; a clock that is set back means nothing", () => {
  try {
    const { messages, liveness, start } = setUp();
    const wallMs = Date.now();
    expect(liveness.tick(start + 1_000)).toBe(true);
    setSystemTime(wallMs - 3_600_000);
    expect(liveness.tick(start + 2_000)).toBe(true);
    expect(messages).toEqual([]);
    setSystemTime(wallMs + 3_600_000);
    expect(liveness.tick(start + 3_000)).toBe(true);
    expect(messages.map(([type]) => type)).toEqual([PING]);
    expect(liveness.tick(start + 4_000)).toBe(true);
    expect(messages).toHaveLength(1);
  } finally {
    setSystemTime();
  }
});

test("whatever is heard begins the silence anew", () => {
  const { messages, liveness } = setUp();
  liveness.heard();
  const heardAt = Math.ceil(performance.now());
  for (let second = 1; second <= 9; second++) expect(liveness.tick(heardAt + second * 1_000)).toBe(true);
  expect(messages).toEqual([]);
});

test("a ping is answered at once, many of them together at the end of the turn", async () => {
  const { messages, liveness } = setUp();
  const payload = Buffer.from("..12345678rest");
  liveness.heard();
  for (let i = 0; i < 5; i++) liveness.answer(payload, 2, payload.length);
  expect(messages.map((message) => [message[0], message.toString("latin1", headerBytes)])).toEqual([
    [PONG, "12345678"],
  ]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(messages.map(({ length }) => length)).toEqual([headerBytes + 8, 4 * (headerBytes + 8)]);
});

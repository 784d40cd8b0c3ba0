// The line says what `String` would have said of each duration.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { timingLine, writeServerTiming } from "./server-timing.ts";

function line(...durations: [number, number, number, number, number]): string {
  return timingLine.toString("latin1", 0, writeServerTiming(...durations));
}

test("one line, in the order in which the parts happen", () => {
  expect(line(12.345, 0, 0.1, 7, 1_234.5)).toBe(
    "Server-Timing: edge;dur=12.35, policy;dur=0, queue;dur=0.1, tunnel;dur=7, local;dur=1234.5\r\n",
  );
});

test("nothing is negative, and nothing overflows", () => {
  expect(line(-3, Number.NEGATIVE_INFINITY, 1e300, 20_000_000, 0.004)).toBe(
    "Server-Timing: edge;dur=0, policy;dur=0, queue;dur=20000000, tunnel;dur=20000000, local;dur=0\r\n",
  );
});

test("numbers read as they are written elsewhere", () => {
  fc.assert(
    fc.property(fc.double({ min: 0, max: 10_000_000, noNaN: true }), (ms) => {
      expect(line(ms, 0, 0, 0, 0)).toStartWith(`Server-Timing: edge;dur=${String(Math.round(ms * 100) / 100)}, `);
    }),
  );
});

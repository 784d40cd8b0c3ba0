// The line says of each duration what `toFixed(2)` would have said.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { timingLine, writeServerTiming } from "./server-timing.ts";

function line(...durations: [number, number, number, number, number]): string {
  return timingLine.toString("latin1", 0, writeServerTiming(...durations));
}

test("one line, in the order in which the parts happen", () => {
  expect(line(12.345, 0, 0.1, 7, 1_234.5)).toBe(
    "Server-Timing: edge;dur=12.35, policy;dur=0.00, queue;dur=0.10, tunnel;dur=7.00, local;dur=1234.50\r\n",
  );
});

test("nothing is negative, and nothing overflows", () => {
  expect(line(-3, Number.NEGATIVE_INFINITY, 1e300, 20_000_000, 0.004)).toBe(
    "Server-Timing: edge;dur=0.00, policy;dur=0.00, queue;dur=20000000.00, tunnel;dur=20000000.00, local;dur=0.00\r\n",
  );
});

test("every duration is told to the hundredth, wherever it stands and whatever stood there before", () => {
  const names = ["edge", "policy", "queue", "tunnel", "local"];
  const duration = fc.oneof(fc.double({ min: 0, max: 12, noNaN: true }), fc.double({ min: 0, max: 1e7, noNaN: true }));
  fc.assert(
    fc.property(fc.tuple(duration, duration, duration, duration, duration), (all) => {
      const told = all.map((ms, i) => `${names[i]};dur=${(Math.round(ms * 100) / 100).toFixed(2)}`);
      expect(line(...all)).toBe(`Server-Timing: ${told.join(", ")}\r\n`);
    }),
  );
});

test("every hundredth below ten", () => {
  for (let value = 0; value < 1_000; value++)
    expect(line(value / 100, 0, 0, 0, 0)).toStartWith(`Server-Timing: edge;dur=${(value / 100).toFixed(2)}, `);
});

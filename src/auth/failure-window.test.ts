// Tests of one subject's window of failures: what is in it, what is taken out, and that it stays small.

import { describe, expect, test } from "bun:test";
import { FailureWindow } from "./failure-window.ts";

/** Of a minute, in slots of four seconds; the begin of one of them. */
const windowMs = 60_000;
const startMs = 1_900_000_000_000;

describe("security", () => {
  test("a failure counts for its whole window at least, and one slot more at most", () => {
    for (const [failedMs, askedMs, recent] of [
      [3_900, 61_000, 1],
      [3_900, 63_999, 1],
      [0, 63_999, 1],
      [0, 64_000, 0],
    ] as const) {
      const window = new FailureWindow(windowMs);
      window.add(startMs + failedMs);
      expect({ failedMs, askedMs, recent: window.recent(startMs + askedMs) }).toEqual({ failedMs, askedMs, recent });
    }
  });

  test("no more is taken back than was counted, and nothing of what others failed at", () => {
    const window = new FailureWindow(windowMs);
    for (const atMs of [0, 0, 0, 4_000]) window.add(startMs + atMs);
    const slot = (atMs: number, failures: number) => ({ slotAtMs: startMs + atMs, failures });
    expect(window.takeBack([slot(0, 1), slot(4_000, 5), slot(8_000, 1)])).toEqual([slot(0, 2), slot(4_000, 0)]);
    expect(window.counts()).toEqual([slot(0, 2)]);
    window.add(startMs + 4_000);
    expect(window.recent(startMs + 5_000)).toBe(3);
  });

  test("holds its slots and one more, however long it fails, and none that is empty", () => {
    const window = new FailureWindow(windowMs);
    window.put({ slotAtMs: startMs, failures: 0 });
    expect(window.counts()).toEqual([]);
    for (let atMs = startMs; atMs < startMs + 600_000; atMs += 1_000) {
      window.add(atMs);
      window.recent(atMs);
      expect(window.counts().length).toBeLessThanOrEqual(16);
    }
    const short = new FailureWindow(1_000);
    expect(short.add(startMs + 999)).toEqual({ slotAtMs: startMs, failures: 1 });
  });
});

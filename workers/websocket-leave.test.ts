// Following a visitor's frames, in whatever pieces they come, and the steps of a good-bye.

import { expect, test } from "bun:test";
import { WebSocketLeave } from "./websocket-leave.ts";

const text = (bytes: number): Buffer => frame([0x81], bytes);
function frame(first: number[], payload: number, mask: number[] = []): Buffer {
  const masked = mask.length > 0 ? 0x80 : 0;
  const length =
    payload < 126
      ? [masked | payload]
      : payload < 65_536
        ? [masked | 126, payload >>> 8, payload & 255]
        : [masked | 127, 0, 0, 0, 0, 0, payload >>> 16, (payload >>> 8) & 255, payload & 255];
  return Buffer.concat([Buffer.from([...first, ...length, ...mask]), Buffer.alloc(payload, 0x81)]);
}

/** Whether a good-bye could stand behind each byte of `bytes`, which go to the visitor in pieces of `size`. */
function gaps(bytes: Buffer, size: number): number[] {
  const leave = new WebSocketLeave();
  const found: number[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const end = Math.min(bytes.length, at + size);
    leave.passed(bytes, at, end);
    if (leave.step(0, 10_000, false) === "say") found.push(end);
    leave.said = false;
  }
  return found;
}

const lengths = [0, 1, 125, 126, 65_535, 65_536, 70_000];

test("only behind a whole frame, however the bytes are cut", () => {
  const all = Buffer.concat([...lengths.map(text), frame([0x82], 300, [1, 2, 3, 4]), frame([0x89], 0)]);
  const ends: number[] = [];
  let at = 0;
  for (const one of [...lengths.map(text), frame([0x82], 300, [1, 2, 3, 4]), frame([0x89], 0)])
    ends.push((at += one.length));
  expect(gaps(all, 1)).toEqual(ends);
  for (const size of [3, 7, 1_000, 65_536, all.length]) {
    const expected = ends.filter((end) => end % size === 0 || end === all.length);
    expect({ size, gaps: gaps(all, size) }).toEqual({ size, gaps: expected });
  }
});

test("silence, or the deadline, comes before the good-bye; then one second for each step", () => {
  const leave = new WebSocketLeave();
  expect(leave.step(0, 1_900, false)).toBe("wait");
  expect(leave.step(0, 0, true)).toBe("say");
  expect([500, 1_000, 1_900, 2_000].map((now) => leave.step(now, now, true))).toEqual([
    "wait",
    "half-close",
    "half-close",
    "break",
  ]);
});

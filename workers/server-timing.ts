// `Server-Timing` of an answer, written as bytes: every tunnelled request has one.

import { copyBytes } from "../src/lib/bytes.ts";

const parts = ["Server-Timing: edge;dur=", ", policy;dur=", ", queue;dur=", ", tunnel;dur=", ", local;dur="].map(
  (text) => Buffer.from(text),
);
/** Where the last line was written. Valid until the next one. */
export const timingLine = Buffer.allocUnsafeSlow(256);

/** Writes the line with its CRLF into `timingLine`, durations in ms; returns its length. */
export function writeServerTiming(edge: number, policy: number, queue: number, tunnel: number, local: number): number {
  let at = putPart(0, edge, 0);
  at = putPart(1, policy, at);
  at = putPart(2, queue, at);
  at = putPart(3, tunnel, at);
  at = putPart(4, local, at);
  timingLine[at] = 0x0d;
  timingLine[at + 1] = 0x0a;
  return at + 2;
}

function putPart(index: number, ms: number, at: number): number {
  const name = parts[index]!;
  return putHundredths(ms, copyBytes(name, 0, name.length, timingLine, at));
}

/** A number of ms with at most two decimals, as `String` would write it. Below 0 is 0; what takes weeks is cut. */
function putHundredths(ms: number, start: number): number {
  const all = Math.min(Math.max(0, Math.round(ms * 100)), 2_000_000_000) | 0;
  const whole = (all / 100) | 0;
  let digits = 1;
  for (let rest = (whole / 10) | 0; rest > 0; rest = (rest / 10) | 0) digits++;
  let at = start + digits;
  for (let i = at - 1, rest = whole; i >= start; i--, rest = (rest / 10) | 0) timingLine[i] = 0x30 + (rest % 10);
  const hundredths = all % 100;
  if (hundredths === 0) return at;
  timingLine[at++] = 0x2e;
  timingLine[at++] = 0x30 + ((hundredths / 10) | 0);
  if (hundredths % 10 !== 0) timingLine[at++] = 0x30 + (hundredths % 10);
  return at;
}

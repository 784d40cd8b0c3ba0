// `Server-Timing` of an answer, written as bytes: every tunnelled request has one.

import { copyBytes } from "../src/lib/bytes.ts";

const parts = ["Server-Timing: edge;dur=", ", policy;dur=", ", queue;dur=", ", tunnel;dur=", ", local;dur="].map(
  (text) => Buffer.from(text),
);
/** Where the last line was written. Valid until the next one. */
export const timingLine = Buffer.allocUnsafeSlow(256);

/** Durations below 10 ms all have four characters: the line is the last one with other digits. */
const shortHundredths = 1_000;
const shortLine = Buffer.from(`${parts.map((part) => `${part.toString()}0.00`).join("")}\r\n`);
/** Where the digits of each duration begin in it. */
const digitsAt = parts.map((_, index) => parts.slice(0, index + 1).reduce((at, part) => at + part.length, 4 * index));
const [edgeAt, policyAt, queueAt, tunnelAt, localAt] = digitsAt as [number, number, number, number, number];
let isShort = false;

/** Writes the line with its CRLF into `timingLine`, durations in ms with two decimals; returns its length. */
export function writeServerTiming(edge: number, policy: number, queue: number, tunnel: number, local: number): number {
  const first = hundredths(edge);
  const second = hundredths(policy);
  const third = hundredths(queue);
  const fourth = hundredths(tunnel);
  const fifth = hundredths(local);
  if (Math.max(first, second, third, fourth, fifth) >= shortHundredths)
    return writeLong([first, second, third, fourth, fifth]);
  if (!isShort) copyBytes(shortLine, 0, shortLine.length, timingLine, 0);
  isShort = true;
  putShort(first, edgeAt);
  putShort(second, policyAt);
  putShort(third, queueAt);
  putShort(fourth, tunnelAt);
  putShort(fifth, localAt);
  return shortLine.length;
}

/** Below 0 is 0; what takes weeks is cut. */
function hundredths(ms: number): number {
  return Math.min(Math.max(0, ms * 100 + 0.5), 2_000_000_000) | 0;
}

function putShort(value: number, at: number): void {
  // Products instead of divisions: exact for values this small.
  const whole = (value * 41) >>> 12;
  const rest = value - whole * 100;
  const tenths = (rest * 103) >>> 10;
  timingLine[at] = 0x30 + whole;
  timingLine[at + 2] = 0x30 + tenths;
  timingLine[at + 3] = 0x30 + rest - tenths * 10;
}

function writeLong(durations: number[]): number {
  isShort = false;
  let at = 0;
  for (const [index, value] of durations.entries()) {
    const name = parts[index]!;
    at = copyBytes(name, 0, name.length, timingLine, at);
    at += timingLine.write((value / 100).toFixed(2), at, "latin1");
  }
  timingLine[at] = 0x0d;
  timingLine[at + 1] = 0x0a;
  return at + 2;
}

// Request ids: unique over all threads and restarts, cheap to make, short to read aloud.

import { randomBytes } from "node:crypto";

const prefix = randomBytes(5).toString("hex");
const prefixBytes = Buffer.from(prefix);
let counter = randomBytes(3).readUIntBE(0, 3);

/** Characters of an id. */
export const requestIdBytes = 18;

/** The number of a new request; most requests are never asked for more. */
export function nextRequest(): number {
  return (counter = (counter + 1) >>> 0);
}

/** The id of a request: 18 lower-case hexadecimal characters. Not a secret. */
export function requestIdOf(request: number): string {
  return prefix + (request + 0x1_0000_0000).toString(16).slice(1);
}

/** Writes `requestIdOf(request)` to `out` at `at`; returns the offset behind. */
export function putRequestId(request: number, out: Uint8Array, at: number): number {
  for (let i = 0; i < prefixBytes.length; i++) out[at + i] = prefixBytes[i]!;
  const end = at + requestIdBytes;
  for (let i = end - 1, rest = request; i >= end - 8; i--, rest >>>= 4) {
    const digit = rest & 15;
    out[i] = digit < 10 ? 0x30 + digit : 0x57 + digit;
  }
  return end;
}

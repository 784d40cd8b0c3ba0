// A request that may be sent once more, when the idle connection that it was written to had just been closed.

import { mayStay } from "../../src/lib/large-reads.ts";
import type { OpenFrame } from "./session-owner.ts";

/** What outlives the frame's memory. */
export function lasting(open: OpenFrame): OpenFrame {
  const { bytes, start, end } = open;
  return mayStay(bytes)
    ? open
    : { ...open, bytes: Buffer.from(bytes.subarray(start, end)), start: 0, end: end - start };
}

/** GET, HEAD or OPTIONS (RFC 9110 9.2.1), told by the first bytes. */
export function isRepeatable(bytes: Buffer, start: number): boolean {
  const first = bytes[start];
  const second = bytes[start + 1];
  if (first === 0x47) return second === 0x45 && bytes[start + 2] === 0x54 && bytes[start + 3] === 0x20;
  if (first === 0x48) return second === 0x45 && bytes[start + 4] === 0x20;
  return first === 0x4f && second === 0x50 && bytes[start + 7] === 0x20;
}

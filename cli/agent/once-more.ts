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

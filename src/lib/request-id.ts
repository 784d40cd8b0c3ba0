// Request ids: unique over all threads and restarts, cheap to make, short to read aloud.

import { randomBytes } from "node:crypto";

const prefix = randomBytes(5).toString("hex");
let counter = randomBytes(3).readUIntBE(0, 3);

/** A fresh id of 18 lower-case hexadecimal characters. Not a secret. */
export function createRequestId(): string {
  counter = (counter + 1) >>> 0;
  return prefix + (counter + 0x1_0000_0000).toString(16).slice(1);
}

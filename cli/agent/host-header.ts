// Another Host for the local service: dev servers refuse names they don't know.

import { latin1 } from "../../src/lib/bytes.ts";

/**
 * `bytes`, a request head as the server writes it (one Host, no folded lines), with the value of its Host header replaced. It may have a few
 * more fields than a visitor's, so it is not parsed as one: the line is looked for.
 */
export function replaceHost(bytes: Buffer, host: string): Buffer {
  for (let line = bytes.indexOf("\r\n") + 2; line >= 2; line = bytes.indexOf("\r\n", line) + 2) {
    if (latin1(bytes, line, Math.min(bytes.length, line + 5)).toLowerCase() !== "host:") continue;
    const end = bytes.indexOf("\r\n", line);
    if (end < 0) break;
    return Buffer.concat([bytes.subarray(0, line + 5), Buffer.from(` ${host}`, "latin1"), bytes.subarray(end)]);
  }
  return bytes;
}

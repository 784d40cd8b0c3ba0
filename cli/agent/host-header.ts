// Another Host for the local service: dev servers refuse names they don't know.

import { Head } from "../../src/http1/head.ts";
import { latin1 } from "../../src/lib/bytes.ts";

const head = new Head();

/** `bytes` with the value of its Host header replaced. The head was written by the server, so it parses; else it stays as it is. */
export function replaceHost(bytes: Buffer, host: string): Buffer {
  if (head.parseRequest(bytes, 0, bytes.length) <= 0 || head.host < 0) return bytes;
  const from = head.valueStart[head.host]!;
  const to = head.valueEnd[head.host]!;
  return Buffer.concat([bytes.subarray(0, from), Buffer.from(host, "latin1"), bytes.subarray(to)]);
}

/** Method and target of a request head, for people. `isRaw`: the bytes are the visitor's address of a TCP stream. */
export function requestLine(
  bytes: Buffer,
  start: number,
  end: number,
  isRaw: boolean,
): { method: string; path: string } {
  if (isRaw) return { method: "TCP", path: latin1(bytes, start, end) };
  const lineEnd = bytes.indexOf(0x0d, start);
  const [method = "", path = ""] = latin1(bytes, start, lineEnd < 0 ? start : lineEnd).split(" ", 2);
  return { method, path };
}

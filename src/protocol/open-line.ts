// What a stream asks for, as people read it.

import { latin1 } from "../lib/bytes.ts";

/** Method and target of an OPEN frame's head. `isRaw`: the bytes are the visitor's address of a TCP stream, and behind a space the one it connected to. */
export function openLine(bytes: Buffer, start: number, end: number, isRaw: boolean): { method: string; path: string } {
  if (isRaw) return { method: "TCP", path: latin1(bytes, start, end).split(" ", 1)[0]! };
  const lineEnd = bytes.indexOf(0x0d, start);
  const [method = "", path = ""] = latin1(bytes, start, lineEnd < 0 ? start : lineEnd).split(" ", 2);
  return { method, path };
}

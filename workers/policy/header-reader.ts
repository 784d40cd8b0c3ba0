// Single header fields of a visitor's request, for the judge.

import type { Head } from "../../src/http1/head.ts";

/** Reads fields by their name in lower case: the value of the only one, null when it is missing or there twice. Valid as long as `head`. */
export function headerReader(head: Head): (name: string) => string | null {
  return (name) => {
    let found: string | null = null;
    for (let i = 0; i < head.count; i++) {
      if (!isNamed(head, i, name)) continue;
      if (found !== null) return null;
      found = head.value(i);
    }
    return found;
  };
}

/** Told by bytes: several names are asked for per request. */
function isNamed(head: Head, index: number, name: string): boolean {
  const start = head.nameStart[index]!;
  if (head.nameEnd[index]! - start !== name.length) return false;
  for (let i = 0; i < name.length; i++) {
    const byte = head.bytes[start + i]!;
    if ((byte >= 0x41 && byte <= 0x5a ? byte | 0x20 : byte) !== name.charCodeAt(i)) return false;
  }
  return true;
}

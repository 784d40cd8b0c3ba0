// Copies of every length arrive where they should, and nowhere else.

import { expect, test } from "bun:test";
import { copyBytes } from "./bytes.ts";

const source = Buffer.from(Array.from({ length: 200 }, (_, i) => i + 1));

test.each([
  ["of a Buffer", source],
  ["of a Uint8Array", new Uint8Array(source.buffer, source.byteOffset, source.length)],
])("%s", (_name, bytes) => {
  for (let length = 0; length <= 100; length++) {
    const out = Buffer.alloc(120);
    expect(copyBytes(bytes, 7, 7 + length, out, 9)).toBe(9 + length);
    const wanted = Buffer.alloc(120);
    wanted.set(source.subarray(7, 7 + length), 9);
    expect(out.equals(wanted)).toBe(true);
  }
});

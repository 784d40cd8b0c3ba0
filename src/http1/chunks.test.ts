// Chunked bodies as written: our own reader gets the same bytes back, and small chunks leave in one write.

import { expect, test } from "bun:test";
import { BodyReader } from "./body.ts";
import { writeChunk, writeLastChunk } from "./chunks.ts";

test.each([1, 15, 16, 255, 4_096, 32_768, 32_769, 100_000])("a chunk of %p bytes reads back", (size) => {
  const writes: Buffer[] = [];
  const to = {
    write: (bytes: Uint8Array, start: number, end: number) => writes.push(Buffer.from(bytes.subarray(start, end))),
  };
  const source = Buffer.alloc(size + 2, "abcdefg");
  writeChunk(to, source, 1, size + 1);
  expect(writes.length).toBe(size <= 32_768 ? 1 : 3);
  writeLastChunk(to, Buffer.from("X-Sum: 1\r\n"));
  const wire = Buffer.concat(writes);
  let body = "";
  let trailers: string | null = null;
  const reader = new BodyReader();
  reader.startChunked();
  const end = reader.read(wire, 0, wire.length, {
    bodyData: (bytes, from, to) => void (body += Buffer.from(bytes.subarray(from, to)).toString("latin1")),
    bodyEnd: (lines) => void (trailers = lines === null ? null : Buffer.from(lines).toString("latin1")),
  });
  expect([end, reader.done, trailers as string | null]).toEqual([wire.length, true, "X-Sum: 1\r\n"]);
  expect(body).toBe(source.toString("latin1", 1, size + 1));
});

test("an end without trailers is the shortest there is", () => {
  for (const none of [null, new Uint8Array(0)]) {
    let written = "";
    writeLastChunk(
      { write: (bytes, start, end) => void (written += Buffer.from(bytes).toString("latin1", start, end)) },
      none,
    );
    expect(written).toBe("0\r\n\r\n");
  }
});

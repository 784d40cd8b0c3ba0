// Properties of the codec over generated input: nothing throws, valid messages round-trip, pieces don't matter.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { mutated, runs, splitOffsets, validRequest, validResponse } from "../../test/helpers/http1-inputs.ts";
import { type MessageKind, parseWithOurs } from "../../test/helpers/parsed-message.ts";
import { cleanTrailers } from "./body.ts";
import { copyFields, FRAMED_CHUNKED, FRAMED_NOT, putChunkSize, requestRules, responseRules } from "./copy.ts";
import { Head } from "./head.ts";

const kinds = [
  ["request", validRequest],
  ["response", validResponse],
] as const;

const latin1 = (text: string): Buffer => Buffer.from(text, "latin1");

describe.each(kinds)("%s", (kind: MessageKind, valid) => {
  test("random bytes never throw", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        parseWithOurs(Buffer.from(bytes), kind);
      }),
      { numRuns: runs(2000) },
    );
  });

  test("a valid message is read as it was meant", () => {
    fc.assert(
      fc.property(valid, valid, (first, second) => {
        const result = parseWithOurs(latin1(first.wire + second.wire), kind);
        const wanted = [first, second].map((message) => ({ ...message, wire: undefined }));
        expect(result).toEqual({ messages: wanted, refused: null, open: false, closed: false });
      }),
      { numRuns: runs(400) },
    );
  });

  test("pieces don't matter, for valid and for broken input", () => {
    const wire = fc.tuple(valid, valid).map(([a, b]) => a.wire + b.wire);
    const cut = fc.oneof(wire, mutated(wire)).chain((text) => fc.tuple(fc.constant(text), splitOffsets(text.length)));
    fc.assert(
      fc.property(cut, ([text, splits]) => {
        const whole = parseWithOurs(latin1(text), kind);
        const pieces = parseWithOurs(latin1(text), kind, splits);
        // Which of two faults is named first may differ; whether and after which messages may not.
        expect({ ...pieces, refused: pieces.refused !== null }).toEqual({ ...whole, refused: whole.refused !== null });
      }),
      { numRuns: runs(1500) },
    );
  });

  test("a copied head is valid again and differs only by the rules", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          valid.map((message) => message.wire),
          mutated(valid.map((m) => m.wire)),
        ),
        (wire) => {
          const bytes = latin1(wire);
          const head = new Head();
          const end =
            kind === "request" ? head.parseRequest(bytes, 0, bytes.length) : head.parseResponse(bytes, 0, bytes.length);
          if (end <= 0) return;
          const framing = head.chunked ? FRAMED_CHUNKED : head.contentLength >= 0 ? head.contentLength : FRAMED_NOT;
          const out = Buffer.alloc(bytes.length + 64);
          const fieldsEnd = copyFields(head, kind === "request" ? requestRules : responseRules, framing, out, 0);
          const start = kind === "request" ? "GET / HTTP/1.1\r\n" : "HTTP/1.1 200 OK\r\n";
          const copy = latin1(`${start}${out.toString("latin1", 0, fieldsEnd)}\r\n`);
          const again = new Head();
          const parsed =
            kind === "request" ? again.parseRequest(copy, 0, copy.length) : again.parseResponse(copy, 0, copy.length);
          expect(parsed).toBe(copy.length);
          expect([again.chunked, again.contentLength]).toEqual([head.chunked, head.contentLength]);
          expect(again.hop.subarray(0, again.count)).not.toContain(1);
        },
      ),
      { numRuns: runs(800) },
    );
  });
});

test("trailers: random lines never throw, what is kept is clean and stays clean", () => {
  const line = fc
    .tuple(fc.string({ maxLength: 8 }), fc.string({ maxLength: 8 }))
    .map(([name, value]) => `${name}:${value}\r\n`);
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(line).map((lines) => latin1(lines.join(""))),
        fc.uint8Array().map((b) => Buffer.from(b)),
      ),
      (lines) => {
        const kept = cleanTrailers(lines);
        if (kept !== undefined) expect(cleanTrailers(kept)).toEqual(kept);
      },
    ),
    { numRuns: runs(1000) },
  );
});

test("a chunk size reads back", () => {
  fc.assert(
    fc.property(fc.nat({ max: 0x7fff_ffff }), (bytes) => {
      const out = Buffer.alloc(16);
      const end = putChunkSize(bytes, out, 0);
      expect([parseInt(out.toString("latin1", 0, end - 2), 16), out.toString("latin1", end - 2, end)]).toEqual([
        bytes,
        "\r\n",
      ]);
    }),
    { numRuns: runs(500) },
  );
});

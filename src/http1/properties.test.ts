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

  test("a copied head is valid again, framed the same, and without what belongs to one hop", () => {
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

describe("header rules", () => {
  const hop = "Connection Keep-Alive Proxy-Connection Proxy-Authenticate Proxy-Authorization TE Upgrade".split(" ");
  const identity =
    "Forwarded X-Forwarded-For X-Forwarded-Proto X-Forwarded-Any X-Real-IP X-Request-Id X-Digit-Link-User".split(" ");
  const others =
    "X-A Cookie Accept-Language X-Forwarded X-Real-IPs TE- Proxy X-Digit Forwarded-By X.Forwarded.For".split(" ");
  const canonical = (name: string): string => name.toLowerCase().replaceAll("_", "-");
  const spelling = (names: string[]): fc.Arbitrary<string> =>
    fc
      .tuple(fc.constantFrom(...names), fc.constantFrom("as it is", "lower", "upper"), fc.boolean())
      .map(([name, how, isUnderscored]) => {
        const cased = how === "lower" ? name.toLowerCase() : how === "upper" ? name.toUpperCase() : name;
        return isUnderscored ? cased.replaceAll("-", "_") : cased;
      });
  const value = fc.constantFrom("", "1", "a, b", "caf\xe9 ", "x:y");
  const field = fc.tuple(spelling([...hop.slice(1), ...identity, ...others]), value);
  /** What `Connection` says; it can take neither Host nor the framing away. */
  const connection = fc
    .tuple(spelling(["Connection"]), fc.array(spelling([...others, "Host", "Content-Length"]), { maxLength: 3 }))
    .map(([name, named]): [string, string] => [name, ["keep-alive", ...named].join(" ,\t")]);
  const fields = fc.array(fc.oneof(field, field, field, connection), { maxLength: 12 });

  test.each([
    ["request", "GET / HTTP/1.1\r\nHost: a\r\n", requestRules],
    ["response", "HTTP/1.1 200 OK\r\nHost: a\r\n", responseRules],
  ] as const)("of a %s exactly what no rule names goes on, byte for byte and in its order", (kind, start, rules) => {
    const dropped = { hop: 0, named: 0, identity: 0, none: 0 };
    fc.assert(
      fc.property(fields, (sent) => {
        const named = new Set(
          sent
            .filter(([name]) => canonical(name) === "connection")
            .flatMap(([, options]) => options.split(",").map((option) => canonical(option.trim()))),
        );
        const why = (name: string): keyof typeof dropped => {
          if (hop.some((one) => canonical(one) === name)) return "hop";
          if (named.has(name)) return "named";
          const isIdentity =
            identity.some((one) => canonical(one) === name) || /^x-(forwarded|digit-link)-./.test(name);
          return kind === "request" && isIdentity ? "identity" : "none";
        };
        const lines = sent.map(([name, text]) => ({ line: `${name}: ${text}\r\n`, why: why(canonical(name)) }));
        for (const one of lines) dropped[one.why]++;
        const bytes = latin1(`${start}${lines.map(({ line }) => line).join("")}\r\n`);
        const head = new Head();
        const end =
          kind === "request" ? head.parseRequest(bytes, 0, bytes.length) : head.parseResponse(bytes, 0, bytes.length);
        expect(end).toBe(bytes.length);
        const out = Buffer.alloc(bytes.length + 64);
        const copied = out.toString("latin1", 0, copyFields(head, rules, FRAMED_NOT, out, 0));
        const kept = lines.filter((one) => one.why === "none").map(({ line }) => line);
        expect(copied).toBe(`Host: a\r\n${kept.join("")}`);
      }),
      { numRuns: runs(1_000) },
    );
    expect(Math.min(...Object.values(kind === "request" ? dropped : { ...dropped, identity: 100 }))).toBeGreaterThan(
      99,
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

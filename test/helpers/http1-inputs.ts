// Generators of HTTP/1.1 input for property tests: valid messages, and mutations that attack the grammar.

import fc from "fast-check";

/** Method names that every party knows. */
const commonMethods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND", "M-SEARCH"];

const tokenText = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
const targetText = tokenText.replace("#", "") + '/?=;:@()[]{}<>",%';
const valueText = tokenText + ' \t/?=;:@()[]{}<>"\\,\x80\xa0\xe9\xff';

const textOf = (alphabet: string, minLength: number, maxLength: number): fc.Arbitrary<string> =>
  fc.array(fc.constantFrom(...alphabet), { minLength, maxLength }).map((chars) => chars.join(""));

/** A field name that has no meaning for framing or routing. */
const plainName = textOf(tokenText, 1, 12).map((name) => `X-${name}`);
const fieldValue = textOf(valueText, 0, 24).map((value) => value.replace(/^[ \t]+|[ \t]+$/g, ""));

const field = fc.tuple(plainName, fieldValue);
const bodyText = fc.oneof(textOf("ab\r\n0\0\xff: GET/HTTP1.", 0, 60), textOf("x", 0, 3));

/** One chunk-coded body with its wire form. */
const chunkedBody = fc
  .tuple(
    fc.array(
      fc.record({
        data: textOf("ab\r\n0\xff", 1, 20),
        zeros: fc.constantFrom("", "0", "000"),
        upper: fc.boolean(),
        extension: fc.constantFrom("", ";a", ";a=b", ';a="b c"', ";a=b;c=d"),
      }),
      { maxLength: 4 },
    ),
    fc.array(field, { maxLength: 2 }),
  )
  .map(([chunks, trailers]) => ({
    body: chunks.map((chunk) => chunk.data).join(""),
    wire:
      chunks
        .map(({ data, zeros, upper, extension }) => {
          const size = data.length.toString(16);
          return `${zeros}${upper ? size.toUpperCase() : size}${extension}\r\n${data}\r\n`;
        })
        .join("") + `0\r\n${trailers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}\r\n`,
    trailers,
  }));

/** A valid message and what a right parser makes of it. */
export interface GeneratedMessage {
  wire: string;
  method: string;
  target: string;
  status: number;
  fields: [string, string][];
  body: string;
  trailers: [string, string][];
}

const framing = fc.oneof(
  fc.constant({ field: null, body: "", wire: "", trailers: [] as [string, string][] }),
  fc.tuple(bodyText, fc.constantFrom("", "0", "00")).map(([body, zeros]) => ({
    field: ["Content-Length", `${zeros}${body.length}`] as [string, string],
    body,
    wire: body,
    trailers: [] as [string, string][],
  })),
  chunkedBody.map((chunked) => ({ field: ["Transfer-Encoding", "chunked"] as [string, string], ...chunked })),
);

const padded = (fields: [string, string][], pads: string[]): string =>
  fields.map(([name, value], i) => `${name}:${pads[i % pads.length]}${value}\r\n`).join("");

const pads = fc.array(fc.constantFrom("", " ", "\t", "  \t"), { minLength: 1, maxLength: 3 });

export const validRequest: fc.Arbitrary<GeneratedMessage> = fc
  .record({
    method: fc.constantFrom(...commonMethods),
    path: textOf(targetText, 0, 20),
    host: fc.constantFrom("a.example", "A.Example:8080", "demo.localhost."),
    before: fc.array(field, { maxLength: 4 }),
    after: fc.array(field, { maxLength: 4 }),
    framing,
    pads,
  })
  .map(({ method, path, host, before, after, framing, pads }) => {
    const fields: [string, string][] = [...before, ["Host", host], ...(framing.field ? [framing.field] : []), ...after];
    const target = `/${path}`;
    return {
      wire: `${method} ${target} HTTP/1.1\r\n${padded(fields, pads)}\r\n${framing.wire}`,
      method,
      target,
      status: 0,
      fields,
      body: framing.body,
      trailers: framing.trailers,
    };
  });

export const validResponse: fc.Arbitrary<GeneratedMessage> = fc
  .record({
    status: fc.constantFrom(200, 201, 206, 302, 404, 418, 500, 599),
    reason: textOf("abc OK'\xe9", 0, 10),
    fields: fc.array(field, { maxLength: 5 }),
    framing,
    pads,
  })
  .filter(({ framing }) => framing.field !== null)
  .map(({ status, reason, fields: plain, framing, pads }) => {
    const fields: [string, string][] = [...plain, framing.field!];
    return {
      wire: `HTTP/1.1 ${status} ${reason}\r\n${padded(fields, pads)}\r\n${framing.wire}`,
      method: "",
      target: "",
      status,
      fields,
      body: framing.body,
      trailers: framing.trailers,
    };
  });

const attacks = [
  "\r",
  "\n",
  "\r\n",
  "\n\n",
  "\r\r\n",
  "\r\n\r\n",
  "\0",
  "\x0b",
  "\x0c",
  "\x7f",
  "\x85",
  "\xff",
  " ",
  "\t",
  ":",
  ",",
  ";",
  "+",
  "-",
  "0x",
  "_",
  "0",
  "00",
  "5",
  "a",
  "F",
  "g",
  "0\r\n\r\n",
  "5\r\nhello\r\n",
  "ffffffffffffffff\r\n",
  "100000000\r\n",
  ";a=b",
  ';a="b\r\n"',
  ';"',
  ";=",
  "; a = b",
  ";\xff",
  "Content-Length: 5\r\n",
  "Content-Length: 0\r\n",
  "content-length:3\r\n",
  "Content-Length: 5, 5\r\n",
  "Content_Length: 5\r\n",
  "Content-Length : 5\r\n",
  "Content-Length: +5\r\n",
  "Content-Length: \r\n",
  "Content-Length: 0005\r\n",
  "Transfer-Encoding: chunked\r\n",
  "Transfer-Encoding: Chunked\r\n",
  "Transfer-Encoding: identity\r\n",
  "transfer-encoding:\tchunked \r\n",
  "Transfer-Encoding: chunked, chunked\r\n",
  "Transfer-Encoding: gzip, chunked\r\n",
  "Transfer-Encoding:\r\n chunked\r\n",
  "Transfer_Encoding: chunked\r\n",
  "Transfer-Encoding\x0b: chunked\r\n",
  "Host: b\r\n",
  "Host:\r\n",
  " folded\r\n",
  "\tfolded\r\n",
  "Connection: close\r\n",
  "Connection: keep-alive\r\n",
  "Connection: upgrade\r\nUpgrade: websocket\r\n",
  "Connection: content-length\r\n",
  "Connection: close, X-a\r\n",
  "Trailer: x\r\n",
  "TE: trailers\r\n",
  "Expect: 100-continue\r\n",
  "HTTP/1.0",
  "HTTP/1.1",
  "HTTP/1.2",
  "HTTP/2.0",
  "HTTP/0.9",
  "http/1.1",
  "HTTP/1.1 ",
  "GET",
  "POST",
  "get",
  "CONNECT a:1",
  "GET / HTTP/1.1\r\nHost: c\r\n\r\n",
  "http://h/",
  "//",
  "*",
  "#",
  "\\",
  "%00",
];

const mutation = fc.record({
  at: fc.nat({ max: 1_000_000 }),
  action: fc.constantFrom("insert", "replace", "delete", "line"),
  text: fc.oneof(fc.constantFrom(...attacks), textOf("\0\t\n\r !+,-.:;=_0159afAF\x7f\xff", 1, 2)),
  length: fc.nat({ max: 4 }),
});

/** `wire` with up to four places broken. */
export function mutated(wire: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.tuple(wire, fc.array(mutation, { minLength: 1, maxLength: 4 })).map(([text, mutations]) => {
    let result = text;
    for (const { at, action, text: inserted, length } of mutations) {
      const place = at % (result.length + 1);
      if (action === "line") {
        // At the start of some line, where whole field lines do most harm.
        const lineStart = result.indexOf("\r\n", place);
        const cut = lineStart < 0 ? 0 : lineStart + 2;
        result = result.slice(0, cut) + inserted + result.slice(cut);
      } else if (action === "insert") result = result.slice(0, place) + inserted + result.slice(place);
      else if (action === "replace") result = result.slice(0, place) + inserted + result.slice(place + length);
      else result = result.slice(0, place) + result.slice(place + length + 1);
    }
    return result;
  });
}

/** Sorted offsets at which an input of `length` bytes is cut into pieces. */
export function splitOffsets(length: number): fc.Arbitrary<number[]> {
  return fc.array(fc.nat({ max: length }), { maxLength: 8 }).map((offsets) => offsets.toSorted((a, b) => a - b));
}

// The same cases every time, so that a commit's tests answer for that commit; the soak run looks further.
if (process.env.SOAK === undefined) fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: 1147190455 });

/** How many cases a property runs: `usual`, times SOAK when that is set (`bun run soak`). */
export function runs(usual: number): number {
  return usual * Math.max(1, Number(process.env.SOAK ?? "1") || 1);
}

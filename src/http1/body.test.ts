// Body framing, rule by rule: lengths, chunks, extensions, trailers, and any way of cutting them into pieces.

import { describe, expect, test } from "bun:test";
import { BodyReader, cleanTrailers } from "./body.ts";

interface Outcome {
  data: string;
  trailers: string | null | undefined;
  used: number;
  done: boolean;
  refused: string;
}

type Start = "chunked" | "close" | number;

/** Feeds `wire` in pieces that end at `splits`, handing what was not used over to the next piece. */
function readBody(start: Start, wire: string, splits: number[] = []): Outcome {
  const reader = new BodyReader();
  if (start === "chunked") reader.startChunked();
  else if (start === "close") reader.startUntilClose();
  else reader.startLength(start);
  const outcome: Outcome = { data: "", trailers: undefined, used: 0, done: false, refused: "" };
  const sink = {
    bodyData(bytes: Uint8Array, from: number, to: number): void {
      expect(to).toBeGreaterThan(from);
      outcome.data += Buffer.from(bytes.slice(from, to)).toString("latin1");
    },
    bodyEnd(trailers: Uint8Array | null): void {
      expect(outcome.trailers).toBeUndefined();
      outcome.trailers = trailers === null ? null : Buffer.from(trailers).toString("latin1");
    },
  };
  let from = 0;
  for (const to of [...splits, wire.length]) {
    // A larger buffer around the piece shows reads beyond its ends.
    const bytes = Buffer.from(`0\r\n${wire.slice(from, to)}0\r\n\r\n`, "latin1");
    const end = reader.read(bytes, 3, 3 + to - from, sink);
    if (end < 0) return { ...outcome, refused: reader.detail };
    outcome.used += end - 3;
    if (reader.done) break;
    expect(end).toBe(3 + to - from);
    from = to;
  }
  expect(reader.received).toBe(outcome.data.length);
  return { ...outcome, done: reader.done };
}

describe("bodies with a length", () => {
  test("what is behind stays", () => {
    expect(readBody(5, "hellomore")).toMatchObject({ data: "hello", used: 5, done: true, trailers: null });
  });
  test("split everywhere", () => {
    for (let at = 0; at <= 5; at++) expect(readBody(5, "hello", [at])).toMatchObject({ data: "hello", done: true });
  });
  test("an unfinished one is not done", () => {
    expect(readBody(6, "hello")).toMatchObject({ data: "hello", done: false, trailers: undefined });
    const reader = new BodyReader();
    reader.startLength(6);
    expect(reader.closed()).toBe(false);
  });
  test("length 0 is done at once and says nothing", () => {
    expect(readBody(0, "more")).toMatchObject({ data: "", used: 0, done: true, trailers: undefined });
  });
});

describe("bodies in chunks, many of them", () => {
  const one = "9\r\n123456789\r\n";

  test("have sizes of their own", () => {
    expect(readBody("chunked", `${one.repeat(20)}0\r\n\r\n`)).toMatchObject({
      data: "123456789".repeat(20),
      done: true,
    });
    expect(readBody("chunked", `${one}\r\n\r\n`).refused).toBe("a chunk size is not hexadecimal");
  });

  test("follow each other on one connection, whatever framed the body before", () => {
    const reader = new BodyReader();
    const heard: string[] = [];
    const sink = {
      bodyData: (bytes: Uint8Array, from: number, to: number) =>
        void heard.push(Buffer.from(bytes.slice(from, to)).toString()),
      bodyEnd: (trailers: Uint8Array | null) => void heard.push(`end ${trailers?.length ?? 0}`),
    };
    const starts = [
      () => reader.startChunked(),
      () => reader.startLength(2),
      () => reader.startNone(),
      () => reader.startChunked(),
    ];
    for (const [i, wire] of ["1\r\na\r\n0\r\nX: 1\r\n\r\n", "bc", "", "1\r\nd\r\n0\r\n\r\n"].entries()) {
      starts[i]!();
      expect([reader.read(Buffer.from(`${wire}more`), 0, wire.length + 4, sink), reader.done]).toEqual([
        wire.length,
        true,
      ]);
    }
    expect(heard).toEqual(["a", "end 6", "bc", "end 0", "d", "end 0"]);
  });
});

describe("bodies until the connection closes", () => {
  test("only the close ends them", () => {
    expect(readBody("close", "hello", [0, 2, 2])).toMatchObject({ data: "hello", done: false });
    const reader = new BodyReader();
    reader.startUntilClose();
    expect([reader.done, reader.closed(), reader.done]).toEqual([false, true, true]);
  });
});

describe("chunked bodies", () => {
  const good: Record<string, [wire: string, data: string, trailers: string | null]> = {
    empty: ["0\r\n\r\n", "", null],
    "one chunk": ["5\r\nhello\r\n0\r\n\r\n", "hello", null],
    several: ["1\r\na\r\n2\r\nbc\r\n3\r\ndef\r\n0\r\n\r\n", "abcdef", null],
    "hexadecimal in both cases": ["A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789", null],
    "leading zeros": ["0005\r\nhello\r\n000\r\n\r\n", "hello", null],
    "data that looks like framing": ["7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n", null],
    extensions: ['5;a;b=c;d="e f";g=""\r\nhello\r\n0;x\r\n\r\n', "hello", null],
    trailers: ["0\r\nA: b\r\nX-C:d\r\n\r\n", "", "A: b\r\nX-C:d\r\n"],
    "empty trailer value": ["0\r\nA:\r\n\r\n", "", "A:\r\n"],
    "8-bit trailer value": ["0\r\nA: \xe9\r\n\r\n", "", "A: \xe9\r\n"],
    grpc: ["0\r\ngrpc-status: 0\r\ngrpc-message: ok\r\n\r\n", "", "grpc-status: 0\r\ngrpc-message: ok\r\n"],
    "only forbidden trailers": ["0\r\nHost: evil\r\n\r\n", "", null],
  };

  test.each(Object.entries(good))("%s, whole, split at every byte, and byte by byte", (_, [wire, data, trailers]) => {
    const expected = { data, trailers, used: wire.length, done: true, refused: "" };
    const whole = `${wire}GET / HTTP/1.1\r\n`;
    expect(readBody("chunked", whole)).toEqual(expected);
    for (let at = 0; at <= wire.length; at++) expect(readBody("chunked", whole, [at])).toEqual(expected);
    expect(
      readBody(
        "chunked",
        whole,
        Array.from(whole, (_, i) => i),
      ),
    ).toEqual(expected);
  });

  test("an extension of 255 bytes behind its semicolon passes, at every chunk", () => {
    const chunk = `5;${"a".repeat(255)}\r\nhello\r\n`;
    expect(readBody("chunked", `${chunk}${chunk}0\r\n\r\n`)).toMatchObject({ data: "hellohello", done: true });
  });

  test("nothing is read once it is done", () => {
    const reader = new BodyReader();
    const silent = { bodyData: () => expect.unreachable(), bodyEnd: () => undefined };
    reader.startChunked();
    const bytes = Buffer.from("0\r\n\r\n0\r\n\r\n");
    expect(reader.read(bytes, 0, bytes.length, silent)).toBe(5);
    expect(reader.read(bytes, 5, bytes.length, silent)).toBe(5);
    reader.startLength(0);
    expect(reader.read(bytes, 5, bytes.length, silent)).toBe(5);
  });

  test("a chunk of twelve digits is counted exactly", () => {
    expect(readBody("chunked", "ffffffffffff\r\nabc")).toMatchObject({ data: "abc", done: false, refused: "" });
  });
});

describe("security", () => {
  const bad: Record<string, string> = {
    "no size": "\r\nhello\r\n0\r\n\r\n",
    "size with 0x": "0x5\r\nhello\r\n0\r\n\r\n",
    "size with a plus": "+5\r\nhello\r\n0\r\n\r\n",
    "size with a minus": "-5\r\nhello\r\n0\r\n\r\n",
    "size with a leading space": " 5\r\nhello\r\n0\r\n\r\n",
    "size with a trailing space": "5 \r\nhello\r\n0\r\n\r\n",
    "size with a trailing tab": "5\t\r\nhello\r\n0\r\n\r\n",
    "size with _": "1_0\r\nhello\r\n0\r\n\r\n",
    "size not hexadecimal": "g\r\nhello\r\n0\r\n\r\n",
    "size with a letter behind": "5g\r\nhello\r\n0\r\n\r\n",
    "size of thirteen digits": "0000000000005\r\nhello\r\n0\r\n\r\n",
    "size beyond 64 bits": "10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size with NUL": "5\0\r\nhello\r\n0\r\n\r\n",
    "size line ends with LF": "5\nhello\r\n0\r\n\r\n",
    "size line ends with CR": "5\rhello\r\n0\r\n\r\n",
    "size line ends with CR X": "5\rXhello\r\n0\r\n\r\n",
    "size line ends with CR CR LF": "5\r\r\nhello\r\n0\r\n\r\n",
    "data longer than its size": "4\r\nhello\r\n0\r\n\r\n",
    "data shorter than its size": "6\r\nhello\r\n0\r\n\r\n",
    "data ends with LF": "5\r\nhello\n0\r\n\r\n",
    "data ends with CR": "5\r\nhello\r0\r\n\r\n",
    "data ends with X LF": "5\r\nhelloX\n0\r\n\r\n",
    "data ends with CR X": "5\r\nhello\rX0\r\n\r\n",
    "data has no end": "5\r\nhello0\r\n\r\n",
    "empty line between chunks": "5\r\nhello\r\n\r\n0\r\n\r\n",
    "extension with LF": "5;a\nhello\r\n0\r\n\r\n",
    "extension with CR": "5;a\rb\r\nhello\r\n0\r\n\r\n",
    "extension with NUL": "5;a\0\r\nhello\r\n0\r\n\r\n",
    "extension with an 8-bit byte": "5;a=\xff\r\nhello\r\n0\r\n\r\n",
    "extension without a name": "5;\r\nhello\r\n0\r\n\r\n",
    "extension without a name but a value": "5;=a\r\nhello\r\n0\r\n\r\n",
    // Whoever knows quoted pairs doesn't see its end here.
    "extension that ends in a quoted pair": '5;a="\\"\r\nhello\r\n0\r\n\r\n',
    "extension whose quote begins with another byte": '5;a=(b"\r\nhello\r\n0\r\n\r\n',
    "extension without a value": "5;a=\r\nhello\r\n0\r\n\r\n",
    "extension with two =": "5;a==b\r\nhello\r\n0\r\n\r\n",
    "extension with a space": "5; a\r\nhello\r\n0\r\n\r\n",
    "extension with spaces before ;": "5 ;a\r\nhello\r\n0\r\n\r\n",
    "extension with an open quote": '5;a="b\r\nhello\r\n0\r\n\r\n',
    "extension with a quote inside": '5;a=b"c"\r\nhello\r\n0\r\n\r\n',
    "extension with text behind the quote": '5;a="b"c\r\nhello\r\n0\r\n\r\n',
    "extension with a quoted pair": '5;a="b\\"c"\r\nhello\r\n0\r\n\r\n',
    "extension with a quoted name": '5;"a"=b\r\nhello\r\n0\r\n\r\n',
    "extension too long": `5;${"a".repeat(256)}\r\nhello\r\n0\r\n\r\n`,
    "trailer without a colon": "0\r\nabc\r\n\r\n",
    "trailer without a name": "0\r\n: abc\r\n\r\n",
    "trailer with a space before the colon": "0\r\nA : b\r\n\r\n",
    "trailer folded": "0\r\nA: b\r\n c\r\n\r\n",
    "trailer starts with a space": "0\r\n A: b\r\n\r\n",
    "trailer with NUL": "0\r\nA: \0\r\n\r\n",
    "trailer with CR": "0\r\nA: b\rc\r\n\r\n",
    "trailer with LF": "0\r\nA: b\nC: d\r\n\r\n",
    "trailer with NUL LF": "0\r\nA: b\0\nC: d\r\n\r\n",
    "trailer with LF, not yet complete": "0\r\nA: b\n",
    "trailers begin with LF, not yet complete": "0\r\n\nA",
    "trailers end with LF LF": "0\r\nA: b\n\n\r\n\r\n",
    "last line ends with CR": "0\r\n\rX",
    "last line ends with LF": "0\r\n\n\r\n\r\n",
    "Content-Length as a trailer": "0\r\nContent-Length: 5\r\n\r\n",
    "Transfer-Encoding as a trailer": "0\r\ntransfer-encoding: chunked\r\n\r\n",
    "Content_Length as a trailer": "0\r\ncontent_length: 5\r\n\r\n",
    "a request as trailers": "0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "trailers too large": `0\r\n${`A: ${"b".repeat(1000)}\r\n`.repeat(17)}\r\n`,
  };

  test.each(Object.entries(bad))("refused, whole, split at every byte, and byte by byte: %s", (_, wire) => {
    const whole = readBody("chunked", wire);
    expect(whole.done).toBe(false);
    expect(whole.refused).not.toBe("");
    const step = wire.length > 1000 ? 97 : 1;
    for (let at = 0; at <= wire.length; at += step) expect(readBody("chunked", wire, [at]).refused).not.toBe("");
    const offsets = Array.from(wire, (_, i) => i).filter((i) => i % step === 0);
    expect(readBody("chunked", wire, offsets).refused).not.toBe("");
  });

  test("an unfinished body is never done, wherever it is cut", () => {
    const wire = "5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for (let length = 0; length < wire.length; length++)
      expect(readBody("chunked", wire.slice(0, length))).toMatchObject({
        done: false,
        refused: "",
        trailers: undefined,
      });
  });

  test("trailers of 16 KiB pass, and are refused before they are buffered without end", () => {
    const line = `A: ${"b".repeat(1020)}\r\n`;
    expect(readBody("chunked", `0\r\n${line.repeat(15)}\r\n`).trailers?.length).toBe(15 * line.length);
    const endless = `0\r\nA: ${"b".repeat(40_000)}`;
    expect(readBody("chunked", endless).refused).not.toBe("");
    expect(readBody("chunked", endless, [100, 10_000, 20_000]).refused).not.toBe("");
  });

  test.each([
    "Host",
    "CONNECTION",
    "keep-alive",
    "Keep_Alive",
    "Upgrade",
    "TE",
    "Proxy-Authorization",
    "Forwarded",
    "X-Forwarded-For",
    "x_forwarded_for",
    "X-Forwarded-Anything",
    "X-Real-IP",
    "X-Request-Id",
    "X-Digit-Link-User",
    "x_digit-LINK_user",
    "Authorization",
    "Cookie",
    "Set-Cookie",
    "X-Api-Key",
    "Expect",
  ])("trailer %s is dropped, its neighbours stay", (name) => {
    const lines = Buffer.from(`A: 1\r\n${name}: evil\r\nB: 2\r\n`);
    expect(Buffer.from(cleanTrailers(lines)!).toString()).toBe("A: 1\r\nB: 2\r\n");
  });

  test("trailers whose last line is cut are malformed", () => {
    for (const lines of ["A", "A:", "A: b", "A: b\r", "A: b\n"])
      expect(cleanTrailers(Buffer.from(lines))).toBeUndefined();
  });
});

// WebSocket frames: what a peer may send, in whatever pieces, and what it may not.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { WebSocketError, WebSocketReader } from "./websocket.ts";
import { acceptKey, applyMask, closeFrame, pongFrame, writeBinaryHeader } from "./websocket-frames.ts";

const maxBytes = 200_000;

interface Frame {
  opcode: number;
  payload: Buffer;
  fin?: boolean;
  masked?: boolean;
  reserved?: number;
  /** Writes the length in this form although a shorter one would do. */
  form?: "short" | "16" | "64";
}

/** A client's frame as RFC 6455 5.2 has it, written by the letter. */
function clientFrame({ opcode, payload, fin = true, masked = true, reserved = 0, form }: Frame): Buffer {
  const used = form ?? (payload.length < 126 ? "short" : payload.length < 65_536 ? "16" : "64");
  const length = Buffer.alloc(used === "short" ? 0 : used === "16" ? 2 : 8);
  if (used === "16") length.writeUInt16BE(payload.length);
  if (used === "64") length.writeBigUInt64BE(BigInt(payload.length));
  const code = used === "short" ? payload.length : used === "16" ? 126 : 127;
  const first = Buffer.from([(fin ? 0x80 : 0) | reserved | opcode, (masked ? 0x80 : 0) | code]);
  if (!masked) return Buffer.concat([first, length, payload]);
  const mask = crypto.getRandomValues(Buffer.alloc(4));
  return Buffer.concat([first, length, mask, payload.map((byte, i) => byte ^ mask[i % 4]!)]);
}

/** Reads chunks (copied: the reader changes them) and notes what comes out. */
function read(chunks: readonly Buffer[], isMasked = true): string[] {
  const heard: string[] = [];
  let pieces = "";
  const sink = {
    message(bytes: Buffer, start: number, end: number, isLast: boolean) {
      pieces += bytes.toString("hex", start, end);
      if (!isLast) return;
      heard.push(`message ${pieces}`);
      pieces = "";
    },
    ping: (payload: Buffer) => void heard.push(`ping ${payload.toString("hex")}`),
    closing: (code: number, reason: string) => void heard.push(`closing ${code} ${reason}`),
  };
  const reader = new WebSocketReader(sink, maxBytes, isMasked);
  try {
    // At an odd offset, so that words are not aligned by chance.
    for (const chunk of chunks) reader.read(Buffer.concat([Buffer.alloc(3), chunk]).subarray(3));
  } catch (error) {
    if (!(error instanceof WebSocketError)) throw error;
    heard.push(`error ${error.code}`);
  }
  return heard;
}

const binary = (payload: Buffer, more: Partial<Frame> = {}): Buffer => clientFrame({ opcode: 2, payload, ...more });
const message = (payload: Buffer): string => `message ${payload.toString("hex")}`;

describe("reading", () => {
  for (const size of [0, 1, 3, 31, 32, 33, 125, 126, 127, 65_535, 65_536, 150_001]) {
    test(`a message of ${size} bytes`, () => {
      const payload = crypto.getRandomValues(Buffer.alloc(Math.min(size, 60_000)));
      const whole = Buffer.concat([payload, Buffer.alloc(size - payload.length, 7)]);
      expect(read([binary(whole)])).toEqual([message(whole)]);
    });
  }

  test("any sequence of frames means the same however it is cut", () => {
    const control = fc.record({ kind: fc.constant("ping"), payload: fc.uint8Array({ maxLength: 125 }) });
    const data = fc.record({
      kind: fc.constant("data"),
      parts: fc.array(fc.uint8Array({ maxLength: 300 }), { minLength: 1, maxLength: 4 }),
    });
    fc.assert(
      fc.property(
        fc.array(fc.oneof(control, data), { maxLength: 8 }),
        fc.array(fc.nat(1_000), { maxLength: 12 }),
        (units, cuts) => {
          const frames: Buffer[] = [];
          const expected: string[] = [];
          for (const unit of units) {
            if ("payload" in unit) {
              frames.push(clientFrame({ opcode: 9, payload: Buffer.from(unit.payload) }));
              expected.push(`ping ${Buffer.from(unit.payload).toString("hex")}`);
            } else {
              unit.parts.forEach((part, i) =>
                frames.push(
                  clientFrame({
                    opcode: i === 0 ? 2 : 0,
                    payload: Buffer.from(part),
                    fin: i === unit.parts.length - 1,
                  }),
                ),
              );
              expected.push(message(Buffer.concat(unit.parts)));
            }
          }
          const bytes = Buffer.concat(frames);
          const at = [0, ...cuts.map((cut) => cut % (bytes.length + 1)).sort((a, b) => a - b), bytes.length];
          expect(read(at.slice(1).map((end, i) => bytes.subarray(at[i]!, end)))).toEqual(expected);
        },
      ),
      { numRuns: 300 },
    );
  });

  test("messages of the largest size, one after the other, whose headers come byte by byte", () => {
    const largest = Buffer.alloc(maxBytes, 7);
    const bytes = binary(largest);
    const pieces = [...Array.from({ length: 14 }, (_, i) => bytes.subarray(i, i + 1)), bytes.subarray(14)];
    expect(read([...pieces, ...pieces])).toEqual([message(largest), message(largest)]);
  });

  test("byte by byte, with a ping between two fragments", () => {
    const first = binary(Buffer.from("one "), { fin: false });
    const ping = clientFrame({ opcode: 9, payload: Buffer.from("?") });
    const bytes = Buffer.concat([first, ping, clientFrame({ opcode: 0, payload: Buffer.from("two") })]);
    const pieces = Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
    expect(read(pieces)).toEqual(["ping 3f", message(Buffer.from("one two"))]);
  });

  test("close frames, with and without a reason; nothing is read after one", () => {
    const close = Buffer.concat([Buffer.from([0x0f, 0xa0]), Buffer.from("bye")]);
    expect(read([clientFrame({ opcode: 8, payload: close }), binary(Buffer.from("late"))])).toEqual([
      "closing 4000 bye",
    ]);
    expect(read([clientFrame({ opcode: 8, payload: Buffer.alloc(0) })])).toEqual(["closing 1005 "]);
    expect(read([clientFrame({ opcode: 10, payload: Buffer.from("pong") })])).toEqual([]);
  });
});

describe("security", () => {
  const payload = Buffer.from("payload");
  const refused: [string, Buffer[], number][] = [
    ["an unmasked frame", [binary(payload, { masked: false })], 1002],
    ["the first reserved bit", [binary(payload, { reserved: 0x40 })], 1002],
    ["the second reserved bit", [binary(payload, { reserved: 0x20 })], 1002],
    ["the last reserved bit", [binary(payload, { reserved: 0x10 })], 1002],
    ["text", [clientFrame({ opcode: 1, payload })], 1003],
    ["an unknown data frame", [clientFrame({ opcode: 3, payload })], 1002],
    ["an unknown control frame", [clientFrame({ opcode: 11, payload })], 1002],
    ["a fragmented control frame", [clientFrame({ opcode: 9, payload, fin: false })], 1002],
    ["a control frame that is too long", [clientFrame({ opcode: 9, payload: Buffer.alloc(126) })], 1002],
    ["a continuation of nothing", [clientFrame({ opcode: 0, payload })], 1002],
    ["a new message inside another", [binary(payload, { fin: false }), binary(payload)], 1002],
    ["a close code of one byte", [clientFrame({ opcode: 8, payload: Buffer.from([3]) })], 1002],
    ["a 16-bit length below 126", [binary(payload, { form: "16" })], 1002],
    ["a 16-bit length of 125", [binary(Buffer.alloc(125), { form: "16" })], 1002],
    ["a 64-bit length below 65536", [binary(payload, { form: "64" })], 1002],
    ["a message that is too large", [binary(Buffer.alloc(maxBytes + 1))], 1009],
    [
      "fragments that are too large together",
      [binary(Buffer.alloc(maxBytes - 1), { fin: false }), clientFrame({ opcode: 0, payload: Buffer.alloc(2) })],
      1009,
    ],
  ];
  for (const [name, chunks, code] of refused) {
    test(`${name} is refused with ${code}`, () => expect(read(chunks).at(-1)).toBe(`error ${code}`));
  }

  test("a masked frame of a server is refused with 1002", () => {
    expect(read([binary(payload, { masked: false })], false)).toEqual([message(payload)]);
    expect(read([binary(payload)], false)).toEqual(["error 1002"]);
  });

  test.each<[string, bigint, number]>([
    ["2^32 and a little is not the little", 2n ** 32n + 65_536n, 1009],
    ["65,535 is not said in 64 bits", 65_535n, 1002],
  ])("a length of %s", (_, length, code) => {
    const header = Buffer.from([0x82, 0xff, ...Buffer.alloc(8), 1, 2, 3, 4]);
    header.writeBigUInt64BE(length, 2);
    expect(read([header, Buffer.alloc(70_000)])).toEqual([`error ${code}`]);
  });

  test("a length of 2^63 is refused from its header alone", () => {
    const header = Buffer.from([0x82, 0xff, 0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]);
    expect(read([header])).toEqual(["error 1009"]);
  });

  test("random bytes throw nothing but WebSocketError", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 8 }),
        (chunks) => void read(chunks.map((chunk) => Buffer.from(chunk))),
      ),
      { numRuns: 2_000 },
    );
  });
});

describe("writing", () => {
  for (const size of [0, 125, 126, 65_535, 65_536, 200_000]) {
    test(`a header for ${size} bytes ends where the payload begins`, () => {
      const bytes = Buffer.alloc(16 + size, 0xee);
      const start = writeBinaryHeader(bytes, 16, size, null);
      expect(bytes[start]).toBe(0x82);
      const short = bytes[start + 1]!;
      const length =
        short < 126 ? short : short === 126 ? bytes.readUInt16BE(start + 2) : Number(bytes.readBigUInt64BE(start + 2));
      expect({ length, header: 16 - start }).toEqual({ length: size, header: size < 126 ? 2 : size < 65_536 ? 4 : 10 });
    });

    test(`a client's frame of ${Math.min(size, maxBytes)} bytes is what its server reads, whatever the mask`, () => {
      for (const mask of [0, 1, -1, 0x12345678, -0x12345678]) {
        const bytes = crypto.getRandomValues(Buffer.alloc(16 + Math.min(size, 60_000)));
        const payload = Buffer.from(bytes.subarray(16));
        const start = writeBinaryHeader(bytes, 16, payload.length, mask);
        applyMask(bytes, 16, bytes.length, mask);
        expect(read([bytes.subarray(start)])).toEqual([message(payload)]);
      }
    });
  }

  test("control frames hold at most 125 bytes, and a reason is cut, not refused", () => {
    expect(pongFrame(Buffer.from("hi"), null)).toEqual(Buffer.from([0x8a, 2, 0x68, 0x69]));
    expect(closeFrame(4001, "no", null).toString("hex")).toBe("88040fa16e6f");
    expect(closeFrame(4001, "x".repeat(500), null)[1]).toBe(125);
    expect(read([closeFrame(4001, "no", 0x12345678)])).toEqual(["closing 4001 no"]);
    expect(pongFrame(Buffer.from("hi"), 0).toString("hex")).toBe("8a82000000006869");
  });

  test("the accept key of RFC 6455 1.3, and none for a key that isn't one", () => {
    expect(acceptKey("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    const sixteen = "dGhlIHNhbXBsZSBub25jZQ==";
    for (const key of ["", "short", sixteen.slice(0, -1), `${sixteen} `, `-${sixteen}`, `AAAA${sixteen}`])
      expect(acceptKey(key)).toBeNull();
  });
});

// The frame codec: splitting messages, refusing malformed ones, and what must never happen on random bytes.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { runs } from "../../test/helpers/http1-inputs.ts";
import { FrameReader, type FrameSink } from "./frame-reader.ts";
import { readFrames } from "../../test/helpers/read-frames.ts";
import {
  CHECKED,
  DATA,
  errorOfReset,
  FIN,
  headerBytes,
  maxJsonBytes,
  maxPayloadBytes,
  NOTICE,
  OPEN,
  PING,
  ProtocolError,
  readJson,
  readU32,
  resetCode,
  statusOfReset,
  WINDOW,
  writeU32,
} from "./frames.ts";
import { Outbox } from "./outbox.ts";

interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: string;
}

function framesOf(message: Buffer): Frame[] {
  const frames: Frame[] = [];
  const sink: FrameSink = {
    frame(type, flags, stream, bytes, start, end) {
      frames.push({ type, flags, stream, payload: bytes.toString("latin1", start, end) });
    },
  };
  readFrames(message, sink);
  return frames;
}

/** One frame's bytes, written independently of the outbox. */
function bytesOf({ type, flags, stream, payload }: Frame): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt8(type, 0);
  header.writeUInt8(flags, 1);
  header.writeUInt16BE(payload.length, 2);
  header.writeUInt32BE(stream, 4);
  return Buffer.concat([header, Buffer.from(payload, "latin1")]);
}

const anyFrame: fc.Arbitrary<Frame> = fc.record({
  type: fc.integer({ min: OPEN, max: CHECKED }),
  flags: fc.nat({ max: 255 }),
  stream: fc.nat({ max: 0xffff_ffff }),
  payload: fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
});

describe("readFrames", () => {
  test("an empty message holds no frame", () => {
    expect(framesOf(Buffer.alloc(0))).toEqual([]);
  });

  test("several frames of one message arrive in order, whole", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 8 }), (frames) => {
        expect(framesOf(Buffer.concat(frames.map(bytesOf)))).toEqual(frames);
      }),
      { numRuns: runs(500) },
    );
  });

  test("however a message is cut, its frames are the same; only body bytes come in pieces, FIN with the last", () => {
    fc.assert(
      fc.property(fc.array(anyFrame, { maxLength: 8 }), fc.array(fc.nat(400), { maxLength: 12 }), (frames, cuts) => {
        const message = Buffer.concat(frames.map(bytesOf));
        const read: Frame[] = [];
        let isOpen = false;
        const reader = new FrameReader({
          frame(type, flags, stream, bytes, start, end) {
            const payload = bytes.toString("latin1", start, end);
            const before = read.at(-1);
            if (isOpen && before !== undefined) {
              expect([type, before.flags & FIN]).toEqual([DATA, 0]);
              Object.assign(before, { flags, payload: before.payload + payload });
            } else read.push({ type, flags, stream, payload });
            const { payload: whole } = frames[read.length - 1]!;
            isOpen = read.at(-1)!.payload.length < whole.length;
          },
        });
        const at = [0, ...cuts.map((cut) => Math.min(cut, message.length)).sort((a, b) => a - b), message.length];
        // What a piece was copied from may be read into again.
        for (let i = 1; i < at.length; i++) {
          const piece = Buffer.from(message.subarray(at[i - 1]!, at[i]!));
          reader.read(piece, 0, piece.length, i === at.length - 1);
          piece.fill(0xdb);
        }
        expect(read).toEqual(frames);
      }),
      { numRuns: runs(1_000) },
    );
  });

  test("stream ids use all 32 bits", () => {
    for (const stream of [0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff])
      expect(framesOf(bytesOf({ type: DATA, flags: 0, stream, payload: "" }))[0]!.stream).toBe(stream);
  });

  test("the largest frame is 64 KiB", () => {
    const largest = bytesOf({ type: DATA, flags: 0, stream: 1, payload: "x".repeat(maxPayloadBytes) });
    expect(largest.length).toBe(64 * 1024);
    expect(framesOf(largest)[0]!.payload.length).toBe(maxPayloadBytes);
  });
});

describe("security", () => {
  test.each([
    ["type 0", Buffer.from([0, 0, 0, 0, 0, 0, 0, 0])],
    ["a type above the last", Buffer.from([CHECKED + 1, 0, 0, 0, 0, 0, 0, 0])],
    ["type 255", Buffer.from([255, 0, 0, 0, 0, 0, 0, 0])],
    ["a header cut short", Buffer.from([DATA, 0, 0, 0, 0, 0, 0])],
    ["a payload cut short", Buffer.from([DATA, 0, 0, 2, 0, 0, 0, 1, 65])],
    [
      "a payload of 65,529 bytes",
      bytesOf({ type: DATA, flags: 0, stream: 1, payload: "x".repeat(maxPayloadBytes + 1) }),
    ],
    ["text", Buffer.from("GET / HTTP/1.1\r\n\r\n")],
    [
      "a good frame, then garbage",
      Buffer.concat([bytesOf({ type: PING, flags: 0, stream: 0, payload: "12345678" }), Buffer.from([99])]),
    ],
  ])("refused: %s", (_, message) => {
    expect(() => framesOf(message)).toThrow(ProtocolError);
  });

  test("every cut of a message is refused or a whole number of frames", () => {
    const message = Buffer.concat([
      bytesOf({ type: WINDOW, flags: 0, stream: 1, payload: "abcd" }),
      bytesOf({ type: DATA, flags: 1, stream: 2, payload: "hello" }),
    ]);
    for (let length = 1; length < message.length; length++) {
      if (length === headerBytes + 4) expect(framesOf(message.subarray(0, length))).toHaveLength(1);
      else expect(() => framesOf(message.subarray(0, length))).toThrow(ProtocolError);
    }
  });

  test("random bytes throw nothing but ProtocolError, and payloads stay inside the message", () => {
    const likely = fc
      .tuple(fc.array(anyFrame, { maxLength: 3 }), fc.uint8Array({ maxLength: 20 }))
      .map(([frames, tail]) => Buffer.concat([...frames.map(bytesOf), tail]));
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 200 }).map((b) => Buffer.from(b)),
          likely,
        ),
        (message) => {
          try {
            readFrames(message, {
              frame(_type, _flags, stream, bytes, start, end) {
                expect(bytes).toBe(message);
                expect(start).toBeGreaterThanOrEqual(headerBytes);
                expect(end).toBeGreaterThanOrEqual(start);
                expect(end).toBeLessThanOrEqual(message.length);
                expect(stream).toBeGreaterThanOrEqual(0);
              },
            });
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        },
      ),
      { numRuns: runs(3000) },
    );
  });

  test.each([
    "",
    "null",
    "1",
    '"a"',
    "[]",
    "[{}]",
    "{",
    "{}x",
    "{'a':1}",
    "\0",
    "[".repeat(60_000),
    '{"a":'.repeat(12_000),
  ])("JSON that is not one object is a ProtocolError: %p", (text) => {
    const bytes = Buffer.from(text);
    expect(() => readJson(bytes, 0, bytes.length)).toThrow(ProtocolError);
  });

  test("JSON of more than 8 KiB is a ProtocolError, however good it is otherwise", () => {
    const ofLength = (length: number): Buffer => Buffer.from(`{"a":"${"x".repeat(length - 8)}"}`);
    const bytes = Buffer.concat([ofLength(8192), ofLength(8193)]);
    expect(readJson<{ a: string }>(bytes, 0, 8192).a).toHaveLength(8184);
    expect(() => readJson(bytes, 8192, bytes.length)).toThrow(
      new ProtocolError("a control frame is larger than 8 KiB"),
    );
  });

  test("what no peer would read is not sent, and what follows is", () => {
    const sent: number[] = [];
    const outbox = new Outbox({
      send: (bytes, start, end) =>
        readFrames(bytes.subarray(start, end), {
          frame: (_type, _flags, _stream, _bytes, from, to) => sent.push(to - from),
        }),
    });
    for (const bytes of [maxJsonBytes + 1, 16 * 1024 - headerBytes, 1_000_000])
      expect(() => outbox.session(NOTICE, Buffer.alloc(bytes))).toThrow(
        new RangeError(`${bytes} bytes in one control frame`),
      );
    outbox.session(NOTICE, Buffer.alloc(maxJsonBytes));
    outbox.flush();
    expect(sent).toEqual([maxJsonBytes]);
  });

  test("random JSON payloads throw nothing but ProtocolError", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.uint8Array({ maxLength: 50 }),
          fc.json().map((text) => Buffer.from(text)),
        ),
        (bytes) => {
          try {
            expect(typeof readJson(Buffer.from(bytes), 0, bytes.length)).toBe("object");
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        },
      ),
      { numRuns: runs(1000) },
    );
  });

  test("__proto__ in a control frame changes no prototype", () => {
    const bytes = Buffer.from('{"__proto__":{"polluted":1}}');
    readJson(bytes, 0, bytes.length);
    expect(Object.hasOwn(Object.prototype, "polluted")).toBe(false);
  });
});

test("readJson reads only its part", () => {
  const bytes = Buffer.from('xx{"reason":"é"}yy');
  expect(readJson<{ reason: string }>(bytes, 2, bytes.length - 2)).toEqual({ reason: "é" });
});

test("numbers of four bytes read back, whatever they are", () => {
  const bytes = Buffer.alloc(6);
  for (const value of [0, 1, 255, 65_536, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff]) {
    writeU32(bytes, 1, value);
    expect([readU32(bytes, 1), bytes.readUInt32BE(1)]).toEqual([value, value]);
  }
});

test.each<[keyof typeof resetCode, string, number]>([
  ["cancel", "local_failed", 0],
  ["unreachable", "local_unreachable", 502],
  ["localFailed", "local_failed", 502],
  ["timeout", "local_timeout", 504],
  ["protocol", "local_failed", 502],
  ["refused", "tunnel_overloaded", 503],
])("a stream that is reset with %s is %s to its visitor, and counts as a %d", (name, error, status) => {
  expect([errorOfReset(resetCode[name]), statusOfReset(resetCode[name])]).toEqual([error, status] as never);
});

test("a server that has answered by itself resets with what it answered", () => {
  expect([399, 400, 429, 599, 600].map(statusOfReset)).toEqual([502, 400, 429, 599, 502]);
});

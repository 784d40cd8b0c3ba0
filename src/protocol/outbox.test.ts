// The outbox: every frame reads back, streams stay in order, one send per turn, bounded messages, nothing held when idle.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { runs } from "../../test/helpers/http1-inputs.ts";
import { readFrames } from "../../test/helpers/read-frames.ts";
import {
  DATA,
  END,
  FIN,
  GO_AWAY,
  HEAD,
  headerBytes,
  maxMessageBytes,
  maxPayloadBytes,
  MORE,
  MORE_HEAD,
  OPEN,
  PING,
  PONG,
  REGISTERED,
  RESET,
  resetCode,
  WINDOW,
} from "./frames.ts";
import { leadBytes, Outbox } from "./outbox.ts";

interface Frame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Body bytes in as many DATA frames as they need; `fin` ends the direction with the last one. */
function putBody(outbox: Outbox, stream: number, bytes: Uint8Array, start: number, end: number, fin: boolean): void {
  for (let at = start; at < end; at += maxPayloadBytes) {
    const stop = Math.min(end, at + maxPayloadBytes);
    outbox.frame(DATA, fin && stop === end ? FIN : 0, stream, bytes, at, stop);
  }
}

/** An outbox and the messages it sent. */
function collected(): { outbox: Outbox; messages: Buffer[]; frames: () => Frame[] } {
  const messages: Buffer[] = [];
  const outbox = new Outbox({ send: (bytes, start, end) => messages.push(Buffer.from(bytes.subarray(start, end))) });
  const frames = (): Frame[] => {
    const list: Frame[] = [];
    for (const message of messages) {
      readFrames(message, {
        frame(type, flags, stream, bytes, start, end) {
          list.push({ type, flags, stream, payload: Buffer.from(bytes.subarray(start, end)) });
        },
      });
    }
    return list;
  };
  return { outbox, messages, frames };
}

const isControl = (frame: Frame): boolean => [WINDOW, PING, PONG, GO_AWAY, REGISTERED].includes(frame.type);

/** The two private buffers, to see whether an idle outbox holds one. */
const held = (outbox: Outbox): unknown[] => {
  const { data, control } = outbox as unknown as { data: Buffer | null; control: Buffer | null };
  return [data, control];
};

describe("frames", () => {
  test("each writer's frame reads back", () => {
    const { outbox, frames } = collected();
    const at = outbox.reserve(10);
    outbox.buffer.write("head", at);
    outbox.commit(OPEN, MORE, 7, 4);
    outbox.frame(MORE_HEAD, 0, 7, Buffer.from("..rest.."), 2, 6);
    outbox.frame(HEAD, FIN, 0xffff_ffff, Buffer.from("all"), 0, 3);
    putBody(outbox, 7, Buffer.from("..body"), 2, 6, true);
    outbox.end(8);
    outbox.inPlace(DATA, 0, 6, Buffer.from(`${"-".repeat(leadBytes)}at once`), leadBytes, leadBytes + 7);
    outbox.reset(9, resetCode.localFailed, "broken é");
    outbox.window(7, 0xffff_ffff);
    outbox.session(PING, Buffer.from("12345678"));
    outbox.session(GO_AWAY, { reason: "drain" }, 3);
    outbox.flush();
    expect(
      frames().map(({ type, flags, stream, payload }) => [type, flags, stream, payload.toString("latin1")]),
    ).toEqual([
      [OPEN, MORE, 7, "head"],
      [MORE_HEAD, 0, 7, "rest"],
      [HEAD, FIN, 0xffff_ffff, "all"],
      [DATA, FIN, 7, "body"],
      [END, FIN, 8, ""],
      [DATA, 0, 6, "at once"],
      [WINDOW, 0, 7, "\xff\xff\xff\xff"],
      [PING, 0, 0, "12345678"],
      [GO_AWAY, 0, 3, '{"reason":"drain"}'],
      [RESET, 0, 9, "\0\x03broken \xc3\xa9"],
    ]);
  });

  test.each([1, maxPayloadBytes, maxPayloadBytes + 1, 3 * maxPayloadBytes + 17, 1_000_000])(
    "a body of %p bytes",
    (bytes) => {
      const { outbox, frames } = collected();
      const body = Buffer.alloc(bytes, "abcdefg");
      putBody(outbox, 1, body, 0, bytes, true);
      outbox.flush();
      const list = frames();
      expect(Buffer.concat(list.map((frame) => frame.payload)).equals(body)).toBe(true);
      expect(list.map((frame) => frame.flags)).toEqual(list.map((_, i) => (i === list.length - 1 ? FIN : 0)));
      expect(list.length).toBe(Math.ceil(bytes / maxPayloadBytes));
    },
  );

  test("a reset's reason is cut to 200 bytes between characters", () => {
    const { outbox, frames } = collected();
    outbox.reset(1, resetCode.cancel, "é".repeat(300));
    outbox.reset(2, resetCode.cancel, `x${"é".repeat(300)}`);
    outbox.flush();
    expect(frames().map((frame) => frame.payload.toString("utf8", 2))).toEqual(["é".repeat(100), `x${"é".repeat(99)}`]);
  });
});

describe("sending", () => {
  test("one message per turn for all that was written in it", async () => {
    const { outbox, messages } = collected();
    for (let stream = 1; stream <= 15; stream++) {
      outbox.frame(HEAD, FIN, stream, Buffer.from("x"), 0, 1);
      outbox.window(stream, 1);
    }
    expect(messages).toHaveLength(0);
    await turn();
    expect(messages).toHaveLength(1);
    await turn();
    expect(messages).toHaveLength(1);
    outbox.end(1);
    await turn();
    expect(messages).toHaveLength(2);
  });

  test("much is sent before the turn ends", () => {
    const { outbox, messages } = collected();
    putBody(outbox, 1, Buffer.alloc(200_000), 0, 200_000, false);
    expect(messages.length).toBeGreaterThanOrEqual(2);
  });

  test("sixteen frames are sent before the turn ends, with the control frames that wait", async () => {
    const { outbox, messages, frames } = collected();
    outbox.window(1, 1);
    for (let stream = 1; stream <= 40; stream++) outbox.end(stream);
    expect(messages).toHaveLength(2);
    await turn();
    expect(messages).toHaveLength(3);
    expect(frames().map(({ stream }) => stream)).toEqual([1, ...Array.from({ length: 40 }, (_, i) => i + 1)]);
  });

  test("control frames go ahead of data, in one message with little data, in one of their own with much", () => {
    const few = collected();
    putBody(few.outbox, 1, Buffer.alloc(16_000), 0, 16_000, false);
    few.outbox.window(1, 5);
    few.outbox.flush();
    expect([few.messages.length, few.frames().map((frame) => frame.type)]).toEqual([1, [WINDOW, DATA]]);
    const many = collected();
    putBody(many.outbox, 1, Buffer.alloc(30_000), 0, 30_000, false);
    many.outbox.window(1, 5);
    many.outbox.flush();
    expect([many.messages.length, many.frames().map((frame) => frame.type)]).toEqual([2, [WINDOW, DATA]]);
  });

  test("what must leave now takes along what waits, and nothing is left for the end of the turn", async () => {
    const { outbox, messages, frames } = collected();
    outbox.sessionNow(PONG, Buffer.from("..12345678"), 2, 10);
    expect(messages).toHaveLength(1);
    outbox.frame(DATA, 0, 1, Buffer.from("x"), 0, 1);
    outbox.window(1, 5);
    outbox.sessionNow(PING, Buffer.from("abcdefgh"), 0, 8);
    await turn();
    expect(messages).toHaveLength(2);
    expect(frames().map(({ type, payload }) => [type, payload.toString("latin1")])).toEqual([
      [PONG, "12345678"],
      [WINDOW, "\0\0\0\x05"],
      [PING, "abcdefgh"],
      [DATA, "x"],
    ]);
  });

  test("nothing is sent after close", async () => {
    const { outbox, messages } = collected();
    outbox.end(1);
    outbox.close();
    outbox.window(1, 1);
    putBody(outbox, 1, Buffer.alloc(200_000), 0, 200_000, true);
    await turn();
    expect(messages).toHaveLength(0);
    expect(held(outbox)).toEqual([null, null]);
  });

  test("flush with nothing written sends nothing", () => {
    const { outbox, messages } = collected();
    outbox.flush();
    expect(messages).toHaveLength(0);
  });

  test("an idle outbox holds no buffer", async () => {
    const { outbox } = collected();
    expect(held(outbox)).toEqual([null, null]);
    outbox.window(1, 1);
    outbox.end(1);
    expect(held(outbox)).not.toContain(null);
    await turn();
    expect(held(outbox)).toEqual([null, null]);
  });

  test("what `send` got may be overwritten afterwards, so outboxes share their buffers", async () => {
    const buffers: Buffer[] = [];
    const first = new Outbox({ send: (bytes) => buffers.push(bytes) });
    const second = new Outbox({ send: (bytes) => buffers.push(bytes) });
    for (const outbox of [first, second]) {
      outbox.end(1);
      outbox.flush();
    }
    expect(buffers[0]).toBe(buffers[1]!);
  });

  test("an outbox that throws while sending keeps nothing back", () => {
    const outbox = new Outbox({
      send() {
        throw new Error("the socket is gone");
      },
    });
    outbox.end(1);
    expect(() => outbox.flush()).toThrow("the socket is gone");
    expect(held(outbox)).toEqual([null, null]);
  });
});

describe("properties", () => {
  type Step = { kind: "frame" | "body" | "window" | "reset" | "ping" | "end" | "flush"; stream: number; bytes: number };
  const step: fc.Arbitrary<Step> = fc.record({
    kind: fc.constantFrom("frame", "frame", "body", "body", "window", "reset", "ping", "end", "flush"),
    stream: fc.integer({ min: 1, max: 4 }),
    bytes: fc.oneof(fc.integer({ min: 1, max: 300 }), fc.integer({ min: 1, max: 140_000 })),
  });

  test("any sequence: streams in order and complete, control in order, messages bounded", () => {
    const source = Buffer.from(Array.from({ length: 140_000 }, (_, i) => (i * 7) & 255));
    fc.assert(
      fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
        const { outbox, messages, frames } = collected();
        const wanted = new Map<number, Buffer[]>();
        let control = 0;
        for (const [index, { kind, stream, bytes }] of steps.entries()) {
          const parts = wanted.get(stream) ?? [];
          wanted.set(stream, parts);
          if (kind === "frame") {
            const length = Math.min(bytes, maxPayloadBytes);
            outbox.frame(DATA, 0, stream, source, index, index + length);
            parts.push(source.subarray(index, index + length));
          } else if (kind === "body") {
            putBody(outbox, stream, source, 0, bytes, false);
            parts.push(source.subarray(0, bytes));
          } else if (kind === "reset") {
            outbox.reset(stream, 1, `r${index}`);
            parts.push(Buffer.from(`\0\x01r${index}`));
          } else if (kind === "end") outbox.end(stream);
          else if (kind === "window") outbox.window(stream, control++);
          else if (kind === "ping") outbox.window(0, control++);
          else outbox.flush();
        }
        outbox.flush();
        const list = frames();
        for (const [stream, parts] of wanted) {
          const got = list
            .filter((frame) => frame.stream === stream && !isControl(frame))
            .map((frame) => frame.payload);
          expect(Buffer.concat(got).equals(Buffer.concat(parts))).toBe(true);
        }
        const order = list.filter(isControl).map((frame) => frame.payload.readUInt32BE(0));
        expect(order).toEqual(Array.from({ length: control }, (_, i) => i));
        for (const message of messages) {
          expect(message.length).toBeLessThanOrEqual(maxMessageBytes);
          expect(message.length).toBeGreaterThanOrEqual(headerBytes);
        }
      }),
      { numRuns: runs(150) },
    );
  });
});

test("window updates beyond the room for them leave meanwhile", () => {
  let windows = 0;
  const note = { frame: () => void windows++ };
  const outbox = new Outbox({ send: (bytes, start, end) => readFrames(Buffer.from(bytes.subarray(start, end)), note) });
  for (let id = 1; id <= 3_000; id++) outbox.window(id, 1);
  outbox.flush();
  expect(windows).toBe(3_000);
});

// What is told of a WebSocket that passes: messages as they end, whatever comes between, and the first close frame.

import { expect, test } from "bun:test";
import { closeFrame, pongFrame } from "../../src/protocol/websocket-frames.ts";
import { SocketFrames } from "./socket-frames.ts";

const text = (bytes: number, first = 0x81): Buffer => {
  const length =
    bytes < 126
      ? [bytes]
      : bytes < 65_536
        ? [126, bytes >> 8, bytes & 0xff]
        : [127, 0, 0, 0, 0, 0, bytes >> 16, (bytes >> 8) & 0xff, bytes & 0xff];
  // Payload that looks like frames.
  return Buffer.concat([Buffer.from([first, ...length]), Buffer.alloc(bytes, 0x88)]);
};
const masked = (bytes: number): Buffer =>
  Buffer.concat([Buffer.from([0x82, 0x80 | bytes, 1, 2, 3, 4]), Buffer.alloc(bytes, 0x88)]);

const passing: [string, Buffer[], Partial<SocketFrames>][] = [
  ["nothing", [], { messages: 0, close: null }],
  ["lengths of every kind", [text(0), text(5), text(200), text(70_000), masked(7)], { messages: 5, close: null }],
  [
    "one message in pieces with a pong between",
    [text(3, 0x01), pongFrame(Buffer.from("hi"), null), text(3, 0x00), text(3, 0x80)],
    { messages: 1 },
  ],
  [
    "a close frame of a server",
    [text(3), closeFrame(1011, "broken ☂", null)],
    { messages: 1, close: { code: 1011, reason: "broken ☂" } },
  ],
  [
    "a close frame of a client",
    [masked(3), closeFrame(1000, "bye", 0x01020304)],
    { messages: 1, close: { code: 1000, reason: "bye" } },
  ],
  ["a close frame that says nothing", [Buffer.from([0x88, 0])], { close: { code: null, reason: "" } }],
  [
    "what comes behind the close frame",
    [closeFrame(1000, "", null), text(4), closeFrame(1001, "", null)],
    { messages: 0, close: { code: 1000, reason: "" } },
  ],
  ["a close frame that is cut", [closeFrame(1000, "bye", null).subarray(0, 5)], { close: null }],
];

test.each(passing)("%s: the same whole and byte by byte", (_, frames, expected) => {
  const bytes = Buffer.concat(frames);
  const [whole, single] = [new SocketFrames(), new SocketFrames()];
  whole.passed(Buffer.concat([Buffer.from("##"), bytes, Buffer.from("##")]), 2, 2 + bytes.length);
  for (let at = 0; at < bytes.length; at++) single.passed(bytes, at, at + 1);
  expect(whole).toMatchObject(expected);
  expect(single).toMatchObject(expected);
});

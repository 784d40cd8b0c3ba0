// How a stream's direction ends on the wire: by FIN on its last DATA frame where that can still be set, else by END.

import { expect, test } from "bun:test";
import { readFrames } from "../../test/helpers/read-frames.ts";
import { DATA, END, FIN, HEAD, WINDOW } from "./frames.ts";
import { Outbox } from "./outbox.ts";

test("a direction ends with the stream's last DATA when that is the last frame here and has not left", () => {
  const messages: Buffer[] = [];
  const outbox = new Outbox({ send: (bytes, start, end) => messages.push(Buffer.from(bytes.subarray(start, end))) });
  const data = (stream: number): void => outbox.frame(DATA, 0, stream, Buffer.from("x"), 0, 1);
  data(1);
  outbox.window(2, 1);
  outbox.end(1);
  data(2);
  data(3);
  outbox.end(2);
  outbox.frame(HEAD, 0, 4, Buffer.from("x"), 0, 1);
  outbox.end(4);
  data(5);
  outbox.flush();
  outbox.end(5);
  data(6);
  outbox.end(5);
  outbox.flush();
  expect(messages).toHaveLength(2);
  const frames: number[][] = [];
  for (const message of messages)
    readFrames(message, { frame: (type, flags, stream) => void frames.push([type, flags, stream]) });
  expect(frames).toEqual([
    [WINDOW, 0, 2],
    [DATA, FIN, 1],
    [DATA, 0, 2],
    [DATA, 0, 3],
    [END, FIN, 2],
    [HEAD, 0, 4],
    [END, FIN, 4],
    [DATA, 0, 5],
    [END, FIN, 5],
    [DATA, 0, 6],
    [END, FIN, 5],
  ]);
});

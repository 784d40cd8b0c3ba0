// How a stream's direction ends on the wire (by FIN on its last DATA frame where that can still be set, else by END), and what an outbox holds.

import { expect, test } from "bun:test";
import { readFrames } from "../../test/helpers/read-frames.ts";
import { DATA, END, FIN, HEAD, maxJsonBytes, NOTICE, WINDOW } from "./frames.ts";
import { leadBytes, Outbox } from "./outbox.ts";

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

test("control frames that just don't fit beside others leave behind them, whole", () => {
  const sizes: number[] = [];
  const note = (_type: number, _flags: number, _id: number, _bytes: Buffer, start: number, end: number): void =>
    void sizes.push(end - start);
  const outbox = new Outbox({
    send: (bytes, start, end) => readFrames(Buffer.from(bytes.subarray(start, end)), { frame: note }),
  });
  for (let less = 0; less < 40; less++) {
    outbox.session(NOTICE, Buffer.alloc(maxJsonBytes));
    outbox.session(NOTICE, Buffer.alloc(maxJsonBytes - less));
    outbox.flush();
    expect(sizes.splice(0)).toEqual([maxJsonBytes, maxJsonBytes - less]);
  }
});

test("nothing is sent in place after close", () => {
  let sent = 0;
  const outbox = new Outbox({ send: () => void sent++ });
  outbox.close();
  outbox.inPlace(DATA, 0, 1, Buffer.alloc(leadBytes + 10), leadBytes, leadBytes + 10);
  expect(sent).toBe(0);
});

test("of the buffers that hundreds of sessions needed at once, 32 of either kind are kept, and used again", () => {
  let [data, control] = [new Set<Buffer>(), new Set<Buffer>()];
  const send = (bytes: Buffer): void => void (bytes.length > 64 * 1024 ? data : control).add(bytes);
  const outboxes = Array.from({ length: 100 }, () => new Outbox({ send }));
  const wave = (): void => {
    for (const outbox of outboxes) outbox.window(1, 1);
    for (const outbox of outboxes) outbox.flush();
    for (const outbox of outboxes) outbox.end(1);
    for (const outbox of outboxes) outbox.flush();
  };
  wave();
  const [dataBefore, controlBefore] = [data, control];
  [data, control] = [new Set(), new Set()];
  wave();
  expect([data.intersection(dataBefore).size, control.intersection(controlBefore).size]).toEqual([32, 32]);
});

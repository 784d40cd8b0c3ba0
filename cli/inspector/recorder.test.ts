// What is kept of the exchanges: the newest, whole up to a bound, and never more than the memory for them.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { Head } from "../../src/http1/head.ts";
import { CHUNKED } from "../../src/protocol/frames.ts";
import { Recorder } from "./recorder.ts";
import { KeptBody, maxKeptBody, type Recording, type Source } from "./recording.ts";

const source = { url: "http://a.test", local: {} } as unknown as Source;

function begin(recorder: Recorder, path = "/", flags = 0): Recording {
  const head = Buffer.from(`##GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n##`);
  return recorder.begin(source, { bytes: head, start: 2, end: head.length - 2, flags });
}

function heads(recording: Recording, text: string): void {
  const head = new Head();
  const bytes = Buffer.from(`${text}\r\n\r\n`);
  head.parseResponse(bytes, 0, bytes.length);
  recording.heads(head);
}

test("an exchange is kept as it passes: its heads, its bodies, how it went and how long it took", () => {
  const recording = begin(new Recorder(), "/a?b", CHUNKED);
  expect(recording).toMatchObject({ method: "GET", path: "/a?b", isChunked: true, isAsked: false, totalMs: null });
  expect(recording.requestHead.toString()).toBe("GET /a?b HTTP/1.1\r\nHost: a\r\n\r\n");
  recording.asks(Buffer.from("#one#"), 1, 4);
  recording.asks(Buffer.from("two"), 0, 3);
  recording.asked();
  heads(recording, "HTTP/1.1 103 Early Hints\r\nLink: </a>");
  expect(recording).toMatchObject({ status: 0, answerHead: null, headMs: null });
  heads(recording, "HTTP/1.1 201 Created");
  recording.answers(Buffer.from("done"), 0, 4);
  recording.ends(0, null);
  recording.ends(502, "again");
  expect([recording.requestBody.read().toString(), recording.answerBody.read().toString()]).toEqual(["onetwo", "done"]);
  expect(recording).toMatchObject({ status: 201, error: null, isAsked: true });
  expect(recording.answerHead!.toString()).toBe("HTTP/1.1 201 Created\r\n\r\n");
  expect(recording.totalMs!).toBeGreaterThanOrEqual(recording.headMs!);
});

test("what is kept is a copy: the memory that it passed in is used again", () => {
  const recording = begin(new Recorder());
  const bytes = Buffer.from("passing");
  recording.answers(bytes, 0, bytes.length);
  bytes.fill(0);
  expect(recording.answerBody.read().toString()).toBe("passing");
});

test("of an exchange that turns into a WebSocket the bytes are counted, not kept", () => {
  const recording = begin(new Recorder());
  heads(recording, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade");
  recording.asks(Buffer.alloc(10), 0, 10);
  recording.answers(Buffer.alloc(20), 0, 20);
  expect([recording.requestBody, recording.answerBody].map(({ bytes, kept }) => [bytes, kept])).toEqual([
    [10, 0],
    [20, 0],
  ]);
});

test("a body is kept from its first byte to a mebibyte, in whatever pieces it comes, and all of it is counted", () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 400_000 }), { maxLength: 8 }), (lengths) => {
      const body = new KeptBody();
      const sent = Buffer.alloc(lengths.reduce((sum, length) => sum + length, 0));
      for (let i = 0; i < sent.length; i += 97) sent[i] = i % 251;
      let [at, size] = [0, 0];
      for (const length of lengths) size += body.add(sent, at, (at += length));
      const first = sent.subarray(0, maxKeptBody);
      expect([body.bytes, body.kept, size]).toEqual([sent.length, first.length, body.size]);
      expect(size).toBeLessThanOrEqual(Math.min(maxKeptBody, 2 * first.length));
      expect(body.read().equals(first)).toBe(true);
      expect(body.isWhole).toBe(sent.length <= maxKeptBody);
    }),
    { numRuns: 30 },
  );
});

test("a body that comes byte by byte costs no object for each", () => {
  const body = new KeptBody();
  const one = Buffer.from("x");
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < 200_000; i++) body.add(one, 0, 1);
  expect(process.memoryUsage().heapUsed - before).toBeLessThan(8_000_000);
  expect(body.kept).toBe(200_000);
});

test("the newest 200 are kept; who is forgotten while it runs takes no more memory", () => {
  const recorder = new Recorder();
  const first = begin(recorder, "/first");
  for (let i = 1; i <= 200; i++) begin(recorder, `/${i}`);
  expect(recorder.all().map(({ path }) => path)).toEqual(Array.from({ length: 200 }, (_, i) => `/${200 - i}`));
  expect(recorder.look(first.id)).toBeUndefined();
  first.answers(Buffer.alloc(1_000), 0, 1_000);
  expect([first.answerBody.bytes, first.answerBody.kept]).toEqual([1_000, 0]);
});

test("what is looked at stays while others come and go, the last few of it, and goes when all is cleared", () => {
  const recorder = new Recorder();
  const looked = Array.from({ length: 9 }, (_, i) => begin(recorder, `/${i}`));
  for (const { id } of [...looked, looked[1]!]) expect(recorder.look(id)?.id).toBe(id);
  for (let i = 0; i < 1_000; i++) begin(recorder);
  const all = recorder.all();
  expect(all.length).toBe(200);
  expect(all.slice(-8)).toEqual(looked.slice(1).reverse());
  expect(recorder.look(looked[0]!.id)).toBeUndefined();
  looked[1]!.answers(Buffer.from("more"), 0, 4);
  expect(looked[1]!.answerBody.kept).toBe(4);
  recorder.clear();
  expect([recorder.all(), looked[1]!.size]).toEqual([[], 0]);
});

test("who is forgotten while it runs leaves its memory at once: a thousand streams may stay open", () => {
  const recorder = new Recorder(4 * maxKeptBody);
  const much = Buffer.alloc(maxKeptBody);
  const streams = Array.from({ length: 1_000 }, () => {
    const stream = begin(recorder);
    stream.asks(Buffer.alloc(100), 0, 100);
    heads(stream, "HTTP/1.1 200 OK");
    stream.answers(much, 0, maxKeptBody);
    return stream;
  });
  heads(streams[0]!, "HTTP/1.1 200 OK");
  expect(streams.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(4 * maxKeptBody);
});

test("memory is counted as it is taken, also what a body has in reserve", () => {
  const recorder = new Recorder();
  const recording = begin(recorder);
  const { size } = recording;
  // The path is kept apart from its head.
  expect(begin(recorder, `/${"p".repeat(1_000)}`).size - size).toBe(2_000);
  recording.answers(Buffer.alloc(600_000), 0, 600_000);
  recording.answers(Buffer.alloc(1), 0, 1);
  expect(recording.size - size).toBe(maxKeptBody);
});

test("more than the memory for all is never kept: the oldest go, and the newest always stays", () => {
  const recorder = new Recorder(100_000);
  const size = () => recorder.all().reduce((sum, one) => sum + one.size, 0);
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.boolean(), fc.nat(9), fc.nat(40_000)), { maxLength: 60 }), (steps) => {
      for (const [isNew, which, length] of steps) {
        const all = recorder.all();
        const one = isNew || all.length === 0 ? begin(recorder) : all[which % all.length]!;
        one.answers(Buffer.alloc(length), 0, length);
        expect(recorder.all().length === 1 || size() <= 100_000).toBe(true);
      }
    }),
  );
  const last = begin(recorder);
  last.answers(Buffer.alloc(200_000), 0, 200_000);
  expect(recorder.all()).toEqual([last]);
});

test("of five that wait for a change the first is let go, and the others are told", async () => {
  const recorder = new Recorder();
  const over: number[] = [];
  for (let i = 0; i < 5; i++) void recorder.newerThan(recorder.version, 60_000).then(() => over.push(i));
  await Bun.sleep(0);
  expect(over).toEqual([0]);
  begin(recorder);
  await Bun.sleep(0);
  expect(over).toEqual([0, 1, 2, 3, 4]);
});

test("what has changed is told to who waits, and not before", async () => {
  const recorder = new Recorder();
  const seen: string[] = [];
  void recorder.newerThan(recorder.version, 60_000).then(() => seen.push("changed"));
  await Bun.sleep(0);
  expect(seen).toEqual([]);
  const recording = begin(recorder);
  await Bun.sleep(0);
  expect(seen).toEqual(["changed"]);
  await recorder.newerThan(recorder.version - 1, 60_000);
  await recorder.newerThan(recorder.version, 1);
  // Looking is no change.
  const { version: before } = recorder;
  recorder.look(recording.id);
  expect(recorder.version).toBe(before);
  for (const change of [
    () => heads(recording, "HTTP/1.1 200 OK"),
    () => recording.ends(0, null),
    () => recorder.clear(),
  ]) {
    const { version } = recorder;
    change();
    expect(recorder.version).toBeGreaterThan(version);
  }
  expect(recorder.all()).toEqual([]);
});

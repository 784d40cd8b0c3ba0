// Connections to a public TCP port, with an agent on paper: who is looked after, and what an end means.

import { afterEach, expect, spyOn, test } from "bun:test";
import { connect, type Socket } from "node:net";
import { eventually } from "../test/helpers/eventually.ts";
import { freePorts } from "../test/helpers/free-ports.ts";
import { Lookout } from "../src/handover/lookout.ts";
import type { StreamFlow } from "./stream-flow.ts";
import { listenTcp } from "./tcp.ts";
import type { Tunnel } from "./tunnel.ts";

const ends: (() => unknown)[] = [];
afterEach(() => ends.splice(0).forEach((end) => end()));

/** A port whose connections' streams stay without a session; `opened` is told of each. */
async function listening(opened: (stream: StreamFlow) => void = () => {}) {
  const [port = 0] = await freePorts(1);
  const streams: StreamFlow[] = [];
  let released = 0;
  const tunnel = {
    connectionOpened(stream: StreamFlow) {
      streams.push(stream);
      opened(stream);
    },
    connectionClosed() {},
  } as unknown as Tunnel;
  const listener = listenTcp("127.0.0.1", port, { resolve: () => ({ tunnel, release: () => void released++ }) });
  ends.push(() => listener.stop());
  const visit = (): Socket => {
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }).on("error", () => {});
    ends.push(() => socket.destroy());
    return socket;
  };
  return { streams, visit, listener, released: () => released };
}

test("who waits for an agent is looked after until it has gone, and no longer", async () => {
  const added = spyOn(Lookout.prototype, "add");
  ends.push(() => added.mockRestore());
  let isFull = false;
  const { streams, visit, released } = await listening((stream) => {
    if (isFull) stream.fail("tunnel_offline", "no place");
  });
  const [leaves, isServed] = [visit(), visit()];
  await eventually(() => streams.length === 2, "both are there");
  const lookout = added.mock.contexts[0] as Lookout;
  expect(lookout.size).toBe(2);
  isFull = true;
  visit();
  await eventually(() => released() === 1, "there is no place for a third");
  expect(lookout.size).toBe(2);
  leaves.resetAndDestroy();
  await eventually(() => released() === 2, "one has left");
  expect(lookout.size).toBe(1);
  isServed.end("hello");
  await eventually(() => isServed.writableFinished, "the other has said something");
  isServed.destroy();
  for (const stream of streams) stream.fail("tunnel_offline", "nobody came");
  await eventually(() => released() === 3, "it has gone, too");
  expect(lookout.size).toBe(0);
});

test("a server that leaves at once ends nothing cleanly that its visitor has not taken", async () => {
  const { streams, visit } = await listening();
  const visitor = visit();
  await eventually(() => streams.length === 1, "it is there");
  const [stream] = streams;
  const bytes = Buffer.alloc(32 * 1024 * 1024);
  stream!.onData(bytes, 0, bytes.length);
  stream!.endIfQuiet({ now: performance.now(), inAllMs: 0, isLast: true });
  let heard = 0;
  let hasEnded = false;
  visitor.on("data", (data) => (heard += data.length)).on("end", () => (hasEnded = true));
  await eventually(() => hasEnded || heard === bytes.length, "it has all there is");
  expect([heard, hasEnded]).toEqual([bytes.length, false]);
});

test("a port that is given up leaves its connections alone", async () => {
  const { streams, visit, listener, released } = await listening();
  const visitor = visit();
  await eventually(() => streams.length === 1, "it is there");
  listener.stop();
  let heard = "";
  visitor.on("data", (data) => (heard += data.toString()));
  // Whoever was closed with the port would be by the time that this one is.
  await expect(new Promise((resolve, reject) => visit().on("connect", resolve).on("error", reject))).rejects.toThrow();
  streams[0]!.onData(Buffer.from("still there"), 0, 11);
  await eventually(() => heard === "still there", "it is answered");
  expect(released()).toBe(0);
});

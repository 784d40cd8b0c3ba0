// Handing over by a pair of sockets: what the visitor hears of the other thread's end, and what is left when it comes to nothing.

import { expect, jest, spyOn, test } from "bun:test";
import type { Socket } from "bun";
import { writeSync } from "node:fs";
import { eventually } from "../../test/helpers/eventually.ts";
import { FakePipeSocket } from "../../test/helpers/fake-pipe-socket.ts";
import { closeDescriptor } from "../lib/descriptor.ts";
import { markedAs } from "../lib/send-queue.ts";
import { createLedgerMemory, Ledger } from "./ledger.ts";
import type { MovedConnection } from "./moved-connection.ts";
import { pipeThrough } from "./pipe.ts";
import { watchDescriptors } from "../../test/helpers/process-facts.ts";

const ledger = new Ledger(createLedgerMemory(1024), 7);

const meta = { address: "127.0.0.1", secure: false, acceptedAtMs: 0, last: false, moves: 0, lent: false };

test.each([
  ["says nothing", 0, "shutdown,end"],
  ["has begun what only its end ends", markedAs.unfinished, "terminate"],
])("a receiver that %s and closes its end of a pair", async (_, mark, log) => {
  const visitor = new FakePipeSocket();
  let theirs: MovedConnection | null = null;
  const end = pipeThrough(visitor, { ...meta, unread: "" }, ledger, (moved) => (theirs = moved) !== null)!;
  const { fd, endMark } = theirs!;
  Atomics.store(endMark!, 0, mark);
  closeDescriptor(fd);
  await eventually(() => visitor.log.some((what) => what === "end" || what === "terminate"), "it ends");
  // By its FIN and by its close.
  const did = new Set(visitor.log.filter((what) => what !== "pause" && what !== "resume"));
  expect([...did].join()).toBe(log);
  end.close();
});

test.each([
  ["that says its length", "a clean end", 0],
  ["that only its end ends, and that is under way", "a reset", markedAs.unfinished],
  ["that only its end ends, and that has yet to be ended", "a reset", markedAs.whole],
])("the death of this process is, behind an answer %s, %s", async (_, how, mark) => {
  const [accepted, heard, ended] = [
    Promise.withResolvers<Socket>(),
    Promise.withResolvers<string>(),
    Promise.withResolvers<string>(),
  ];
  using listener = Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0 },
    socket: { open: (socket) => accepted.resolve(socket), data() {} },
  });
  await Bun.connect({
    ...{ hostname: "127.0.0.1", port: listener.port },
    socket: {
      data: (_socket, bytes) => heard.resolve(bytes.toString()),
      end: () => ended.resolve("a clean end"),
      close: (_socket, error) => ended.resolve(error === undefined ? "a clean end" : "a reset"),
    },
  });
  const visitor = await accepted.promise;
  let theirs: MovedConnection | null = null;
  const end = pipeThrough(visitor, { ...meta, unread: "" }, ledger, (moved) => (theirs = moved) !== null)!;
  const { fd, endMark } = theirs!;
  Atomics.store(endMark!, 0, mark);
  writeSync(fd, "answer");
  expect(await heard.promise).toBe("answer");
  // A plain close, as the kernel's.
  visitor.end();
  expect(await ended.promise).toBe(how);
  end.close();
  closeDescriptor(fd);
});

test("a receiver that isn't there, and a pair that can't be opened, leave the visitor as it was and no descriptor behind", async () => {
  const visitor = new FakePipeSocket();
  const opened = watchDescriptors();
  expect(pipeThrough(visitor, { ...meta, unread: "" }, ledger, () => false)).toBe(null);
  const connect = spyOn(Bun, "connect").mockRejectedValue(new Error("EMFILE"));
  try {
    expect(pipeThrough(visitor, { ...meta, unread: "" }, ledger, () => expect.unreachable())).toBe(null);
    await eventually(() => opened().length === 0, "all are closed");
    expect(visitor.log).toEqual([]);
  } finally {
    connect.mockRestore();
  }
});

test("a visitor that takes nothing doesn't keep one whose receiver is gone", async () => {
  jest.useFakeTimers();
  try {
    const visitor = new FakePipeSocket();
    const { promise: isHeld, resolve } = Promise.withResolvers<void>();
    visitor.write = () => {
      resolve();
      return 0;
    };
    let theirs = -1;
    const end = pipeThrough(visitor, { ...meta, unread: "" }, ledger, ({ fd }) => (theirs = fd) >= 0)!;
    writeSync(theirs, "left");
    await isHeld;
    jest.advanceTimersByTime(60_000);
    expect(visitor.log).toEqual([]);
    closeDescriptor(theirs);
    jest.advanceTimersByTime(29_000);
    expect(visitor.log).toEqual([]);
    jest.advanceTimersByTime(2_000);
    expect(visitor.log).toEqual(["terminate"]);
    end.close();
  } finally {
    jest.useRealTimers();
  }
});

test("a throw while bytes of the other thread are passed on terminates the visitor, whose connection would end cleanly", async () => {
  const visitor = new FakePipeSocket();
  visitor.write = () => {
    throw new Error("a bug of ours");
  };
  let theirs = -1;
  const end = pipeThrough(visitor, { ...meta, unread: "GET / HTTP/1.1\r\n" }, ledger, ({ fd }) => (theirs = fd) >= 0)!;
  writeSync(theirs, "half of it");
  await eventually(() => visitor.log.length > 0, "it ends");
  expect(visitor.log).toEqual(["terminate"]);
  end.close();
  closeDescriptor(theirs);
});

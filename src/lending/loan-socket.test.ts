// A loan at its owner, without a line: what is kept while it is paused, and when it says that there is room.

import { describe, expect, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import type { LoanLine } from "./loan-line.ts";
import { LoanSocket } from "./loan-socket.ts";

/** `did`: what the line was told; `heard`: what the owner was. */
function loan() {
  const did: unknown[] = [];
  const heard: string[] = [];
  const line = {
    isCongested: false,
    write: (_id: number, _bytes: Buffer, start: number, end: number) => did.push(end - start),
    complete: () => did.push("complete"),
    end: (_id: number, isWhole: boolean) => did.push(isWhole ? "end" : "break"),
  };
  const owner = {
    onBytes: () => {},
    received(chunk: Buffer) {
      heard.push(chunk.toString());
      this.onBytes();
    },
    drain: () => void heard.push("drain"),
    threw: () => void heard.push("threw"),
    closed: (error?: Error) => void heard.push(error === undefined ? "closed" : "gone"),
  };
  const socket = new LoanSocket(line as unknown as LoanLine, 1, owner);
  const say = (text: string): void => {
    const bytes = Buffer.from(`frame ${text}`);
    socket.received(bytes, 6, bytes.length);
    // Its memory is used for what comes next.
    bytes.fill("#");
  };
  const write = (length: number): number => socket.write(Buffer.alloc(length), 0, length);
  return { socket, line, owner, did, heard, say, write };
}

test("what came while it was paused is heard before what comes after, and not within `resume`", async () => {
  const { socket, heard, say } = loan();
  socket.pause();
  say("a");
  say("b");
  socket.resume();
  expect(heard).toEqual([]);
  say("c");
  await eventually(() => heard.length === 3, "all of it");
  say("d");
  expect(heard).toEqual(["a", "b", "c", "d"]);
});

test("what was kept is nobody's when it closes meanwhile, from either end", async () => {
  for (const [close, end] of [
    [(socket: LoanSocket) => socket.terminate(), "closed"],
    [(socket: LoanSocket) => socket.closed(), "gone"],
  ] as const) {
    const { socket, heard, say } = loan();
    socket.pause();
    say("a");
    socket.resume();
    close(socket);
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual([end]);
  }
});

test("room is told once, to whoever lacked it, and when there is both credit and a line that takes it", () => {
  const { socket, line, did, heard, write } = loan();
  const window = 256 * 1024;
  socket.drain();
  expect([write(10), write(window), write(5)]).toEqual([10, window - 10, 0]);
  socket.drain();
  line.isCongested = true;
  socket.granted(7);
  expect(heard).toEqual([]);
  line.isCongested = false;
  socket.drain();
  socket.drain();
  expect(heard).toEqual(["drain"]);
  expect([write(5), write(5), did]).toEqual([5, 2, [10, window - 10, 5, 2]]);
  socket.granted(3);
  expect(heard).toEqual(["drain", "drain"]);
});

test("an end behind an answer is one, whether it half-closes or closes; nothing is said after it", () => {
  for (const end of ["end", "shutdown", "terminate"] as const) {
    const { socket, did, heard } = loan();
    socket[end]();
    socket.complete();
    socket.shutdown();
    socket.closed();
    expect([did, heard]).toEqual([[end === "terminate" ? "break" : "end"], ["closed"]]);
  }
});

describe("security", () => {
  test("a throw over what was kept costs that loan, not the thread", async () => {
    const { socket, owner, did, heard, say } = loan();
    owner.onBytes = () => {
      throw new Error("as asked");
    };
    socket.pause();
    say("a");
    socket.resume();
    await eventually(() => heard.length === 3, "it is over");
    expect([did, heard]).toEqual([["break"], ["a", "threw", "closed"]]);
  });
});

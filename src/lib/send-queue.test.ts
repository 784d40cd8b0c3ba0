// What waits for a socket: in order, whole, in buffers that are used again.

import { expect, test } from "bun:test";
import fc from "fast-check";
import { SendQueue } from "./send-queue.ts";

/** A socket that takes what it is told to. */
class Taking {
  takes = 0;
  readonly taken: Buffer[] = [];
  readonly buffers = new Set<unknown>();
  hasShut = false;
  write(bytes: Uint8Array, offset: number, length: number): number {
    const count = Math.min(length, this.takes);
    this.takes -= count;
    this.taken.push(Buffer.from(bytes.subarray(offset, offset + count)));
    if (count > 0) this.buffers.add(bytes.buffer);
    return count;
  }
  shutdown(): void {
    this.hasShut = true;
  }
}

test("whatever is written, and however little is taken: in order and whole, and the views may be overwritten", () => {
  const step = fc.record({ bytes: fc.nat(200_000), takes: fc.nat(200_000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const [queue, socket] = [new SendQueue(), new Taking()];
      const written: Buffer[] = [];
      for (const { bytes, takes } of steps) {
        const view = crypto.getRandomValues(Buffer.alloc(Math.min(bytes, 60_000)));
        const all = Buffer.concat([view, Buffer.alloc(bytes - view.length, bytes)]);
        written.push(Buffer.from(all));
        socket.takes = takes;
        queue.flush(socket);
        queue.write(socket, all, 0, all.length);
        all.fill(0xdb);
        const left = Buffer.concat(written).length - Buffer.concat(socket.taken).length;
        expect(queue.bytes).toBe(left);
      }
      queue.shutdown(socket);
      expect(socket.hasShut).toBe(queue.bytes === 0);
      socket.takes = Infinity;
      expect([queue.flush(socket), queue.bytes, socket.hasShut]).toEqual([true, 0, true]);
      expect(Buffer.concat(socket.taken).equals(Buffer.concat(written))).toBe(true);
    }),
    { numRuns: 100 },
  );
});

test("security: what comes byte by byte is kept as if it had come at once, and leaves so", () => {
  const [queue, socket] = [new SendQueue(), new Taking()];
  const bytes = crypto.getRandomValues(Buffer.alloc(200_000));
  for (let i = 0; i < bytes.length; i++) queue.write(socket, bytes, i, i + 1);
  expect(queue["parts"]!.length).toBeLessThan(24);
  expect(queue["parts"]!.reduce((sum, { buffer }) => sum + buffer.length, 0)).toBeLessThan(3 * bytes.length);
  socket.taken.length = 0;
  socket.takes = Infinity;
  queue.flush(socket);
  expect([socket.taken.length < 24, Buffer.concat(socket.taken).equals(bytes)]).toEqual([true, true]);
});

test("of the buffers that hundreds of sockets needed at once 32 are kept", () => {
  const large = Buffer.alloc(64 * 1024, 1);
  const rounds = Array.from({ length: 2 }, () => {
    const waiting = Array.from({ length: 100 }, () => ({ queue: new SendQueue(), socket: new Taking() }));
    for (const { queue, socket } of waiting) queue.write(socket, large, 0, large.length);
    for (const { queue, socket } of waiting) {
      socket.takes = Infinity;
      queue.flush(socket);
    }
    return new Set(waiting.flatMap(({ socket }) => [...socket.buffers]));
  });
  expect(rounds[0]!.intersection(rounds[1]!).size).toBe(32);
});

test("large parts are kept in the same few buffers, small ones in buffers of their size", () => {
  const [queue, socket] = [new SendQueue(), new Taking()];
  const large = Buffer.alloc(64 * 1024, 1);
  for (let round = 0; round < 100; round++) {
    socket.takes = 0;
    queue.write(socket, large, 0, large.length);
    queue.write(socket, large, 0, large.length);
    socket.takes = Infinity;
    queue.flush(socket);
  }
  expect(socket.buffers.size).toBeLessThanOrEqual(2);
  // What is forgotten is used again as well.
  socket.takes = 0;
  queue.write(socket, large, 0, large.length);
  queue.clear();
  queue.write(socket, large, 0, large.length);
  socket.takes = Infinity;
  queue.flush(socket);
  expect([queue.bytes, socket.buffers.size <= 2]).toEqual([0, true]);
});

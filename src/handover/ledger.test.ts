// The ledger of descriptors on their way: what a dead shard left is closed, and nothing else.

import { afterEach, describe, expect, test } from "bun:test";
import { closeSync, fstatSync, openSync } from "node:fs";
import { closeDescriptor, createPair, duplicate, inodeOf } from "../lib/descriptor.ts";
import { createLedgerMemory, Ledger } from "./ledger.ts";

const opened: number[] = [];
/** A socket's descriptor, as a stand-in for a connection. */
function open(): number {
  const [fd, other] = createPair()!;
  closeDescriptor(other);
  opened.push(fd);
  return fd;
}
afterEach(() => {
  for (const fd of opened.splice(0)) if (inodeOf(fd) !== 0) closeDescriptor(fd);
});

function setUp(): { main: Ledger; shard: Ledger } {
  const memory = createLedgerMemory(1024);
  const main = new Ledger(memory, 0, -1);
  main.live(0, 7);
  main.live(1, 8);
  return { main, shard: new Ledger(memory, 7, 0) };
}

test("a posted descriptor is in flight until its receiver claims it, once", () => {
  const { main, shard } = setUp();
  const fd = open();
  let posted = 0;
  expect(main.send(fd, 0, 7, () => posted++)).toBe(true);
  expect([posted, main.inFlight(), shard.isOurs(fd)]).toEqual([1, 1, true]);
  expect(main.claim(fd)).toBe(false);
  expect(shard.claim(fd)).toBe(true);
  expect(shard.claim(fd)).toBe(false);
  expect(main.inFlight()).toBe(0);
});

test("nothing is posted to a buried or replaced incarnation, and the descriptor stays the sender's", () => {
  const { main } = setUp();
  const fd = open();
  main.bury(0);
  expect(main.send(fd, 0, 7, () => expect.unreachable())).toBe(false);
  main.live(0, 9);
  expect(main.send(fd, 0, 7, () => expect.unreachable())).toBe(false);
  expect([main.inFlight(), inodeOf(fd) !== 0]).toEqual([0, true]);
});

test("descriptors beyond the ledger are not moved", () => {
  const { main } = setUp();
  for (const fd of [-1, 1024, 1 << 30]) {
    expect(main.send(fd, 0, 7, () => expect.unreachable())).toBe(false);
    expect(main.claim(fd)).toBe(false);
  }
});

test("a sweep closes what a dead shard never took, and what it posted to main", () => {
  const { main, shard } = setUp();
  const [toShard, toMain, toOther] = [open(), open(), open()];
  main.send(toShard, 0, 7, () => {});
  shard.send(toMain, -1, 0, () => {});
  shard.send(toOther, 1, 8, () => {});
  main.bury(0);
  expect(main.sweep(7)).toBe(2);
  expect([inodeOf(toShard), inodeOf(toMain)]).toEqual([0, 0]);
  expect(inodeOf(toOther)).not.toBe(0);
  expect(main.inFlight()).toBe(1);
  expect(shard.claim(toShard)).toBe(false);
});

test("a giver that died right after dup leaves nothing behind", () => {
  const { main, shard } = setUp();
  const socket = open();
  shard.giving(socket);
  const copy = duplicate(socket);
  // The dead thread's own socket closes with it.
  closeDescriptor(socket);
  main.bury(0);
  expect(main.sweep(7)).toBe(1);
  expect(inodeOf(copy)).toBe(0);
});

describe("security", () => {
  test("a number that belongs to somebody else by now is not closed", () => {
    const { main } = setUp();
    const fd = open();
    main.send(fd, 0, 7, () => {});
    closeDescriptor(fd);
    const foreign = open();
    expect(foreign).toBe(fd);
    main.bury(0);
    expect(main.sweep(7)).toBe(0);
    expect(inodeOf(foreign)).not.toBe(0);
    expect(main.inFlight()).toBe(0);
  });

  test("a file is never closed, whatever its inode number", () => {
    const { main, shard } = setUp();
    const file = openSync(import.meta.path, "r");
    main.send(file, 0, 7, () => {});
    shard.giving(file);
    main.bury(0);
    expect(main.sweep(7)).toBe(0);
    expect(fstatSync(file).isFile()).toBe(true);
    closeSync(file);
  });

  test("a sweep of one incarnation leaves another's mail alone", () => {
    const { main, shard } = setUp();
    const fd = open();
    main.send(fd, 1, 8, () => {});
    expect(main.sweep(7)).toBe(0);
    expect(shard.claim(fd)).toBe(false);
    expect(inodeOf(fd)).not.toBe(0);
  });

  test("what was given away and claimed is not closed with its giver", () => {
    const memory = createLedgerMemory(1024);
    const main = new Ledger(memory, 0, -1);
    main.live(0, 7);
    main.live(1, 8);
    const giver = new Ledger(memory, 7, 0);
    const receiver = new Ledger(memory, 8, 1);
    const socket = open();
    giver.giving(socket);
    const copy = duplicate(socket);
    giver.send(copy, 1, 8, () => {});
    closeDescriptor(socket);
    expect(receiver.claim(copy)).toBe(true);
    main.bury(0);
    expect(main.sweep(7)).toBe(0);
    expect(inodeOf(copy)).not.toBe(0);
    expect(closeDescriptor(copy)).toBe(true);
  });
});

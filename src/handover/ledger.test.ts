// The ledger of descriptors on their way: what a dead shard left is closed, and nothing else.

import { afterEach, describe, expect, jest, test } from "bun:test";
import { closeSync, fstatSync, openSync } from "node:fs";
import { closeDescriptor, duplicate, inodeOf } from "../lib/descriptor.ts";
import { closeOpened, open, setUpLedger as setUp } from "../../test/helpers/test-ledger.ts";
import { createLedgerMemory, Ledger } from "./ledger.ts";

afterEach(closeOpened);

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
    expect([main.claim(fd), main.isOurs(fd)]).toEqual([false, false]);
  }
  // However many descriptors the process may have: the memory has an end.
  expect(createLedgerMemory(2 ** 40).byteLength).toBeLessThan(2 ** 24);
});

test("a number that is posted again before anybody claimed it is one connection under way, not two", () => {
  const { main } = setUp();
  const fd = open();
  main.send(fd, 0, 7, () => {});
  main.send(fd, 1, 8, () => {});
  expect(main.inFlight()).toBe(1);
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

test("what a shard posts to main is main's to claim, and nobody else's", () => {
  const { main, shard } = setUp();
  const fd = open();
  shard.send(fd, -1, 0, () => {});
  expect([shard.isOurs(fd), shard.claim(fd), main.isOurs(fd)]).toEqual([false, false, true]);
  expect([main.claim(fd), main.claim(fd), main.isOurs(fd), main.inFlight()]).toEqual([true, false, false, 0]);
});

test("main gives like any thread, and by whatever number, but needs no note of it: nobody sweeps after main", () => {
  const { main } = setUp();
  const [low, high] = [open(), open()];
  for (const fd of [high, low]) {
    main.giving(fd);
    expect(main.send(fd, 0, 7, () => {})).toBe(true);
    main.gave();
  }
  expect([main.inFlight(), main.isLive(0, 7), main.isLive(1, 8)]).toEqual([2, true, true]);
  main.bury(0);
  expect([main.sweep(7), main.inFlight(), inodeOf(low), inodeOf(high)]).toEqual([2, 0, 0, 0]);
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

/** A shard that gives a connection away; its own socket is closed by the time that its death is swept. */
function setUpGiver() {
  const world = setUp();
  const socket = open();
  world.shard.giving(socket);
  const copy = duplicate(socket);
  const die = (): number => {
    closeDescriptor(socket);
    world.main.bury(0);
    return world.main.sweep(7);
  };
  return { ...world, copy, die };
}

test("a giver that died in the middle of sending leaves neither descriptor nor entry behind", () => {
  const { main, shard, copy, die } = setUpGiver();
  shard.isLive = () => {
    throw new Error("its thread ends here");
  };
  expect(() => shard.send(copy, 1, 8, () => {})).toThrow("ends here");
  expect([die(), inodeOf(copy), main.inFlight()]).toEqual([1, 0, 0]);
});

test("what a giver may have posted when it died is closed if nobody takes it", () => {
  jest.useFakeTimers();
  try {
    const { main, shard, copy, die } = setUpGiver();
    shard.send(copy, 1, 8, () => {});
    expect(die()).toBe(0);
    jest.advanceTimersByTime(9_000);
    expect([inodeOf(copy) !== 0, main.inFlight()]).toEqual([true, 1]);
    jest.advanceTimersByTime(2_000);
    expect([inodeOf(copy), main.inFlight()]).toEqual([0, 0]);
  } finally {
    jest.useRealTimers();
  }
});

describe("security", () => {
  test("what a sweep took while it was being sent is not the sender's to close", () => {
    const { main } = setUp();
    const fd = open();
    main.isLive = () => {
      main.bury(0);
      expect(main.sweep(7)).toBe(1);
      return false;
    };
    expect(main.send(fd, 0, 7, () => expect.unreachable())).toBe(true);
    expect(main.inFlight()).toBe(0);
  });

  test("a number that is another connection's by the time of its giver's death stays that one's mail", () => {
    jest.useFakeTimers();
    try {
      const { main, shard, copy, die } = setUpGiver();
      shard.send(copy, 1, 8, () => {});
      closeDescriptor(copy);
      const foreign = open();
      expect(foreign).toBe(copy);
      main.send(foreign, 1, 8, () => {});
      die();
      jest.advanceTimersByTime(20_000);
      expect([inodeOf(foreign) !== 0, main.inFlight()]).toEqual([true, 1]);
    } finally {
      jest.useRealTimers();
    }
  });

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
    const main = new Ledger(memory, 0);
    main.live(0, 7);
    main.live(1, 8);
    const giver = new Ledger(memory, 7);
    const receiver = new Ledger(memory, 8);
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

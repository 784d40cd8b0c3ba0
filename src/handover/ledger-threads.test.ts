// The ledger of a thread that dies while it makes a pair of sockets, and of one that hangs beside its successor.

import { afterEach, describe, expect, test } from "bun:test";
import { closeOpened, open, opened, setUpLedger as setUp } from "../../test/helpers/test-ledger.ts";
import { closeDescriptor, duplicate, inodeOf } from "../lib/descriptor.ts";
import { Ledger } from "./ledger.ts";

afterEach(closeOpened);

describe("a shard that died while it made a pair of sockets", () => {
  const die = (main: Ledger): number => {
    main.bury(0);
    return main.sweep(7);
  };

  test("leaves neither of them", () => {
    const { main, shard } = setUp();
    const [first, second] = shard.createPair()!;
    expect(die(main)).toBe(2);
    expect([inodeOf(first), inodeOf(second)]).toEqual([0, 0]);
  });

  test("leaves neither of them, though it didn't live to see their numbers", () => {
    const { main, shard, memory } = setUp();
    const [first, second] = shard.createPair()!;
    const inodes = [inodeOf(first), inodeOf(second)];
    const words = new Int32Array(memory);
    words.forEach((word, at) => inodes.includes(word) && (words[at] = 0));
    expect(die(main)).toBe(2);
    expect([inodeOf(first), inodeOf(second)]).toEqual([0, 0]);
  });

  test("and had one of them as a socket of its own leaves the other's number alone, whosever it is by now", () => {
    const { main, shard } = setUp();
    const [first, second] = shard.createPair()!;
    closeDescriptor(first);
    const foreign = open();
    expect(foreign).toBe(first);
    expect(die(main)).toBe(1);
    expect([inodeOf(foreign) !== 0, inodeOf(second)]).toEqual([true, 0]);
  });

  test("and was just giving one of them away leaves neither, and closes nothing twice", () => {
    const { main, shard } = setUp();
    const [first, second] = shard.createPair()!;
    shard.giving(second);
    closeDescriptor(first);
    expect(die(main)).toBe(1);
    expect(inodeOf(second)).toBe(0);
  });

  test("or had long given it away, leaves the receiver's alone", () => {
    const { main, shard } = setUp();
    const [first, second] = shard.createPair()!;
    shard.giving(second);
    shard.send(second, 1, 8, () => {});
    shard.gave();
    closeDescriptor(first);
    expect(die(main)).toBe(0);
    expect(inodeOf(second)).not.toBe(0);
    expect(main.sweep(8)).toBe(1);
  });
});

describe("security", () => {
  test.each(["pair", "copy"] as const)(
    "a thread that hangs while its successor runs spoils nothing of what that says of its %s, and has nothing of it closed",
    (what) => {
      const { main, shard: hanging, memory } = setUp();
      const [mine, others] = [open(), open()];
      const copy = duplicate(mine);
      opened.push(copy);
      const successor = new Ledger(memory, 9);
      // They take turns at their words: what one has just written is not overwritten by the other.
      hanging.giving(others);
      const pair = what === "pair" ? successor.createPair()! : [];
      if (what === "copy") successor.giving(mine);
      hanging.gave();
      hanging.createPair()!.forEach((fd) => opened.push(fd));
      hanging.giving(others);
      expect(main.sweep(9)).toBe(2);
      expect([...pair, ...(what === "copy" ? [mine, copy] : [])].map(inodeOf)).toEqual([0, 0]);
      expect(inodeOf(others)).not.toBe(0);
    },
  );
});

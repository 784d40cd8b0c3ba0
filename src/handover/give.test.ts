// Giving and adopting that come to nothing: no descriptor, entry or note of them is left.

import { expect, test } from "bun:test";
import { openSync } from "node:fs";
import { eventually } from "../../test/helpers/eventually.ts";
import { closeDescriptor, createPair, inodeOf, openDescriptors } from "../lib/descriptor.ts";
import { createAdopter } from "./adopt.ts";
import { giveAway, givePair } from "./give.ts";
import { createLedgerMemory, Ledger } from "./ledger.ts";

const meta = {
  ...{ address: "192.0.2.1", secure: false, acceptedAtMs: 0, last: false, moves: 0, lent: false },
  unread: "",
};

function setUp() {
  const memory = createLedgerMemory(1024);
  const main = new Ledger(memory, 0);
  main.live(0, 7);
  return { main, shard: new Ledger(memory, 7) };
}

test("a receiver that isn't there leaves the connection as it was, and to nobody's sweep", () => {
  const { main, shard } = setUp();
  const [fd, other] = createPair()!;
  const before = openDescriptors().length;
  expect(giveAway({ fd } as never, meta, shard, () => false)).toBe(false);
  expect(openDescriptors()).toHaveLength(before);
  main.bury(0);
  expect(main.sweep(7)).toBe(0);
  expect(inodeOf(fd)).not.toBe(0);
  for (const one of [fd, other]) closeDescriptor(one);
});

test("what is given is no longer its giver's, whose death leaves it alone", () => {
  const { main, shard } = setUp();
  const [fd, other] = createPair()!;
  const asked: string[] = [];
  const given: number[] = [];
  const socket = { fd, end: () => asked.push("end"), terminate: () => asked.push("terminate") };
  expect(giveAway(socket as never, meta, shard, (moved) => given.push(moved.fd) > 0)).toBe(true);
  // A reset would reach the peer through the duplicate as well.
  expect(asked).toEqual(["end"]);
  main.bury(0);
  expect(main.sweep(7)).toBe(0);
  for (const one of [fd, other, ...given]) expect(closeDescriptor(one)).toBe(true);
});

test("a thread that ends while it posts leaves no duplicate behind", () => {
  const { main, shard } = setUp();
  const [fd, other] = createPair()!;
  const before = openDescriptors().length;
  const die = () => {
    throw new Error("its thread ends here");
  };
  expect(() => giveAway({ fd } as never, meta, shard, die)).toThrow("ends here");
  closeDescriptor(fd);
  main.bury(0);
  expect(main.sweep(7)).toBe(1);
  closeDescriptor(other);
  expect(openDescriptors()).toHaveLength(before - 2);
});

test("a connection for which no descriptor is left is terminated", () => {
  const { main, shard } = setUp();
  const [fd, other] = createPair()!;
  // There when it is noted, gone when it is duplicated: as if there were no number left.
  const descriptors = [fd, -1];
  let ended = 0;
  const socket = {
    get fd() {
      return descriptors.shift();
    },
    terminate: () => ended++,
  };
  expect(giveAway(socket as never, meta, shard, () => expect.unreachable())).toBe(true);
  expect(ended).toBe(1);
  main.bury(0);
  expect(main.sweep(7)).toBe(0);
  for (const one of [fd, other]) expect(closeDescriptor(one)).toBe(true);
});

test("where no descriptors are left no end of a pair is given", () => {
  const ledger = { createPair: () => null } as unknown as Ledger;
  expect(
    givePair(
      ledger,
      () => expect.unreachable(),
      () => expect.unreachable(),
    ),
  ).toBe(false);
});

test("what is adopted is no longer under way", () => {
  const { main, shard } = setUp();
  const [fd, other] = createPair()!;
  main.send(fd, 0, 7, () => {});
  const inFlight: number[] = [];
  const open = (socket: { terminate(): unknown }) => {
    inFlight.push(main.inFlight());
    socket.terminate();
  };
  createAdopter<number>({ data() {}, error() {}, open }, shard, () => expect.unreachable())(fd, 1);
  expect(inFlight).toEqual([0]);
  closeDescriptor(other);
});

test("what arrives and can't be adopted is closed, and no longer under way", async () => {
  const { main, shard } = setUp();
  const before = openDescriptors().length;
  const fd = openSync(import.meta.path, "r");
  main.send(fd, 0, 7, () => {});
  const failed: number[] = [];
  const adopt = createAdopter<number>({ data() {}, error() {} }, shard, (data) => failed.push(data));
  adopt(fd, 1);
  await eventually(() => failed.length > 0, "it is refused");
  expect([failed, main.inFlight(), openDescriptors().length]).toEqual([[1], 0, before]);
});

test("what was swept before it arrived is left to whoever has its number now", () => {
  const { main, shard } = setUp();
  const [fd, other] = createPair()!;
  main.send(fd, 0, 7, () => {});
  main.bury(0);
  expect(main.sweep(7)).toBe(1);
  const [foreign, another] = createPair()!;
  expect(foreign).toBe(fd);
  const failed: number[] = [];
  createAdopter<number>({ data() {}, error() {}, open: () => expect.unreachable() }, shard, (data) =>
    failed.push(data),
  )(fd, 1);
  expect(failed).toEqual([1]);
  for (const one of [other, foreign, another]) closeDescriptor(one);
});

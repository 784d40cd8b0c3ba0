// The supervisor with threads that only exist on paper: whose word counts, who is replaced, and what the dead leave behind.

import { expect, spyOn, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import { startOnPaper, useThreadsOnPaper, workers } from "../../test/helpers/paper-shards.ts";
import { ConnectionCounts } from "../handover/counts.ts";
import { closeDescriptor, createPair, inodeOf } from "../lib/descriptor.ts";
import type { MovedConnection } from "../handover/moved-connection.ts";
import type { ShardStart, ToShard } from "./messages.ts";
import { OrganizationLoad } from "./organization-load.ts";
import type { Supervisor } from "./supervisor.ts";

useThreadsOnPaper();

const moved = (fd: number): MovedConnection => ({ fd }) as MovedConnection;
const posted = (supervisor: Supervisor, fd: number): boolean => supervisor.sendConnection(0, moved(fd));

test("a shard that is being ended is not believed any more, but what it gave away is taken", async () => {
  await using world = await startOnPaper();
  const [old] = workers;
  world.heard.length = 0;
  world.supervisor.replace(0, "a test");
  for (let i = 0; i < 2; i++) {
    old!.say({ type: "events", events: [] });
    old!.say({ type: "ready" });
    old!.say({ type: "connection", connection: moved(-1) });
    old!.close();
    await eventually(() => workers.length === 3, "it has a successor");
  }
  expect(world.heard).toEqual(["a shard died", "replaced 0", "connection 0", "connection 0"]);
  workers[2]!.say({ type: "ready" });
  expect(world.heard.at(-1)).toBe("ready 0");
});

test("nothing is sent to a shard that isn't there, and what was under way to it is closed when its thread has ended", async () => {
  await using world = await startOnPaper();
  const [[lost, lostPeer], [kept, keptPeer]] = [createPair()!, createPair()!];
  expect(posted(world.supervisor, lost)).toBe(true);
  world.supervisor.replace(0, "a test");
  expect(posted(world.supervisor, kept)).toBe(false);
  expect([inodeOf(lost) !== 0, world.options.ledger.isLive(0, 1)]).toEqual([true, false]);
  workers[0]!.close();
  expect([inodeOf(lost), inodeOf(kept) !== 0, world.options.ledger.inFlight()]).toEqual([0, true, 0]);
  for (const fd of [lostPeer, kept, keptPeer]) closeDescriptor(fd);
});

test("a successor starts when its predecessor's thread has ended, with none of its connections counted", async () => {
  await using world = await startOnPaper();
  new ConnectionCounts(world.options.countsMemory, 1).opened("192.0.2.1");
  new ConnectionCounts(world.options.countsMemory, 2).opened("192.0.2.1");
  const { loads } = workers[0]!.told[0] as ShardStart;
  const load = new OrganizationLoad(loads, 0, 1);
  load.add("org", 1);
  world.supervisor.replace(0, "a test");
  world.supervisor.replace(1, "a test");
  workers[1]!.close();
  await eventually(() => workers.length === 3, "the other one has a successor");
  expect([world.options.counts.total(), load.isFull("org")]).toEqual([1, true]);
  workers[0]!.close();
  await eventually(() => workers.length === 4, "it has a successor");
  expect([world.options.counts.total(), load.isFull("org")]).toEqual([0, false]);
  const starts = workers.slice(2).map(({ told: [start] }) => start as ShardStart);
  expect(starts.map(({ shard, incarnation }) => [shard, incarnation])).toEqual([
    [1, 3],
    [0, 4],
  ]);
});

test("a shard that dies before it is up is started again, without anybody losing anything, until that can't help", async () => {
  await using world = await startOnPaper(1);
  workers[0]!.close();
  world.heard.length = 0;
  let deaths = 0;
  for (; !world.heard.includes("fatal") && deaths < 20; deaths++) {
    await eventually(() => workers.length === 2 + deaths, "it has a successor");
    workers.at(-1)!.close();
  }
  expect(world.heard).toEqual([...Array.from({ length: deaths }, () => "a shard died"), "fatal"]);
  expect([deaths > 1, deaths < 20]).toEqual([true, true]);
});

test("shards that are up are introduced to each other, a successor to those that live", async () => {
  await using world = await startOnPaper();
  expect(workers.map(({ types }) => types)).toEqual([
    ["start", "peers", "peer"],
    ["start", "peers"],
  ]);
  world.supervisor.replace(0, "a test");
  workers[0]!.close();
  await eventually(() => workers.length === 3, "it has a successor");
  workers[2]!.say({ type: "ready" });
  const peers = workers[2]!.told.find(({ type }) => type === "peers") as Extract<ToShard, { type: "peers" }>;
  expect([peers.incarnations, workers[1]!.types.at(-1)]).toEqual([[0, 2], "peer"]);
});

test("questions to a shard that dies are given up at once", async () => {
  await using world = await startOnPaper();
  const answer = world.supervisor.check(0, "t");
  world.supervisor.replace(0, "a test");
  expect(await answer).toBeNull();
  workers[0]!.close();
});

test("while the server leaves nobody is started, and a shard that dies has finished", async () => {
  await using world = await startOnPaper();
  world.supervisor.replace(0, "a test");
  const drained = world.supervisor.drain(60_000);
  expect([world.supervisor.isServing(), workers[1]!.types.at(-1)]).toEqual([false, "drain"]);
  workers[0]!.close();
  workers[1]!.close();
  expect(await drained).toBe(true);
  await Bun.sleep(5);
  expect(workers).toHaveLength(2);
});

test("a server that leaves a second time waits for its shards again", async () => {
  await using world = await startOnPaper(1);
  const first = world.supervisor.drain(60_000);
  workers[0]!.say({ type: "drained" });
  expect(await first).toBe(true);
  expect(await world.supervisor.drain(0)).toBe(false);
});

test("a clock that is set at any moment neither cuts short what a leaving server waits for nor lets a shard believe so", async () => {
  await using world = await startOnPaper(1);
  let hours = 0;
  const real = Date.now();
  const clock = spyOn(Date, "now").mockImplementation(() => real + 3_600_000 * ++hours);
  try {
    const drained = world.supervisor.drain(60_000);
    expect(workers[0]!.told.at(-1)).toEqual({ type: "drain", inAllMs: 60_000 });
    const isOver = await Promise.race([drained.then(() => true), Bun.sleep(20).then(() => false)]);
    expect(isOver).toBe(false);
    workers[0]!.say({ type: "drained" });
    expect(await drained).toBe(true);
  } finally {
    clock.mockRestore();
  }
});

test("the end of the server is nobody's death", async () => {
  const world = await startOnPaper();
  world.heard.length = 0;
  await world[Symbol.asyncDispose]();
  expect([world.heard, workers.map(({ types }) => types.at(-1))]).toEqual([[], ["end", "end"]]);
  expect(workers.every(({ wasTerminated }) => wasTerminated)).toBe(true);
});

test("a shard that comes up while the server leaves is told how long that may still take", async () => {
  await using world = await startOnPaper(1);
  world.supervisor.replace(0, "a test");
  workers[0]!.close();
  await eventually(() => workers.length === 2, "it has a successor");
  expect(world.supervisor.isServing()).toBe(false);
  expect(await world.supervisor.drain(60_000)).toBe(true);
  workers[1]!.say({ type: "ready" });
  const { inAllMs } = workers[1]!.told.find(({ type }) => type === "drain") as Extract<ToShard, { type: "drain" }>;
  expect([inAllMs > 0, inAllMs <= 60_000, world.supervisor.isServing()]).toEqual([true, true, false]);
});

// How long the supervisor waits, with threads that only exist on paper: for their start, their ticks, their last words and their end.

import { expect, jest, test } from "bun:test";
import { ending, optionsOf, startOnPaper, useThreadsOnPaper, workers } from "../../test/helpers/paper-shards.ts";
import type { ShardStart } from "./messages.ts";
import { startShards } from "./supervisor.ts";

useThreadsOnPaper();

/** Whatever waits for nothing but promises has gone on. */
async function settled(): Promise<void> {
  for (let i = 0; i < 20; i++) await Promise.resolve();
}

test.each([
  ["one that hangs may still say something, for half a second", true],
  ["one that isn't there says nothing", false],
])("at the end of the server %s", async (_, isThere) => {
  const { supervisor } = await startOnPaper();
  workers[0]!.isStuck = true;
  if (!isThere) supervisor.replace(0, "a test");
  jest.useFakeTimers();
  try {
    const stopped = supervisor.stop();
    const ends = async (afterMs: number): Promise<boolean> => {
      jest.advanceTimersByTime(afterMs);
      await settled();
      return workers[1]!.wasTerminated;
    };
    expect([await ends(1), await ends(498), await ends(1)]).toEqual([!isThere, !isThere, true]);
    for (const worker of workers) worker.close();
    await stopped;
  } finally {
    jest.useRealTimers();
  }
});

test("the successor of a thread that can't be ended starts after 5 s", async () => {
  await using world = await startOnPaper();
  jest.useFakeTimers();
  try {
    world.supervisor.replace(0, "a test");
    const started = async (afterMs: number): Promise<number> => {
      jest.advanceTimersByTime(afterMs);
      await settled();
      return workers.length;
    };
    expect([await started(4_999), await started(1), await started(1)]).toEqual([2, 2, 3]);
  } finally {
    jest.useRealTimers();
  }
});

test("a shard that ticks is left alone, however long it took to start; one that doesn't is ended after 2 s", async () => {
  jest.useFakeTimers();
  try {
    const starting = startShards(optionsOf(1, []));
    const [worker] = workers;
    const ticks = new Int32Array((worker!.told[0] as ShardStart).ticks);
    jest.advanceTimersByTime(10_000);
    worker!.say({ type: "ready" });
    const supervisor = await starting;
    expect(supervisor.isServing()).toBe(true);
    for (let i = 0; i < 100; i++) {
      jest.advanceTimersByTime(250);
      ticks[0]!++;
    }
    jest.advanceTimersByTime(1_999);
    expect(worker!.wasTerminated).toBe(false);
    jest.advanceTimersByTime(251);
    expect([worker!.wasTerminated, supervisor.isServing()]).toEqual([true, false]);
    ending.isQuick = true;
    worker!.close();
    await supervisor.stop();
  } finally {
    jest.useRealTimers();
  }
});

test("the server has started when all of its shards are up", async () => {
  let hasStarted = false;
  const starting = startShards(optionsOf(2, [])).then((supervisor) => ((hasStarted = true), supervisor));
  workers[0]!.say({ type: "ready" });
  await settled();
  expect(hasStarted).toBe(false);
  workers[1]!.say({ type: "ready" });
  ending.isQuick = true;
  await (await starting).stop();
});

test("a shard that does not become ready is ended after 20 s of main's ticks", async () => {
  jest.useFakeTimers();
  try {
    ending.isQuick = true;
    const starting = startShards(optionsOf(1, [])).catch((error: Error) => error.message);
    jest.advanceTimersByTime(19_000);
    expect(workers[0]!.wasTerminated).toBe(false);
    jest.advanceTimersByTime(2_000);
    expect(workers[0]!.wasTerminated).toBe(true);
    expect(await starting).toBe("Shard 0 could not be started: it was not ready in time.");
  } finally {
    jest.useRealTimers();
  }
});

// One timer for all connections: who is due is told, may leave meanwhile, and nothing ticks for nobody.

import { expect, jest, spyOn, test } from "bun:test";
import { Deadlines, type Expiring } from "./deadlines.ts";

const member = (deadline: number, expired: (now: number) => void): Expiring => ({ deadline, expired });

test("only those whose deadline has passed hear of it", async () => {
  const deadlines = new Deadlines(1);
  const { promise, resolve } = Promise.withResolvers<number>();
  const late = member(Infinity, () => expect.unreachable());
  const due = member(performance.now() + 5, (now) => {
    due.deadline = Infinity;
    resolve(now - now);
  });
  deadlines.add(late);
  deadlines.add(due);
  expect(await promise).toBe(0);
  expect([deadlines.size, deadlines.all()]).toEqual([2, [late, due]]);
  deadlines.close();
  expect(deadlines.size).toBe(0);
});

test("a member may take itself and others out while it is told", async () => {
  const deadlines = new Deadlines(1);
  const { promise, resolve } = Promise.withResolvers<void>();
  let told = 0;
  const second = member(0, () => told++);
  deadlines.add(
    member(0, () => {
      for (const one of deadlines.all()) deadlines.delete(one);
      resolve();
    }),
  );
  deadlines.add(second);
  await promise;
  expect([told, deadlines.size]).toEqual([0, 0]);
  deadlines.close();
});

test("one timer is enough for all", () => {
  jest.useFakeTimers();
  try {
    const deadlines = new Deadlines(250);
    for (let i = 0; i < 3; i++) deadlines.add(member(Infinity, () => {}));
    expect(jest.getTimerCount()).toBe(1);
    deadlines.close();
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

test("after a standstill nobody is told before what has come meanwhile could be read", () => {
  jest.useFakeTimers();
  let now = 10_000;
  const clock = spyOn(performance, "now").mockImplementation(() => now);
  try {
    const deadlines = new Deadlines(250);
    const told: number[] = [];
    // Nobody looked so far: that is no standstill.
    now += 10_000;
    deadlines.add(member(now + 250, (at) => told.push(at)));
    now += 250;
    jest.advanceTimersByTime(250);
    expect(told).toEqual([now]);
    now += 5_000;
    jest.advanceTimersByTime(250);
    expect(told).toHaveLength(1);
    now += 250;
    jest.advanceTimersByTime(250);
    expect(told).toEqual([20_250, now]);
    deadlines.close();
  } finally {
    clock.mockRestore();
    jest.useRealTimers();
  }
});

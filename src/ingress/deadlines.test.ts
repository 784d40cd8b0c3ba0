// One timer for all connections: who is due is told, may leave meanwhile, and nothing ticks for nobody.

import { expect, test } from "bun:test";
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

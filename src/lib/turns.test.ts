// Work in turns: one by one, in order, with room for others in between.

import { expect, test } from "bun:test";
import { createTurns } from "./turns.ts";

test("a crowd comes in one by one, in order, and timers and others have their turns in between", async () => {
  const turn = createTurns();
  const seen: string[] = [];
  const enter = async (name: string): Promise<void> => {
    await turn();
    seen.push(name);
    // What goes on without waiting for the world still belongs to the same turn.
    await Promise.resolve();
    seen.push(`${name}!`);
  };
  const all = Promise.all(["a", "b", "c"].map(enter));
  setImmediate(() => setImmediate(() => seen.push("other")));
  await all;
  expect(seen).toEqual(["a", "a!", "b", "b!", "other", "c", "c!"]);
  await enter("later");
  expect(seen.slice(-2)).toEqual(["later", "later!"]);
});

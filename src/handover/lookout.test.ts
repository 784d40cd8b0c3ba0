// Looking again: at all that wait, as long as one does.

import { expect, jest, test } from "bun:test";
import { Lookout } from "./lookout.ts";

test("who still waits is looked at when another has left, and nobody when all have", () => {
  jest.useFakeTimers();
  try {
    const lookout = new Lookout();
    const seen: string[] = [];
    const [one, two] = ["one", "two"].map((name) => ({ lookAgain: () => void seen.push(name) })) as [never, never];
    lookout.add(one);
    lookout.add(two);
    lookout.delete(one);
    jest.advanceTimersByTime(300);
    expect(seen).toEqual(["two"]);
    lookout.delete(two);
    expect([lookout.size, jest.getTimerCount()]).toEqual([0, 0]);
    lookout.add(one);
    jest.advanceTimersByTime(300);
    expect(seen).toEqual(["two", "one"]);
    lookout.delete(one);
  } finally {
    jest.useRealTimers();
  }
});

// Answers of shards find the one who asked, and nobody waits for ever.

import { expect, jest, test } from "bun:test";
import { Replies } from "./replies.ts";

test("an answer reaches the one who asked; a stranger's, a second and an unknown one nobody", async () => {
  const replies = new Replies();
  let id = 0;
  const answer = replies.ask(1, "none", 1000, (given) => (id = given));
  replies.settle(0, id, "forged");
  replies.settle(1, 99, "unknown");
  replies.settle(1, id, "right");
  replies.settle(1, id, "again");
  expect(await answer).toBe("right");
});

test("time-outs and dead shards answer with the fallback", async () => {
  const replies = new Replies();
  const [slow, dead, other] = [1, 2, 3].map((shard) => replies.ask(shard, `none ${shard}`, 5, () => {}));
  replies.drop(2);
  expect(await Promise.all([slow, dead, other])).toEqual(["none 1", "none 2", "none 3"]);
});

test("the number of questions is bounded", async () => {
  const replies = new Replies();
  for (let i = 0; i < 1000; i++) void replies.ask(0, i, 60_000, () => {});
  expect(await replies.ask(0, "full", 60_000, () => expect.unreachable())).toBe("full");
  replies.drop(0);
});

test("a question that is answered, or whose shard died, takes no place and no timer any more", async () => {
  jest.useFakeTimers();
  try {
    const replies = new Replies();
    for (let i = 0; i < 1_500; i++) {
      const answer = replies.ask(0, "none", 60_000, (id) => replies.settle(0, id, "right"));
      expect(await answer).toBe("right");
    }
    const other = replies.ask(1, "none", 60_000, () => {});
    const dropped = replies.ask(0, "none", 60_000, () => {});
    replies.drop(0);
    expect(await dropped).toBe("none");
    expect(jest.getTimerCount()).toBe(1);
    replies.drop(1);
    await other;
    expect(jest.getTimerCount()).toBe(0);
  } finally {
    jest.useRealTimers();
  }
});

// Tests of what a shard's judge keeps: questions under way, compiled ranges, and blocked addresses, all bounded.

import { afterEach, describe, expect, jest, test } from "bun:test";
import type { Answer, Ask } from "../../src/link/messages.ts";
import { createPolicyState } from "./state.ts";

afterEach(() => void jest.useRealTimers());

const question: Ask = { kind: "session", name: "app", appId: null, session: "s", address: "192.0.2.1", network: null };
const answer: Answer = { kind: "unavailable" };

/** A state whose questions are answered by the test, in their order, and whose clock stands until it is moved. */
function setUp() {
  const clock = { ms: 1_000_000 };
  const asked: ((answer: Answer) => void)[] = [];
  const ask = (): Promise<Answer> => new Promise((resolve) => void asked.push(resolve));
  return { clock, asked, state: createPolicyState({ scheme: "http", ask, nowMs: () => clock.ms }) };
}

test("a question is asked again once it has been answered", async () => {
  const { asked, state } = setUp();
  const first = [state.ask("a", question), state.ask("a", question)];
  expect(asked).toHaveLength(1);
  asked[0]!(answer);
  expect(await Promise.all(first)).toEqual([answer, answer]);
  void state.ask("a", question);
  expect(asked).toHaveLength(2);
});

test("a list of ranges is compiled once", () => {
  const { state } = setUp();
  const [list, other] = [["192.0.2.0/24"], ["198.51.100.0/24"]];
  expect(state.ranges(list)).toBe(state.ranges(list));
  expect([state.ranges(list).matches("192.0.2.1"), state.ranges(other).matches("192.0.2.1")]).toEqual([true, false]);
});

describe("security", () => {
  test("256 questions are under way at most, and one that nobody answers ends after 15 seconds", async () => {
    jest.useFakeTimers();
    const { asked, state } = setUp();
    const answers = Array.from({ length: 256 }, (_, i) => state.ask(`q${i}`, question));
    expect(await state.ask("one more", question)).toBeNull();
    expect(asked).toHaveLength(256);
    const same = state.ask("q0", question);
    asked[0]!(answer);
    expect(await same).toEqual(answer);
    expect(jest.getTimerCount()).toBe(255);
    void state.ask("in its place", question);
    expect(asked).toHaveLength(257);
    let isDone = false;
    void answers[255]!.then(() => (isDone = true));
    jest.advanceTimersByTime(14_999);
    for (let i = 0; i < 10; i++) await Promise.resolve();
    expect(isDone).toBe(false);
    jest.advanceTimersByTime(1);
    expect(await answers[255]!).toBeNull();
  });

  test("an address is blocked under one scope, until the time that main said last", () => {
    const { clock, state } = setUp();
    const until = (): number[] =>
      [
        ["a", "192.0.2.1"],
        ["b", "192.0.2.1"],
        ["a", "192.0.2.2"],
        ["a1", "92.0.2.1"],
      ].map(([scope, network]) => state.blockedUntilMs(scope!, network!));
    expect(until()).toEqual([0, 0, 0, 0]);
    state.block("a", "192.0.2.1", clock.ms + 10);
    expect(until()).toEqual([clock.ms + 10, 0, 0, 0]);
    state.block("a", "192.0.2.1", clock.ms + 5);
    state.block("b", "192.0.2.1", clock.ms);
    expect(until()).toEqual([clock.ms + 5, 0, 0, 0]);
    clock.ms += 5;
    expect(until()).toEqual([0, 0, 0, 0]);
    clock.ms -= 5;
    expect(until()).toEqual([0, 0, 0, 0]);
    state.block("a", "192.0.2.1", clock.ms + 5);
    state.block("a", "192.0.2.1", 0);
    expect(until()).toEqual([0, 0, 0, 0]);
  });

  test("a block is no longer than it was when it was told, whatever the clock was then", () => {
    const { clock, state } = setUp();
    clock.ms += 365 * 86_400_000;
    state.block("a", "192.0.2.1", clock.ms + 10);
    clock.ms -= 365 * 86_400_000;
    expect(state.blockedUntilMs("a", "192.0.2.1")).toBe(clock.ms + 10);
    clock.ms += 10;
    expect(state.blockedUntilMs("a", "192.0.2.1")).toBe(0);
  });

  test("an address that stands for everybody behind a proxy is never blocked", () => {
    const { clock, state } = setUp();
    state.block("a", null, clock.ms + 10);
    state.block("a", "192.0.2.1", clock.ms + 10);
    expect([state.blockedUntilMs("a", null), state.blockedUntilMs("a", "null")]).toEqual([0, 0]);
  });

  test("ten thousand blocks are remembered, the latest ones", () => {
    const { clock, state } = setUp();
    const block = (n: number): void => state.block("a", `n${n}`, clock.ms + 10);
    for (let n = 0; n < 10_000; n++) block(n);
    block(0);
    block(10_000);
    // What is over takes nobody's place.
    state.block("a", "lifted", 0);
    const known = Array.from({ length: 10_001 }, (_, n) => n).filter((n) => state.blockedUntilMs("a", `n${n}`) > 0);
    expect([known.length, known[0], known[1], known.at(-1)]).toEqual([10_000, 0, 2, 10_000]);
  });
});

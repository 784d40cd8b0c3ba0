// Tests of the failure limiter: the window slides, parallel guesses count, blocks end and survive.

import { describe, expect, test } from "bun:test";
import { createLimiter } from "./limiter.ts";
import {
  countedAs,
  type AttemptVerdict,
  type LimitedKey,
  type LimiterStore,
  type StoredBlock,
  type StoredFailures,
} from "./limiter-types.ts";

const rule = { maxAttempts: 3, windowMs: 60_000, blockMs: 120_000 };
const key: LimitedKey = { scope: "login", subject: "203.0.113.7", rule };

function createMemoryStore(): LimiterStore & { failures: StoredFailures[]; blocks: StoredBlock[] } {
  const store = {
    failures: [] as StoredFailures[],
    blocks: [] as StoredBlock[],
    load: async () => ({ failures: store.failures, blocks: store.blocks }),
    async saveFailures(row: StoredFailures) {
      store.failures = store.failures.filter(
        (known) => known.slotAtMs !== row.slotAtMs || known.subject !== row.subject,
      );
      store.failures.push(row);
    },
    async saveBlock(row: StoredBlock) {
      store.failures = store.failures.filter(({ subject }) => subject !== row.subject);
      store.blocks.push(row);
    },
  };
  return store;
}

function create(store = createMemoryStore()) {
  const clock = { nowMs: 1_900_000_000_000 };
  const limiter = createLimiter({ store, nowMs: () => clock.nowMs });
  const fail = async (limited: LimitedKey = key): Promise<boolean> => {
    const verdict = await limiter.begin([limited]);
    if (!verdict.allowed) return false;
    await verdict.attempt.fail();
    return true;
  };
  return { limiter, clock, store, fail };
}

/** Everything that was decided has been told. */
const turn = () => new Promise((resolve) => setImmediate(resolve));

function attemptOf(verdict: AttemptVerdict) {
  if (!verdict.allowed) throw new Error("refused");
  return verdict.attempt;
}

test("blocks after the last allowed failure, for as long as the rule says", async () => {
  const { limiter, clock, fail } = create();
  expect([await fail(), await fail(), await fail(), await fail()]).toEqual([true, true, true, false]);
  expect(await limiter.begin([key])).toEqual({ allowed: false, retryAfterMs: 120_000 });
  clock.nowMs += 120_000;
  expect((await limiter.begin([key])).allowed).toBe(true);
});

test("a block is never longer than its rule, whatever the clock was when it began", async () => {
  const { store, clock, fail } = create();
  clock.nowMs += 365 * 86_400_000;
  for (let i = 0; i < 3; i++) await fail();
  const next = create(store);
  await next.limiter.restore();
  expect(next.limiter.blockedForMs(key)).toBe(120_000);
  expect(await next.limiter.begin([key])).toEqual({ allowed: false, retryAfterMs: 120_000 });
  next.clock.nowMs += 120_000;
  expect((await next.limiter.begin([key])).allowed).toBe(true);
});

test("a failure counts for no longer than its window, whatever the clock was when it was counted", async () => {
  const { store, clock, limiter, fail } = create();
  const stepBack = (of: typeof clock) => (of.nowMs -= 365 * 86_400_000);
  for (let i = 0; i < 2; i++) await fail();
  stepBack(clock);
  const next = create(store);
  stepBack(next.clock);
  await next.limiter.restore();
  for (const one of [{ limiter, clock }, next]) {
    expect([one.limiter.failures(key), (await one.limiter.begin([key])).allowed]).toEqual([2, true]);
    one.clock.nowMs += 70_000;
    expect(one.limiter.failures(key)).toBe(0);
  }
});

test("the window slides: old failures leave it", async () => {
  const { clock, fail } = create();
  await fail();
  await fail();
  clock.nowMs += 70_000;
  expect([await fail(), await fail(), await fail(), await fail()]).toEqual([true, true, true, false]);
});

test("a success takes its own failures back from every key, and nobody else's", async () => {
  const store = createMemoryStore();
  const { limiter } = create(store);
  const pair: LimitedKey = { ...key, scope: "login-user", subject: "mary 203.0.113.7" };
  await attemptOf(await limiter.begin([key])).fail();
  await attemptOf(await limiter.begin([key, pair])).fail();
  await attemptOf(await limiter.begin([key, pair])).succeed(pair);
  expect([limiter.failures(key), limiter.failures(pair)]).toEqual([1, 0]);
  const { limiter: restarted } = create(store);
  await restarted.restore();
  expect([restarted.failures(key), restarted.failures(pair)]).toEqual([1, 0]);
});

test("what a key that only counts has counted is taken back from the others, whatever their window", async () => {
  for (const windowMs of [1_000, 60_000, 7_200_000]) {
    const { limiter } = create();
    const limited: LimitedKey = { ...key, rule: { ...rule, windowMs } };
    const counted: LimitedKey = { scope: "totp", subject: "mary 203.0.113.7", rule: countedAs(limited.rule) };
    await attemptOf(await limiter.begin([limited, counted])).fail();
    await attemptOf(await limiter.begin([limited, counted])).succeed(counted);
    expect([limiter.failures(limited), limiter.failures(counted)]).toEqual([0, 0]);
  }
});

test("what counts in another window stays counted, be it in slots that begin at the same time", async () => {
  const { limiter, clock } = create();
  clock.nowMs = 1_899_999_960_000;
  const day: LimitedKey = { ...key, scope: "totp-day", rule: { ...rule, windowMs: 900_000 } };
  await attemptOf(await limiter.begin([key, day])).fail();
  await attemptOf(await limiter.begin([key, day])).succeed(key);
  expect([limiter.failures(key), limiter.failures(day)]).toEqual([0, 1]);
});

test("of several keys the longest block is told; a rule that was tightened refuses until failures leave its window", async () => {
  const { limiter, clock, fail } = create();
  const late: LimitedKey = { ...key, subject: "late" };
  for (let i = 0; i < 3; i++) await fail();
  clock.nowMs += 20_000;
  for (let i = 0; i < 3; i++) await fail(late);
  for (const keys of [
    [key, late],
    [late, key],
  ])
    expect(await limiter.begin(keys)).toEqual({ allowed: false, retryAfterMs: 120_000 });
  const tightened: LimitedKey = { ...key, scope: "totp", rule: { ...rule, maxAttempts: 1 } };
  await fail({ ...tightened, rule });
  expect(await limiter.begin([tightened])).toEqual({ allowed: false, retryAfterMs: 1_000 });
  expect(await limiter.begin([late, tightened])).toEqual({ allowed: false, retryAfterMs: 120_000 });
});

test("other subjects and scopes are not concerned; a key that only counts never blocks", async () => {
  const { limiter, fail } = create();
  for (let i = 0; i < 3; i++) await fail();
  expect((await limiter.begin([{ ...key, subject: "203.0.113.8" }])).allowed).toBe(true);
  expect((await limiter.begin([{ ...key, scope: "totp" }])).allowed).toBe(true);
  const counted: LimitedKey = { scope: "login-name", subject: "mary", rule: countedAs(rule) };
  for (let i = 0; i < 50; i++) expect(await fail(counted)).toBe(true);
  expect(limiter.failures(counted)).toBe(50);
});

describe("security", () => {
  /** Begins `count` attempts at once; what has been decided so far, in order. */
  const beginAll = (limiter: ReturnType<typeof create>["limiter"], count: number) => {
    const decided: AttemptVerdict[] = [];
    const all = Array.from({ length: count }, () => limiter.begin([key]).then((verdict) => void decided.push(verdict)));
    return { decided, all: Promise.all(all) };
  };

  test("no more attempts are under way than may fail; wrong ones end the rest", async () => {
    const { limiter } = create();
    const { decided, all } = beginAll(limiter, 10);
    await turn();
    expect(decided.map(({ allowed }) => allowed)).toEqual([true, true, true]);
    for (const verdict of decided.slice(0, 2)) await attemptOf(verdict).fail();
    expect(decided).toHaveLength(3);
    await attemptOf(decided[2]!).fail();
    await all;
    expect(decided.slice(3)).toEqual(Array.from({ length: 7 }, () => ({ allowed: false, retryAfterMs: 120_000 })));
  });

  test("right ones are never refused, however many come at once: the surplus waits in its order", async () => {
    const { limiter, fail } = create();
    await fail();
    const { decided, all } = beginAll(limiter, 50);
    for (let i = 0; i < 50; i++) {
      await turn();
      expect(decided.length).toBe(Math.min(50, i + 2));
      const attempt = attemptOf(decided[i]!);
      if (i % 2 === 0) await attempt.succeed();
      else attempt.abandon();
    }
    await all;
  });

  test("what waits is bounded, per key and in all", async () => {
    const { limiter } = create();
    const ends: Promise<unknown>[] = [];
    const begin = (subject: string) => {
      const verdict = limiter.begin([{ ...key, subject }]);
      ends.push(verdict.catch(() => undefined));
      return verdict;
    };
    for (let i = 0; i < 103; i++) void begin("a");
    expect(begin("a")).rejects.toMatchObject({ code: "unavailable", retryAfterMs: 2_000 });
    for (let subject = 0; subject < 9; subject++) for (let i = 0; i < 103; i++) void begin(`b${subject}`);
    for (let i = 0; i < 3; i++) void begin("c");
    expect(begin("c")).rejects.toMatchObject({ code: "unavailable" });
    expect((await begin("d")).allowed).toBe(true);
  });

  test("who has waited makes room for others", async () => {
    const { limiter } = create();
    const once: LimitedKey = { ...key, rule: { ...rule, maxAttempts: 1 } };
    for (let i = 0; i < 1_100; i++) {
      const first = attemptOf(await limiter.begin([once]));
      const second = limiter.begin([once]);
      first.abandon();
      attemptOf(await second).abandon();
    }
  });

  test("an attempt that waits at one key may then have to wait at another", async () => {
    const { limiter } = create();
    const once = (subject: string): LimitedKey => ({ ...key, subject, rule: { ...rule, maxAttempts: 1 } });
    const [a, b] = [attemptOf(await limiter.begin([once("a")])), attemptOf(await limiter.begin([once("b")]))];
    let decided: AttemptVerdict | null = null;
    const both = limiter.begin([once("a"), once("b")]).then((verdict) => (decided = verdict));
    await a.succeed();
    await turn();
    expect(decided).toBeNull();
    await b.succeed();
    expect((await both).allowed).toBe(true);
  });

  test("a failure that is counted afterwards blocks as well", async () => {
    const { limiter, clock } = create();
    const outcomes = [await limiter.fail([key]), await limiter.fail([key]), await limiter.fail([key])];
    expect(outcomes.map(({ blocked }) => blocked)).toEqual([false, false, true]);
    expect((await limiter.begin([key])).allowed).toBe(false);
    clock.nowMs += 20_000;
    for (let i = 0; i < 3; i++) expect(await limiter.fail([key])).toEqual({ blocked: false });
    expect(limiter.blockedForMs(key)).toBe(100_000);
  });

  test("the failure that blocks one of its keys says so", async () => {
    const { limiter } = create();
    const lenient: LimitedKey = { ...key, scope: "login-name", rule: countedAs(rule) };
    const outcomes = [];
    for (let i = 0; i < 3; i++) outcomes.push(await attemptOf(await limiter.begin([lenient, key])).fail());
    expect(outcomes.map(({ blocked }) => blocked)).toEqual([false, false, true]);
  });

  test("an outcome counts once", async () => {
    const { limiter, fail } = create();
    const attempt = attemptOf(await limiter.begin([key]));
    await attempt.fail();
    attempt.abandon();
    await attempt.succeed(key);
    expect([await fail(), await fail(), await fail()]).toEqual([true, true, false]);
  });

  test("failures and blocks survive a restart", async () => {
    const { store, fail } = create();
    await fail();
    await fail();
    const second = create(store);
    await second.limiter.restore();
    expect([await second.fail(), await second.fail()]).toEqual([true, false]);
    expect(second.limiter.blockedForMs(key)).toBe(120_000);
    const third = create(store);
    await third.limiter.restore();
    expect(await third.fail()).toBe(false);
  });

  test("what was stored counts in the window of its rule, once that is known again", async () => {
    const { store, fail } = create();
    await fail();
    const next = create(store);
    next.clock.nowMs += 600_000;
    await next.limiter.restore();
    expect(next.limiter.failures(key)).toBe(1);
    attemptOf(await next.limiter.begin([key])).abandon();
    expect(next.limiter.failures(key)).toBe(0);
  });

  test("a flood pushes out neither a block nor what is counted under another scope, failures of its own or not", async () => {
    const { limiter, fail } = create({ ...createMemoryStore(), saveFailures: async () => {} });
    const counted: LimitedKey = { ...key, scope: "totp", subject: "mary" };
    for (let i = 0; i < 2; i++) await fail(counted);
    for (let i = 0; i < 3; i++) await fail();
    for (let i = 0; i < 60_000; i++) await limiter.fail([{ ...key, subject: `flood${i}` }]);
    expect(await fail()).toBe(false);
    expect([await fail(counted), await fail(counted)]).toEqual([true, false]);
    const flood = (i: number): number => limiter.failures({ ...key, subject: `flood${i}` });
    expect([0, 20_000, 59_999].map(flood)).toEqual([0, 1, 1]);
  });
});

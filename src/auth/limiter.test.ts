// Tests of the failure limiter: the window slides, parallel guesses count, blocks end and survive.

import { describe, expect, test } from "bun:test";
import { createLimiter, type LimitedKey, type LimiterStore, type StoredBlock, type StoredFailures } from "./limiter.ts";

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
    async remove(_scope: string, subject: string) {
      store.failures = store.failures.filter((row) => row.subject !== subject);
      store.blocks = store.blocks.filter((row) => row.subject !== subject);
    },
  };
  return store;
}

function create(store = createMemoryStore()) {
  const clock = { nowMs: 1_900_000_000_000 };
  const limiter = createLimiter({ store, nowMs: () => clock.nowMs });
  const fail = async (limited: LimitedKey = key): Promise<boolean> => {
    const verdict = limiter.begin([limited]);
    if (!verdict.allowed) return false;
    await verdict.attempt.fail();
    return true;
  };
  return { limiter, clock, store, fail };
}

test("blocks after the last allowed failure, for as long as the rule says", async () => {
  const { limiter, clock, fail } = create();
  expect([await fail(), await fail(), await fail(), await fail()]).toEqual([true, true, true, false]);
  expect(limiter.begin([key])).toEqual({ allowed: false, retryAfterMs: 120_000 });
  clock.nowMs += 120_000;
  expect(limiter.begin([key]).allowed).toBe(true);
});

test("the window slides: old failures leave it", async () => {
  const { clock, fail } = create();
  await fail();
  await fail();
  clock.nowMs += 70_000;
  expect([await fail(), await fail(), await fail(), await fail()]).toEqual([true, true, true, false]);
});

test("successes forget what they are told to forget", async () => {
  const { limiter, fail } = create();
  await fail();
  await fail();
  const verdict = limiter.begin([key]);
  if (verdict.allowed) await verdict.attempt.succeed([key]);
  expect([await fail(), await fail(), await fail(), await fail()]).toEqual([true, true, true, false]);
});

test("other subjects and scopes are not concerned; a key without rule never blocks", async () => {
  const { limiter, fail } = create();
  for (let i = 0; i < 3; i++) await fail();
  expect(limiter.begin([{ ...key, subject: "203.0.113.8" }]).allowed).toBe(true);
  expect(limiter.begin([{ ...key, scope: "totp" }]).allowed).toBe(true);
  const counted: LimitedKey = { scope: "login-name", subject: "mary", rule: null };
  for (let i = 0; i < 50; i++) expect(await fail(counted)).toBe(true);
  expect(limiter.failures(counted)).toBe(50);
});

describe("security", () => {
  test("attempts in flight count", async () => {
    const { limiter } = create();
    const verdicts = Array.from({ length: 10 }, () => limiter.begin([key]));
    expect(verdicts.filter(({ allowed }) => allowed)).toHaveLength(3);
    for (const verdict of verdicts) if (verdict.allowed) verdict.attempt.abandon();
    expect(limiter.begin([key]).allowed).toBe(true);
  });

  test("an outcome counts once", async () => {
    const { limiter, fail } = create();
    const verdict = limiter.begin([key]);
    if (!verdict.allowed) throw new Error("refused");
    await verdict.attempt.fail();
    verdict.attempt.abandon();
    await verdict.attempt.succeed([key]);
    expect([await fail(), await fail(), await fail()]).toEqual([true, true, false]);
  });

  test("failures and blocks survive a restart", async () => {
    const { store, fail } = create();
    await fail();
    await fail();
    const second = create(store);
    await second.limiter.restore();
    expect([await second.fail(), await second.fail()]).toEqual([true, false]);
    const third = create(store);
    await third.limiter.restore();
    expect(await third.fail()).toBe(false);
  });

  test("memory is bounded, and a block is not pushed out by a flood", async () => {
    const { limiter, fail } = create();
    for (let i = 0; i < 3; i++) await fail();
    for (let i = 0; i < 120_000; i++) {
      const verdict = limiter.begin([{ ...key, subject: `flood${i}` }]);
      if (verdict.allowed) verdict.attempt.abandon();
    }
    expect(await fail()).toBe(false);
  });
});

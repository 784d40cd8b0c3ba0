// What is known of the local services of agents that share a name: up only when all of them are.

import { expect, test } from "bun:test";
import type { LocalStatus } from "../src/link/messages.ts";
import { LocalHealth } from "./local-health.ts";

function setUp() {
  const asked: number[] = [];
  const changes: LocalStatus["state"][] = [];
  const service = {
    checkIntervalMs: 5_000,
    isShared: true,
    sendCheck(id: number) {
      asked.push(id);
      return 2;
    },
    healthChanged: (status: LocalStatus) => changes.push(status.state),
  };
  return { health: new LocalHealth(service), service, asked, changes };
}

test("one of two that is down is told, and what the other one says doesn't make it up", () => {
  const { health, changes, asked } = setUp();
  health.check();
  health.checked({ ok: true, ms: 1 }, 1);
  expect(health.status).toEqual({ state: "unknown" });
  health.checked({ ok: false, error: "refused" }, 1);
  health.hasAnswered();
  health.settle();
  expect(health.status).toMatchObject({ state: "down", why: "refused" });
  health.tick(performance.now() + 6_000);
  expect(asked).toEqual([1, 2]);
  health.checked({ ok: true, ms: 1 }, 2);
  health.hasAnswered();
  health.settle();
  expect(changes).toEqual(["down"]);
  health.checked({ ok: true, ms: 1 }, 2);
  expect(changes).toEqual(["down", "up"]);
});

test("whoever asks is told once, when all have answered or one is down", () => {
  const { health } = setUp();
  const told: LocalStatus["state"][] = [];
  const ask = () => health.check(({ state }) => told.push(state));
  ask();
  health.checked({ ok: true, ms: 1 }, 1);
  expect(told).toEqual([]);
  health.checked({ ok: true, ms: 1 }, 1);
  expect(told).toEqual(["up"]);
  ask();
  health.checked({ ok: false, error: "refused" }, 2);
  health.checked({ ok: true, ms: 1 }, 2);
  expect(told).toEqual(["up", "down"]);
});

test("an answer proves that one alone is up", () => {
  const { health, service } = setUp();
  health.failed("refused");
  service.isShared = false;
  health.hasAnswered();
  health.settle();
  expect(health.status.state).toBe("up");
});

test("what an agent says of its service is bounded, and no time is negative", () => {
  const { health } = setUp();
  health.check();
  health.checked({ ok: false, error: "x".repeat(10_000) }, 1);
  expect(health.status).toMatchObject({ state: "down", why: "x".repeat(200) });
  health.check();
  for (let i = 0; i < 2; i++) health.checked({ ok: true, ms: -1 }, 2);
  expect(health.status).toMatchObject({ state: "up", connectMs: null });
});

test("an answer from before a failure is no proof, and failures don't put the next check off", () => {
  const { health, service, asked } = setUp();
  service.isShared = false;
  health.hasAnswered();
  health.failed("refused");
  expect([health.settle(), health.status.state]).toEqual([false, "down"]);
  service.checkIntervalMs = 60_000;
  health.doubted();
  health.tick(performance.now() + 6_000);
  expect(asked).toEqual([1]);
});

test("a check that nobody answered in time is made again, until somebody does", () => {
  const { health, asked } = setUp();
  // Whole: sums of fractions depend on the order.
  const now = Math.floor(performance.now());
  health.check();
  health.tick(now + 9_000);
  health.tick(now + 13_000);
  expect(asked).toEqual([1]);
  health.tick(now + 14_000);
  expect(asked).toEqual([1, 2]);
  health.checked({ ok: false, error: "too late" }, 1);
  expect(health.status).toEqual({ state: "unknown" });
  health.checked({ ok: true, ms: 1 }, 2);
  health.checked({ ok: true, ms: 1 }, 2);
  health.tick(now + 60_000);
  expect([health.status.state, asked]).toEqual(["up", [1, 2]]);
});

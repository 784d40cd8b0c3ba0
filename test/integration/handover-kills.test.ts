// Shards killed under load: what was on its way to them is closed, and nothing else is. `bun run soak` does this 200 times.

import { expect, test } from "bun:test";
import { killUnderLoad } from "../helpers/kill-under-load.ts";

test("20 kills under load: no foreign descriptor is closed, none leaks, no answer is wrong", async () => {
  const report = await killUnderLoad(20);
  expect(report).toMatchObject({ kills: 20, wrong: 0, canariesHit: 0, inFlight: 0, connections: 0 });
  expect(report.descriptorsAfter).toBe(report.descriptorsBefore);
  expect(report.finished).toBeGreaterThan(100);
}, 60_000);

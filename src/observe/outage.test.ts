// Failures that go on: few lines, and one when they are over.

import { expect, test } from "bun:test";
import { createLogger } from "../lib/log.ts";
import { Outage } from "./outage.ts";

test("is told at once, once a minute with its number, and when it is over", () => {
  const lines: Record<string, unknown>[] = [];
  const log = createLogger({ level: "info", format: "json", write: (line) => lines.push(JSON.parse(line)) });
  let nowMs = 0;
  const outage = new Outage(log, { failing: "it fails", works: "it works again" }, () => nowMs);
  outage.worked();
  for (; nowMs < 90_000; nowMs += 1_000) outage.failed(new Error("no connection"), { waiting: nowMs });
  outage.worked();
  outage.worked();
  outage.failed("once more");
  const failing = { level: "error", message: "it fails" };
  expect(lines).toMatchObject([
    { ...failing, error: "Error: no connection", waiting: 0, times: 1 },
    { ...failing, waiting: 60_000, times: 60 },
    { level: "info", message: "it works again", afterMs: 90_000 },
    { ...failing, error: "once more", times: 1 },
  ]);
});

// The verdicts on made-up reports: what passes, what is short, and what a run did not measure.

import { expect, test } from "bun:test";
import { compareWithAims } from "./aims.ts";
import type { BenchReport } from "./report.ts";
import type { Sample } from "./rotate.ts";

const sample = (rate: number, cpuUs: number): Sample => ({
  rate,
  units: 1000,
  p50Us: 300,
  p99Us: 900,
  errors: 0,
  serverCpuUs: cpuUs / 2,
  agentCpuUs: cpuUs / 2,
});

function reportWith(rows: BenchReport["rows"]): BenchReport {
  const party = (name: string, kind: string) => ({ name, kind, about: "", leftOut: null });
  return {
    startedAt: "2026-01-01T00:00:00.000Z",
    durationMs: 1,
    machine: { cpu: "", cores: 2, memoryBytes: 1, kernel: "", bun: "", loadBefore: 0, loadAfter: 0 },
    options: {
      seconds: 1,
      warmUpSeconds: 1,
      rounds: 1,
      rows: [],
      parties: [],
      bulkBytes: 1,
      idleSessions: 1,
      out: null,
      quick: true,
      awake: false,
    },
    parties: [
      party("nginx", "yardstick"),
      party("digit-link", "ours"),
      party("rathole", "peer"),
      party("bore", "peer"),
    ],
    rows,
    memory: {},
    idleSessions: null,
    controlPlane: null,
  };
}

const verdictOn = (report: BenchReport, aim: string) =>
  compareWithAims(report).find((result) => result.aim.startsWith(aim));

test("shares are taken round by round, so a slow round of the machine changes nothing", () => {
  const report = reportWith({
    "rps-64": {
      nginx: [sample(40_000, 20), sample(4_000, 20), sample(40_000, 20)],
      "digit-link": [sample(30_000, 30), sample(3_000, 30), sample(20_000, 30)],
      rathole: [sample(29_000, 40), sample(2_900, 40), sample(19_000, 40)],
      bore: [sample(25_000, 25), sample(2_500, 25), sample(15_000, 25)],
    },
  });
  expect(verdictOn(report, "requests/s of nginx at 64")).toMatchObject({ passed: true, found: "75.0 %" });
  expect(verdictOn(report, "rps-64: ahead of every peer")?.passed).toBe(true);
  expect(verdictOn(report, "CPU per request at 64 connections below rathole")?.passed).toBe(true);
  expect(verdictOn(report, "CPU per request at 64 connections below bore")).toMatchObject({
    passed: false,
    found: "30.0 µs against 25.0 µs, over by 20.0 %",
  });
});

test("one peer ahead is enough to be short, and it is named", () => {
  const report = reportWith({
    ws: { "digit-link": [sample(90, 1)], rathole: [sample(100, 1)], bore: [sample(50, 1)] },
  });
  expect(verdictOn(report, "ws: ahead")).toMatchObject({ passed: false, found: "0.90 × rathole, short by 10.0 %" });
});

test("what was not measured is neither passed nor failed", () => {
  for (const result of compareWithAims(reportWith({}))) {
    if (result.aim.startsWith("no errors")) continue;
    expect(result).toMatchObject({ passed: null, found: "not measured" });
  }
});

test("an error of ours fails the run's last aim, a peer's does not", () => {
  const broken = { ...sample(1, 1), errors: 3 };
  expect(verdictOn(reportWith({ ws: { "digit-link": [broken] } }), "no errors")?.found).toBe("digit-link in ws: 3");
  expect(verdictOn(reportWith({ ws: { rathole: [broken] } }), "no errors")?.passed).toBe(true);
});

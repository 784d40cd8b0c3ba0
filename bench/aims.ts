// The aims of the project and whether a run reached them: each as a sentence with a number, passed or short by how much.

import { errorsOf, medianOf, shareOf, type BenchReport } from "./report.ts";

export interface AimResult {
  aim: string;
  /** null: this run did not measure it. */
  passed: boolean | null;
  found: string;
}

const ours = "digit-link";
const oneConnectionRow = "rps-1";
const pooledRow = "pooled";
const pooledOurs = "digit-link 4x2";

/** Compares a report with the aims; pure. */
export function compareWithAims(report: BenchReport): AimResult[] {
  return [
    atLeast("requests/s of nginx at 64 connections", shareOf(report, "rps-64", ours, "nginx"), 0.7),
    atLeast("requests/s of nginx at 256 connections", shareOf(report, "rps-256", ours, "nginx"), 0.85),
    ...Object.keys(report.rows)
      .filter((row) => row !== oneConnectionRow && row !== "ttfb")
      .map((row) => aheadOfPeers(report, row)),
    ...["rathole", "bore"].map((peer) => cpuBelow(report, peer)),
    oneConnection(report),
    ...["down-1", "up-1"].flatMap((row) => [
      atLeast(`bulk ${row} of direct`, shareOf(report, row, ours, "direct"), 0.4),
    ]),
    idleMemory(report),
    ...["basic", "api_key", "session"].map((kind) =>
      atLeast(
        `visitors with a ${kind} credential, of those without a policy`,
        report.controlPlane?.policies?.shareOfNone[kind] ?? Number.NaN,
        0.8,
      ),
    ),
    loginStorm(report),
    noErrors(report),
  ];
}

function atLeast(what: string, share: number, aim: number): AimResult {
  const aimText = `${what}: at least ${percent(aim)}`;
  if (Number.isNaN(share)) return unknown(aimText);
  return verdict(aimText, share >= aim, percent(share), `short by ${percent(aim - share)}`);
}

function aheadOfPeers(report: BenchReport, row: string): AimResult {
  const aim = `${row}: ahead of every peer`;
  const mine = row === pooledRow ? pooledOurs : ours;
  const peers = report.parties
    .filter((party) => party.kind === "peer" && party.leftOut === null)
    .map((party) => party.name);
  const shares = peers
    .map((peer) => ({ peer, share: shareOf(report, row, mine, peer) }))
    .filter(({ share }) => !Number.isNaN(share))
    .sort((a, b) => a.share - b.share);
  const closest = shares[0];
  if (closest === undefined) return unknown(aim);
  const text = `${closest.share.toFixed(2)} × ${closest.peer}`;
  return verdict(aim, closest.share > 1, text, `short by ${percent(1 - closest.share)}`);
}

function cpuBelow(report: BenchReport, peer: string): AimResult {
  const aim = `CPU per request at 64 connections below ${peer}'s`;
  const share = shareOf(report, "rps-64", ours, peer, "cpuUs");
  if (Number.isNaN(share)) return unknown(aim);
  const figures = `${medianOf(report, "rps-64", ours, "cpuUs").toFixed(1)} µs against ${medianOf(report, "rps-64", peer, "cpuUs").toFixed(1)} µs`;
  return verdict(aim, share < 1, figures, `over by ${percent(share - 1)}`);
}

function oneConnection(report: BenchReport): AimResult {
  const aim = "p50 at 1 connection: at most rathole's + 0.1 ms";
  const overUs =
    medianOf(report, oneConnectionRow, ours, "p50Us") - medianOf(report, oneConnectionRow, "rathole", "p50Us");
  if (Number.isNaN(overUs)) return unknown(aim);
  return verdict(
    aim,
    overUs <= 100,
    `${overUs >= 0 ? "+" : ""}${(overUs / 1000).toFixed(3)} ms`,
    `over by ${((overUs - 100) / 1000).toFixed(3)} ms`,
  );
}

function idleMemory(report: BenchReport): AimResult {
  const aim = "server memory per idle session: at most 15 KB";
  if (report.idleSessions === null) return unknown(aim);
  const { bytesPerSession, sessions } = report.idleSessions;
  const text = `${(bytesPerSession / 1000).toFixed(1)} KB with ${sessions} sessions`;
  return verdict(aim, bytesPerSession <= 15_000, text, `over by ${((bytesPerSession - 15_000) / 1000).toFixed(1)} KB`);
}

function loginStorm(report: BenchReport): AimResult {
  const aim = "p99 of a tunnel during 50 logins/s: at most 2 × its quiet p99";
  const ratio = report.controlPlane?.logins?.ratio ?? Number.NaN;
  if (Number.isNaN(ratio)) return unknown(aim);
  return verdict(aim, ratio <= 2, `${ratio.toFixed(2)} ×`, `over by ${(ratio - 2).toFixed(2)} ×`);
}

function noErrors(report: BenchReport): AimResult {
  const names = report.parties
    .filter((party) => party.kind === "ours" && party.leftOut === null)
    .map((party) => party.name);
  const aim = "no errors of ours in any row";
  if (names.length === 0) return unknown(aim);
  const found = Object.keys(report.rows).flatMap((row) =>
    names.flatMap((name) => {
      const errors = errorsOf(report, row, name);
      return errors === 0 ? [] : [`${name} in ${row}: ${errors}`];
    }),
  );
  return { aim, passed: found.length === 0, found: found.length === 0 ? "none" : found.join(", ") };
}

function verdict(aim: string, passed: boolean, found: string, shortBy: string): AimResult {
  return { aim, passed, found: passed ? found : `${found}, ${shortBy}` };
}

function unknown(aim: string): AimResult {
  return { aim, passed: null, found: "not measured" };
}

function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

// What a run of the benchmark leaves behind: its JSON, and the medians that tables and aims are made of.

import type { BenchOptions } from "./options.ts";
import { median } from "./measure/statistics.ts";
import type { RowSamples, Sample } from "./rotate.ts";

export interface MemoryFigures {
  /** Right after the start, before any load. */
  serverIdleBytes: number;
  agentIdleBytes: number;
  /** Highest resident memory of the whole run. */
  serverPeakBytes: number;
  agentPeakBytes: number;
}

export interface IdleSessions {
  sessions: number;
  serverBytesBefore: number;
  serverBytes: number;
  agentBytesBefore: number;
  agentBytes: number;
  bytesPerSession: number;
}

/** By kind of policy (and `none`); every visitor has a valid credential. */
export interface PolicyFigures {
  perSecond: Record<string, number>;
  shareOfNone: Record<string, number>;
  errors: number;
}

export interface LoginFigures {
  quietP99Us: number;
  stormP99Us: number;
  /** Storm against quiet in the same round. */
  ratio: number;
  /** How the logins were answered, by status. */
  answers: Record<string, number>;
  /** Of visitors. */
  errors: number;
}

export interface ControlPlaneFigures {
  policies: PolicyFigures | null;
  logins: LoginFigures | null;
}

export interface BenchReport {
  startedAt: string;
  durationMs: number;
  machine: {
    cpu: string;
    cores: number;
    memoryBytes: number;
    kernel: string;
    bun: string;
    loadBefore: number;
    loadAfter: number;
  };
  options: BenchOptions;
  parties: { name: string; kind: string; about: string; leftOut: string | null }[];
  /** By row id, then by party name. */
  rows: Record<string, RowSamples>;
  memory: Record<string, MemoryFigures>;
  idleSessions: IdleSessions | null;
  controlPlane: ControlPlaneFigures | null;
}

export type Metric = "rate" | "p50Us" | "p99Us" | "errors" | "serverCpuUs" | "agentCpuUs" | "cpuUs";

/** One metric of a sample; `cpuUs` is server and agent together. */
function metricOf(sample: Sample, metric: Metric): number {
  if (metric !== "cpuUs") return sample[metric] ?? Number.NaN;
  return sample.serverCpuUs === null ? Number.NaN : sample.serverCpuUs + (sample.agentCpuUs ?? 0);
}

/** Median over the rounds; NaN when the party has no such figure. */
export function medianOf(report: BenchReport, row: string, party: string, metric: Metric): number {
  return median((report.rows[row]?.[party] ?? []).map((sample) => metricOf(sample, metric)));
}

/** Median over the rounds of party / base in the same round, which cancels noise that both suffered; NaN when unknown. */
export function shareOf(
  report: BenchReport,
  row: string,
  party: string,
  base: string,
  metric: Metric = "rate",
): number {
  const samples = report.rows[row]?.[party] ?? [];
  const bases = report.rows[row]?.[base] ?? [];
  const shares = samples.flatMap((sample, round) => {
    const other = bases[round];
    return other === undefined ? [] : [metricOf(sample, metric) / metricOf(other, metric)];
  });
  return median(shares);
}

/** All errors of a party in a row, over its rounds. */
export function errorsOf(report: BenchReport, row: string, party: string): number {
  return (report.rows[row]?.[party] ?? []).reduce((sum, sample) => sum + sample.errors, 0);
}

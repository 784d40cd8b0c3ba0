// Turns a report into aligned tables for people.

import { compareWithAims } from "./aims.ts";
import { errorsOf, medianOf, shareOf, type BenchReport, type ControlPlaneFigures, type Metric } from "./report.ts";

interface Column {
  title: string;
  /** Row id and metric that a cell shows; it is left empty when the party has no figure. */
  cell(report: BenchReport, party: string): string;
}

/** All tables of a report, ready to print. */
export function formatReport(report: BenchReport): string {
  const tables: [title: string, columns: Column[]][] = [
    [
      "1 connection · 64 connections · 256 connections (1 KB answers; CPU per request of server + agent)",
      requestColumns(),
    ],
    ["new connection per request · pooling nginx in front · WebSocket · first byte", otherColumns()],
    ["bulk, MB/s (10^6 bytes)", bulkColumns()],
    ["resident memory, MB: server / agent", memoryColumns()],
  ];
  const parts = tables.map(([title, columns]) => formatTable(report, title, columns)).filter((text) => text !== "");
  if (report.idleSessions !== null) parts.push(formatIdle(report));
  if (report.controlPlane !== null) parts.push(formatControlPlane(report.controlPlane));
  parts.push(formatAims(report));
  return parts.join("\n\n");
}

function requestColumns(): Column[] {
  return ["rps-1", "rps-64", "rps-256"].flatMap((row) => [
    rate(row, `${row.slice(4)}: req/s`),
    share(row, "nginx", "of nginx"),
    milliseconds(row, "p50Us", "p50 ms"),
    milliseconds(row, "p99Us", "p99 ms"),
    cpu(row),
  ]);
}

function otherColumns(): Column[] {
  return [
    rate("close", "close: req/s"),
    milliseconds("close", "p50Us", "p50 ms"),
    milliseconds("close", "p99Us", "p99 ms"),
    cpu("close"),
    rate("pooled", "pooled: req/s"),
    milliseconds("pooled", "p50Us", "p50 ms"),
    milliseconds("pooled", "p99Us", "p99 ms"),
    cpu("pooled"),
    rate("ws", "ws: msg/s"),
    cpu("ws"),
    milliseconds("ttfb", "p50Us", "first byte: p50 ms"),
    milliseconds("ttfb", "p99Us", "p99 ms"),
  ];
}

function bulkColumns(): Column[] {
  return ["down-1", "down-16", "up-1", "up-16"].flatMap((row) => [rate(row, row), share(row, "direct", "of direct")]);
}

function memoryColumns(): Column[] {
  const megabytes = (bytes: number): string => (bytes === 0 ? "–" : (bytes / 1e6).toFixed(0));
  return [
    {
      title: "idle",
      cell({ memory }, party) {
        const figures = memory[party];
        return figures === undefined
          ? ""
          : `${megabytes(figures.serverIdleBytes)} / ${megabytes(figures.agentIdleBytes)}`;
      },
    },
    {
      title: "peak",
      cell({ memory }, party) {
        const figures = memory[party];
        return figures === undefined
          ? ""
          : `${megabytes(figures.serverPeakBytes)} / ${megabytes(figures.agentPeakBytes)}`;
      },
    },
  ];
}

function rate(row: string, title: string): Column {
  return {
    title,
    cell(report, party) {
      const value = medianOf(report, row, party, "rate");
      // A "!" marks runs with errors: their rate is not comparable.
      return Number.isNaN(value) ? "" : `${errorsOf(report, row, party) > 0 ? "!" : ""}${grouped(value)}`;
    },
  };
}

function share(row: string, base: string, title: string): Column {
  return { title, cell: (report, party) => finite(shareOf(report, row, party, base), (value) => value.toFixed(2)) };
}

function milliseconds(row: string, metric: Metric, title: string): Column {
  return {
    title,
    cell: (report, party) => finite(medianOf(report, row, party, metric), (us) => (us / 1000).toFixed(2)),
  };
}

function cpu(row: string): Column {
  const of = (report: BenchReport, party: string, metric: Metric): string =>
    finite(medianOf(report, row, party, metric), (us) => us.toFixed(1));
  return {
    title: "CPU µs",
    cell(report, party) {
      const both = [of(report, party, "serverCpuUs"), of(report, party, "agentCpuUs")];
      return both.includes("") ? of(report, party, "cpuUs") : both.join(" + ");
    },
  };
}

function finite(value: number, format: (value: number) => string): string {
  return Number.isFinite(value) ? format(value) : "";
}

function grouped(value: number): string {
  return Math.round(value).toLocaleString("en-US");
}

function formatTable(report: BenchReport, title: string, columns: Column[]): string {
  const lines = report.parties
    .filter((party) => party.leftOut === null)
    .map((party) => [party.name, ...columns.map((column) => column.cell(report, party.name))])
    .filter((cells) => cells.slice(1).some((cell) => cell !== ""));
  const kept = columns.flatMap((_, i) => (lines.some((cells) => cells[i + 1] !== "") ? [i + 1] : []));
  if (kept.length === 0) return "";
  const header = ["", ...columns.map((column) => column.title)];
  const rows = [header, ...lines].map((cells) => [cells[0] ?? "", ...kept.map((i) => cells[i] ?? "")]);
  return `${title}\n${alignRows(rows)}`;
}

/** First column to the left, all others to the right. */
export function alignRows(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) =>
      row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i] ?? 0) : cell.padStart(widths[i] ?? 0))).join("  "),
    )
    .map((line) => line.trimEnd())
    .join("\n");
}

function formatIdle({ idleSessions }: BenchReport): string {
  if (idleSessions === null) return "";
  const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(0)} MB`;
  return (
    `idle sessions: ${idleSessions.sessions}, server ${megabytes(idleSessions.serverBytesBefore)} -> ${megabytes(idleSessions.serverBytes)}` +
    ` (${(idleSessions.bytesPerSession / 1000).toFixed(1)} KB each), agents ${megabytes(idleSessions.agentBytesBefore)} -> ${megabytes(idleSessions.agentBytes)}`
  );
}

function formatControlPlane({ policies, logins }: ControlPlaneFigures): string {
  const lines: string[] = [];
  if (policies !== null) {
    const kinds = Object.entries(policies.perSecond).map(([kind, rate]) => {
      const share = policies.shareOfNone[kind];
      return `${kind} ${grouped(rate)}${share === undefined ? "" : ` (${share.toFixed(2)})`}`;
    });
    const failed = policies.errors > 0 ? `; ${policies.errors} requests failed` : "";
    lines.push(`visitors with a valid credential, requests/s (of none): ${kinds.join(", ")}${failed}`);
  }
  if (logins !== null) {
    const [quiet, storm] = [logins.quietP99Us, logins.stormP99Us].map((us) => (us / 1000).toFixed(2));
    const answers = Object.entries(logins.answers).map(([status, count]) => `${count} × ${status}`);
    lines.push(`50 logins/s: p99 of a tunnel ${quiet} -> ${storm} ms; logins answered ${answers.join(", ")}`);
  }
  return lines.join("\n");
}

function formatAims(report: BenchReport): string {
  const measured = compareWithAims(report).filter((result) => result.passed !== null);
  const lines = measured.map(({ aim, passed, found }) => `${passed === true ? "pass " : "SHORT"}  ${aim}: ${found}`);
  return ["aims", ...lines].join("\n");
}

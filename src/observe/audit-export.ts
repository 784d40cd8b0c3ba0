// A file of audit entries that says itself where it begins and ends, so that a cut is seen; and whether one is whole.

import type { AuditLogTable } from "../db/tables-record.ts";
import { createChecker, type ChainVerdict } from "./audit-chain.ts";

/** A place in the chain: an entry, or the last one that was pruned. */
export interface ChainPlace {
  seq: number;
  hash: string;
}

/** What stands before the first entry of an export: the place in the chain that the first one continues. */
export interface ExportBegin {
  action: "export.begin";
  at: string;
  /** False: filters left entries out, and nobody can tell a cut from a filter. */
  whole: boolean;
  filters: Record<string, string>;
  afterSeq: number;
  afterHash: string;
}

/** What stands after the last entry of an export. Missing when the download broke off. */
export interface ExportEnd {
  action: "export.end";
  at: string;
  rows: number;
  lastSeq: number;
  lastHash: string;
}

/** Frames the entries of one export, as they pass in their order. */
export function createExportFrame(options: { filters: Record<string, string>; nowMs: () => number }) {
  const { filters, nowMs } = options;
  const at = (): string => new Date(nowMs()).toISOString();
  let rows = 0;
  let last: ChainPlace = { seq: 0, hash: "" };
  return {
    /** `anchor`: where the chain began a moment ago; `first`: the first entry, which retention may have made another one since. */
    begin(anchor: ChainPlace, first: AuditLogTable | undefined): ExportBegin {
      const whole = Object.keys(filters).length === 0;
      last = whole && first !== undefined ? { seq: first.seq - 1, hash: first.prev_hash } : anchor;
      return { action: "export.begin", at: at(), whole, filters, afterSeq: last.seq, afterHash: last.hash };
    },
    /** Whether retention has removed what should come between the entries that have passed and `next`. */
    wasOvertaken(anchor: ChainPlace, next: AuditLogTable): boolean {
      return Object.keys(filters).length === 0 && next.seq > last.seq + 1 && anchor.seq > last.seq;
    },
    passed(page: readonly AuditLogTable[]): void {
      rows += page.length;
      last = page.at(-1) ?? last;
    },
    end: (): ExportEnd => ({ action: "export.end", at: at(), rows, lastSeq: last.seq, lastHash: last.hash }),
  };
}

/**
 * Checks the lines of a whole, unfiltered JSONL export, oldest first: each entry, and that none is missing at either end.
 * Whoever can write the file can also write another chain: only a comparison with the database (`operator/audit-verdict.ts`)
 * shows that the entries are the server's.
 */
export function verifyExport(lines: Iterable<string>): ChainVerdict {
  let checker: ReturnType<typeof createChecker> | undefined;
  let begin: ExportBegin | null = null;
  let end: ExportEnd | null = null;
  for (const line of lines) {
    if (line.trim() === "") continue;
    const seq = checker?.verdict().lastSeq ?? 0;
    const read = parseLine(line);
    if (read === null) return { intact: false, seq, problem: "the next line is not an audit entry" };
    if (end !== null) return { intact: false, seq, problem: "there are lines after its end" };
    if (!isNote(read)) {
      checker ??= createChecker({ seq: read.seq - 1, hash: read.prev_hash });
      const problem = checker.problemOf(read);
      if (problem !== null) return { intact: false, seq: read.seq, problem };
    } else if (read.action === "export.end") end = read;
    else if (checker !== undefined) return { intact: false, seq, problem: "another export begins in the middle" };
    else {
      begin = read;
      if (!begin.whole) return unproven(0, `it was made with filters (${wordsOf(begin.filters)})`);
      checker = createChecker({ seq: begin.afterSeq, hash: begin.afterHash });
    }
  }
  const verdict = (checker ?? createChecker({ seq: 0, hash: "" })).verdict();
  if (verdict.rows === 0 && begin === null && end === null) return verdict;
  return problemOfEnds(verdict, begin, end) ?? verdict;
}

function problemOfEnds(
  verdict: Extract<ChainVerdict, { intact: true }>,
  begin: ExportBegin | null,
  end: ExportEnd | null,
): ChainVerdict | null {
  const { rows, lastSeq, lastHash } = verdict;
  if (end !== null && (end.rows !== rows || end.lastSeq !== lastSeq || end.lastHash !== lastHash)) {
    const problem = `entries are missing: it had ${end.rows}, up to ${end.lastSeq}, and has ${rows}`;
    return { intact: false, seq: lastSeq, problem };
  }
  const missing = [begin === null ? "a first line" : "", end === null ? "a last one" : ""].filter(
    (text) => text !== "",
  );
  if (missing.length === 0) return null;
  const why = `it lacks ${missing.join(" and ")} that says where the log began or ended: it was cut there, or comes from an older version`;
  return unproven(lastSeq, `${why}; the ${rows} entries that are there continue each other`);
}

function unproven(seq: number, problem: string): ChainVerdict {
  return { intact: false, unproven: true, seq, problem };
}

function wordsOf(filters: Record<string, string>): string {
  return Object.entries(filters)
    .map(([name, value]) => `${name}=${value}`)
    .join(", ");
}

function parseLine(line: string): AuditLogTable | ExportBegin | ExportEnd | null {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value !== "object" || value === null) return null;
    const { action, seq, whole, filters, afterSeq, rows } = value as Partial<AuditLogTable & ExportBegin & ExportEnd>;
    switch (action as string) {
      case "export.begin":
        return typeof whole === "boolean" && typeof afterSeq === "number" && typeof filters === "object"
          ? (value as ExportBegin)
          : null;
      case "export.end":
        return typeof rows === "number" ? (value as ExportEnd) : null;
      default:
        return typeof seq === "number" ? (value as AuditLogTable) : null;
    }
  } catch {
    return null;
  }
}

function isNote(line: AuditLogTable | ExportBegin | ExportEnd): line is ExportBegin | ExportEnd {
  return line.action === "export.begin" || line.action === "export.end";
}

// The hash chain of the audit log: what a row's hash covers, how rows become export lines, and how both are verified.

import type { Database } from "../db/database.ts";
import type { AuditLogTable } from "../db/tables-record.ts";

/** The columns that a hash covers, in this order, for ever. */
const columns = [
  "seq",
  "id",
  "at",
  "org_id",
  "app_id",
  "actor_id",
  "actor_name",
  "action",
  "auth_type",
  "success",
  "reason",
  "address",
  "identity",
  "key_id",
  "request_id",
  "details_json",
] as const satisfies (keyof AuditLogTable)[];

const pageRows = 2_000;

/** SHA-256 over the row before and this row's columns as JSON, in hex. */
export function auditHash(prevHash: string, row: Omit<AuditLogTable, "hash" | "prev_hash">): string {
  return new Bun.CryptoHasher("sha256")
    .update(`${prevHash}\n${JSON.stringify(columns.map((column) => row[column]))}`)
    .digest("hex");
}

/** One line of a JSONL export: every column, hashes included, so that `verifyExport` can check it. */
export function exportLine(row: AuditLogTable): string {
  return JSON.stringify(row);
}

export type ChainVerdict =
  | { intact: true; rows: number; firstSeq: number; lastSeq: number; lastHash: string }
  | { intact: false; seq: number; problem: string };

/** Checks every stored row from the anchor to the head, page by page. */
export async function verifyChain(db: Database): Promise<ChainVerdict> {
  const chain = await db.kysely.selectFrom("audit_chain").selectAll().where("id", "=", 1).executeTakeFirstOrThrow();
  const checker = createChecker({ seq: chain.anchor_seq, hash: chain.anchor_hash });
  for (let after = -1; ;) {
    const page = await db.kysely
      .selectFrom("audit_log")
      .selectAll()
      .where("seq", ">", after)
      .where("seq", "<=", chain.head_seq)
      .orderBy("seq")
      .limit(pageRows)
      .execute();
    for (const row of page) {
      const problem = checker.problemOf(row);
      if (problem !== null) return { intact: false, seq: row.seq, problem };
    }
    const last = page.at(-1);
    if (last === undefined) break;
    after = last.seq;
  }
  const verdict = checker.verdict();
  if (verdict.lastSeq === chain.head_seq && verdict.lastHash === chain.head_hash) return verdict;
  return {
    intact: false,
    seq: verdict.lastSeq,
    problem: `rows after it are missing: the log ended at ${chain.head_seq}`,
  };
}

/**
 * Checks the lines of a whole, unfiltered JSONL export, oldest first. An export can't prove that nothing was cut from
 * its end: compare `lastSeq` and `lastHash` with what `digit-link audit verify` says about the database.
 */
export function verifyExport(lines: Iterable<string>): ChainVerdict {
  let checker: ReturnType<typeof createChecker> | undefined;
  for (const line of lines) {
    if (line.trim() === "") continue;
    const row = parseLine(line);
    if (row === null)
      return { intact: false, seq: checker?.verdict().lastSeq ?? 0, problem: "the next line is not an audit entry" };
    checker ??= createChecker({ seq: row.seq - 1, hash: row.prev_hash });
    const problem = checker.problemOf(row);
    if (problem !== null) return { intact: false, seq: row.seq, problem };
  }
  return (checker ?? createChecker({ seq: 0, hash: "" })).verdict();
}

function createChecker(start: { seq: number; hash: string }) {
  let { seq, hash } = start;
  let rows = 0;
  return {
    problemOf(row: AuditLogTable): string | null {
      if (row.seq !== seq + 1) return `the entry after ${seq} is missing`;
      if (row.prev_hash !== hash) return "it does not continue the entry before it";
      if (row.hash !== auditHash(hash, row)) return "its content was changed";
      ({ seq, hash } = row);
      rows++;
      return null;
    },
    verdict: () => ({ intact: true as const, rows, firstSeq: start.seq + 1, lastSeq: seq, lastHash: hash }),
  };
}

function parseLine(line: string): AuditLogTable | null {
  try {
    const row: unknown = JSON.parse(line);
    if (typeof row !== "object" || row === null || !("seq" in row) || typeof row.seq !== "number") return null;
    return row as AuditLogTable;
  } catch {
    return null;
  }
}

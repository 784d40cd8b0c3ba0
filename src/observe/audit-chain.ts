// The hash chain of the audit log: what a row's hash covers, and how the chain is verified.

import type { Database, Queryable } from "../db/database.ts";
import { inSnapshot } from "../db/snapshot.ts";
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

/** One line of a JSONL export: every column, hashes included, so that `verifyExport` (audit-export.ts) can check it. */
export function exportLine(row: AuditLogTable): string {
  return JSON.stringify(row);
}

export type ChainVerdict =
  | { intact: true; rows: number; firstSeq: number; lastSeq: number; lastHash: string }
  /** `unproven`: nothing is wrong with what is there, and nobody can tell whether that is all. */
  | { intact: false; unproven?: true; seq: number; problem: string };

/** Where the chain begins: the last pruned row, that the oldest kept one continues. */
export async function readAnchor(db: Queryable): Promise<{ seq: number; hash: string }> {
  const chain = await db.selectFrom("audit_chain").selectAll().where("id", "=", 1).executeTakeFirstOrThrow();
  return { seq: chain.anchor_seq, hash: chain.anchor_hash };
}

/** Checks every stored row from the anchor to the head, page by page, while others may write and prune. */
export function verifyChain({ kysely }: Pick<Database, "kysely">): Promise<ChainVerdict> {
  return inSnapshot(kysely, verifyWithin);
}

async function verifyWithin(db: Queryable): Promise<ChainVerdict> {
  const chain = await db.selectFrom("audit_chain").selectAll().where("id", "=", 1).executeTakeFirstOrThrow();
  const checker = createChecker({ seq: chain.anchor_seq, hash: chain.anchor_hash });
  for (let after = -1; ;) {
    const page = await db
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

/** Follows a chain from a place in it. */
export function createChecker(start: { seq: number; hash: string }) {
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

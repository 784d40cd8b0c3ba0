// Whether the audit log is intact: that of the database, or of an export in a file.

import { closeSync, openSync, readSync } from "node:fs";
import type { Database, Queryable } from "../db/database.ts";
import { inSnapshot } from "../db/snapshot.ts";
import { AppError } from "../lib/errors.ts";
import { verifyChain, type ChainVerdict } from "../observe/audit-chain.ts";
import { verifyExport } from "../observe/audit-export.ts";
import type { AuditVerdict } from "./operator.ts";

export async function verifyDatabase(db: Database): Promise<AuditVerdict> {
  return toVerdict(await verifyChain(db));
}

/**
 * Reads a whole, unfiltered JSONL export line by line, and compares it with the database that it is said to come from, if given.
 * Throws `validation` when it can't be read, holds no entry, or has nothing in common with the database any more.
 */
export async function verifyFile(file: string, db: Database | null): Promise<AuditVerdict> {
  const verdict = verifyExport(linesOf(file));
  if (verdict.intact && verdict.rows === 0) throw new AppError("validation", `${file} holds no audit entry.`);
  const difference =
    verdict.intact && db !== null ? inSnapshot(db.kysely, (trx) => differenceFrom(trx, verdict)) : null;
  return toVerdict((await difference) ?? verdict);
}

/** What shows that an intact export is not of this database, or not all of it. */
async function differenceFrom(
  db: Queryable,
  of: Extract<ChainVerdict, { intact: true }>,
): Promise<ChainVerdict | null> {
  const chain = await db.selectFrom("audit_chain").selectAll().where("id", "=", 1).executeTakeFirstOrThrow();
  if (of.lastSeq < chain.anchor_seq) {
    const why = `the export ends at row ${of.lastSeq}, and the database keeps rows from ${chain.anchor_seq + 1} on`;
    throw new AppError("validation", `There is nothing to compare: ${why}.`);
  }
  if (of.firstSeq > chain.anchor_seq + 1) {
    const problem = `it was cut at its beginning: the database has rows from ${chain.anchor_seq + 1} on`;
    return { intact: false, seq: of.firstSeq, problem };
  }
  const row = await db.selectFrom("audit_log").select("hash").where("seq", "=", of.lastSeq).executeTakeFirst();
  const hash = row?.hash ?? (of.lastSeq === chain.anchor_seq ? chain.anchor_hash : null);
  if (hash === of.lastHash) return null;
  const problem = hash === null ? `the database ends at ${chain.head_seq}` : "the database has another row there";
  return { intact: false, seq: of.lastSeq, problem };
}

function toVerdict(verdict: ChainVerdict): AuditVerdict {
  return verdict.intact
    ? { intact: true, rows: verdict.rows }
    : { intact: false, unproven: verdict.unproven === true, seq: verdict.seq, problem: verdict.problem };
}

/** A piece at a time: an export may be larger than memory. */
function* linesOf(file: string): Generator<string> {
  const decoder = new TextDecoder();
  const piece = new Uint8Array(1 << 20);
  let rest = "";
  let fd: number;
  try {
    fd = openSync(file, "r");
  } catch (error) {
    throw unreadable(file, error);
  }
  try {
    for (;;) {
      const bytes = read(fd, piece, file);
      if (bytes === 0) break;
      const lines = (rest + decoder.decode(piece.subarray(0, bytes), { stream: true })).split("\n");
      rest = lines.pop() ?? "";
      yield* lines;
    }
    yield rest + decoder.decode();
  } finally {
    closeSync(fd);
  }
}

function read(fd: number, piece: Uint8Array, file: string): number {
  try {
    return readSync(fd, piece);
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): AppError {
  const why = error instanceof Error ? error.message : String(error);
  return new AppError("validation", `${file} cannot be read: ${why}.`, { cause: error });
}

// Whether the audit log is intact: that of the database, or of an export in a file.

import { closeSync, openSync, readSync } from "node:fs";
import type { Database } from "../db/database.ts";
import { AppError } from "../lib/errors.ts";
import { verifyChain, verifyExport, type ChainVerdict } from "../observe/audit-chain.ts";

export type AuditVerdict = { intact: true; rows: number } | { intact: false; seq: number; problem: string };

export async function verifyDatabase(db: Database): Promise<AuditVerdict> {
  return toVerdict(await verifyChain(db));
}

/** Reads a whole, unfiltered JSONL export line by line. Throws `validation` when it can't be read or holds no entry. */
export function verifyFile(file: string): AuditVerdict {
  const verdict = toVerdict(verifyExport(linesOf(file)));
  if (verdict.intact && verdict.rows === 0) throw new AppError("validation", `${file} holds no audit entry.`);
  return verdict;
}

function toVerdict(verdict: ChainVerdict): AuditVerdict {
  return verdict.intact
    ? { intact: true, rows: verdict.rows }
    : { intact: false, seq: verdict.seq, problem: verdict.problem };
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

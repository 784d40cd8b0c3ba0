// Audit entries as lines of CSV (RFC 4180) that a spreadsheet shows and never runs.

import type { AuditRow } from "../../db/audit-log.ts";
import type { ExportBegin, ExportEnd } from "../../observe/audit-export.ts";

const columns = [
  "time",
  "id",
  "seq",
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
  "hash",
] as const;

export const csvHeader = `${columns.join(",")}\r\n`;

export function csvLine(row: AuditRow): string {
  const cells = columns.map((column) => (column === "time" ? new Date(row.at).toISOString() : row[column]));
  return `${cells.map((cell) => csvCell(cell === null ? "" : String(cell))).join(",")}\r\n`;
}

/** First or last row of an export, in the columns of entries: `export.begin`, `export.end`. */
export function csvNote(note: ExportBegin | ExportEnd): string {
  const [seq, hash] = note.action === "export.begin" ? [note.afterSeq, note.afterHash] : [note.lastSeq, note.lastHash];
  return csvLine({
    ...{ seq, hash, prev_hash: "", id: "", at: Date.parse(note.at), action: note.action, success: 1 },
    ...{ org_id: null, app_id: null, actor_id: null, actor_name: null, auth_type: null, reason: null, address: null },
    ...{ identity: null, key_id: null, request_id: null },
    details_json: JSON.stringify(
      note.action === "export.begin" ? { whole: note.whole, ...note.filters } : { rows: note.rows },
    ),
  });
}

/** Text that a spreadsheet would take for a formula gets an apostrophe in front; visitors choose some of these texts. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// Audit entries as lines of CSV (RFC 4180) that a spreadsheet shows and never runs.

import type { AuditRow } from "../../db/audit-log.ts";

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

/** Text that a spreadsheet would take for a formula gets an apostrophe in front; visitors choose some of these texts. */
function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

// The system's list of addresses from which agents may connect, as an operator changes it from a shell.

import type { Config } from "../config/config.ts";
import type { Database, Trx } from "../db/database.ts";
import { deleteWhitelistRange, ensureWhitelistEntry, listWholeWhitelist, systemList } from "../db/whitelist-entries.ts";
import { canonicalCidr, parseCidr } from "../lib/cidr.ts";
import { AppError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import type { Audit } from "../observe/audit.ts";
import { byOperator } from "./by-operator.ts";

export interface RangesDeps {
  db: Database;
  audit: Pick<Audit, "within">;
  nowMs: () => number;
}

const longestDescription = 200;
/** Wider ranges than these are rarely meant. */
const usualPrefix = { 4: 8, 6: 16 } as const;

/** The one spelling of a range. Throws `validation`. */
export function parseRange(text: string): string {
  const cidr = canonicalCidr(text.trim());
  if (cidr !== null) return cidr;
  throw new AppError("validation", `${text} is neither an IPv4 or IPv6 address nor a range such as 192.0.2.0/24.`);
}

/** Adds a range (canonical form) in the transaction of what it belongs to; one that is there already stays as it is. */
export async function addRange(deps: RangesDeps, trx: Trx, cidr: string, description: string): Promise<void> {
  const id = newId("wl", deps.nowMs());
  const added = await ensureWhitelistEntry(trx, {
    ...{ id, level: systemList.level, owner_id: systemList.ownerId, org_id: null, app_id: null, account_id: null },
    ...{ cidr, description, created_by: null, created_at: deps.nowMs() },
  });
  if (!added) return;
  await deps.db.changes.record(trx, { kind: "whitelist", refId: id, action: "created" });
  const details = { level: systemList.level, owner: systemList.ownerId, ipRange: cidr };
  await deps.audit.within(trx, { ...byOperator, action: "whitelist.added", details });
}

/** A range, in its one spelling, and what it is. Throws `validation`. */
export function parseEntry(text: string, description: string): { cidr: string; description: string } {
  const cidr = parseRange(text);
  // oxlint-disable-next-line no-control-regex -- control characters are what is being refused
  if (description.length > longestDescription || /[\u0000-\u001f\u007f]/.test(description)) {
    throw new AppError("validation", `A description has at most ${longestDescription} characters, on one line.`);
  }
  return { cidr, description };
}

/** Allows a range; the answer has a sentence when it is unusually wide. */
export async function allowRange(
  deps: RangesDeps,
  { cidr, description }: { cidr: string; description: string },
): Promise<{ cidr: string; warning: string | null }> {
  await deps.db.transaction((trx) => addRange(deps, trx, cidr, description));
  return { cidr, warning: warningOf(cidr) };
}

/** Rows of the list, and the ranges of AGENT_WHITELIST, which are none. */
export async function allowedRanges(
  { db }: Pick<RangesDeps, "db">,
  { agentWhitelist }: Pick<Config, "agentWhitelist">,
) {
  const rows = await listWholeWhitelist(db.kysely, systemList.ownerId);
  return [
    ...agentWhitelist.map((cidr) => ({ cidr, description: "AGENT_WHITELIST", source: "env" })),
    ...rows.map(({ cidr, description }) => ({ cidr, description, source: "database" })),
  ];
}

/** Takes a range (canonical form) off the list. Throws `not_found` when it isn't there, and `conflict` when AGENT_WHITELIST would keep it allowed. */
export async function disallowRange(
  deps: RangesDeps,
  { agentWhitelist }: Pick<Config, "agentWhitelist">,
  cidr: string,
): Promise<void> {
  if (agentWhitelist.includes(cidr)) {
    throw new AppError("conflict", `${cidr} is allowed by AGENT_WHITELIST: take it out there and restart the server.`);
  }
  await deps.db.transaction(async (trx) => {
    const row = await deleteWhitelistRange(trx, systemList.ownerId, cidr);
    if (row === null) throw new AppError("not_found", `${cidr} is not on the list.`);
    await deps.db.changes.record(trx, { kind: "whitelist", refId: row.id, action: "deleted" });
    const details = { level: systemList.level, owner: systemList.ownerId, ipRange: cidr };
    await deps.audit.within(trx, { ...byOperator, action: "whitelist.removed", details });
  });
}

function warningOf(cidr: string): string | null {
  const range = parseCidr(cidr);
  if (range === null || range.prefix >= usualPrefix[range.version]) return null;
  return range.prefix === 0
    ? `${cidr} is every IPv${range.version} address: any agent with a valid credential may connect.`
    : `${cidr} is an unusually wide range.`;
}

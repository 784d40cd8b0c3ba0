// Reading the audit log: pages by position under any filters, within a bounded amount of work.

import { sql, type Expression, type SqlBool } from "kysely";
import type { Queryable } from "./database.ts";
import { actionsOf, isNoAction } from "./audit-actions.ts";
import { differs, mostScanned, type Choice } from "./list-page.ts";
import type { AuditLogTable } from "./tables-record.ts";

export type AuditRow = AuditLogTable;

export interface AuditFilter {
  org: Choice | null;
  app: Choice | null;
  actor: Choice | null;
  /** One action, or the beginning of several, up to a dot: `login` is every `login.…`. */
  action: string | null;
  /** Actions, or beginnings of several, that are left out. */
  notActions: readonly string[];
  success: boolean | null;
  /** Both inclusive. */
  fromMs: number | null;
  toMs: number | null;
}

export const anyAudit: AuditFilter = {
  ...{ org: null, app: null, actor: null, action: null, notActions: [], success: null, fromMs: null, toMs: null },
};

export interface AuditPage {
  limit: number;
  descending: boolean;
  /** Position of the last row of the page before; null starts at the end (or the beginning). */
  after: number | null;
}

/** An entry's time and position may disagree by the time that it waited to be stored. */
const disorderMs = 5 * 60_000;
/** Entries at the edge of a time that are asked for their positions. */
const edgeRows = 100;

/** Columns of the indexes that end in `seq`, best first. */
const indexes: readonly (readonly Equal[])[] = [
  ["actor_id", "action"],
  ["app_id", "action"],
  ["org_id", "action"],
  ["actor_id"],
  ["app_id"],
  ["org_id", "success"],
  ["org_id"],
  ["action", "success"],
  ["success"],
  [],
];
type Equal = "org_id" | "app_id" | "actor_id" | "action" | "success";
type Equals = Partial<Record<Equal, string | number>>;

/**
 * One page. `nextSeq` is where to go on (null: that was all); a page may have fewer rows than asked for, none even, and
 * still have a next one, because under rare combinations of filters only so many rows are looked at in one call.
 */
export async function readAudit(
  db: Queryable,
  filter: AuditFilter,
  page: AuditPage,
): Promise<{ rows: AuditRow[]; nextSeq: number | null }> {
  const range = await seqRange(db, filter);
  const actions = await actionsOf(db, filter);
  let rows: AuditRow[] = [];
  /** How far every action has been looked through; beyond that, rows of one might be missing between those of another. */
  let complete: number | null = null;
  for (const action of actions) {
    // Once its actions are known one by one, none of those that are left out is among them.
    const rest = action === null ? filter : { ...filter, notActions: [] };
    const part = await readAction(db, rest, action, page, range);
    rows.push(...part.rows);
    if (part.scannedTo === null) continue;
    if (complete === null || isBefore(part.scannedTo, complete, page)) complete = part.scannedTo;
  }
  rows.sort((a, b) => (page.descending ? b.seq - a.seq : a.seq - b.seq));
  const until = complete;
  if (until !== null) rows = rows.filter((row) => row.seq === until || isBefore(row.seq, until, page));
  if (rows.length > page.limit) {
    rows = rows.slice(0, page.limit);
    return { rows, nextSeq: rows.at(-1)!.seq };
  }
  return { rows, nextSeq: until };
}

/** Rows of one action (null: of any), and, when the work was cut short, the last position that was looked at. */
async function readAction(
  db: Queryable,
  filter: AuditFilter,
  action: string | null,
  page: AuditPage,
  range: SeqRange,
): Promise<{ rows: AuditRow[]; scannedTo: number | null }> {
  const equals: Equals = {
    ...equalTo("org_id", filter.org),
    ...equalTo("app_id", filter.app),
    ...equalTo("actor_id", filter.actor),
    ...(action === null ? {} : { action }),
    ...(filter.success === null ? {} : { success: filter.success ? 1 : 0 }),
  };
  const index = indexes.find((columns) => columns.every((column) => column in equals)) ?? [];
  const residual = (Object.keys(equals) as Equal[]).filter((column) => !index.includes(column));
  const { fromMs, toMs } = filter;
  const without = [
    ...(filter.org?.not ? [differs("a.org_id", filter.org.value)] : []),
    ...(filter.app?.not ? [differs("a.app_id", filter.app.value)] : []),
    ...(filter.actor?.not ? [differs("a.actor_id", filter.actor.value)] : []),
    ...filter.notActions.map(isNoAction),
  ];
  const isExact = residual.length === 0 && without.length === 0 && fromMs === null && toMs === null;
  const scanned = isExact ? page.limit + 1 : Math.max(mostScanned, page.limit + 1);
  const inner = auditByIndex(db, index, equals, page, range, scanned);
  if (isExact) return { rows: await inner.execute(), scannedTo: null };

  let query = db.selectFrom(inner.as("a")).selectAll();
  for (const column of residual) query = query.where(`a.${column}`, "=", equals[column] as never);
  if (fromMs !== null) query = query.where("a.at", ">=", fromMs);
  if (toMs !== null) query = query.where("a.at", "<=", toMs);
  for (const condition of without) query = query.where(condition);
  const rows = await query
    .orderBy("a.seq", page.descending ? "desc" : "asc")
    .limit(page.limit + 1)
    .execute();
  if (rows.length > page.limit) return { rows, scannedTo: null };
  const end = await db
    .selectFrom(inner.as("a"))
    .select((eb) => [
      eb.fn.countAll<number | string>().as("count"),
      (page.descending ? eb.fn.min<number | null>("a.seq") : eb.fn.max<number | null>("a.seq")).as("seq"),
    ])
    .executeTakeFirstOrThrow();
  return { rows, scannedTo: Number(end.count) < scanned ? null : end.seq };
}

/** The rows that one index gives, in order of position. Exported for the test that looks at its plan. */
export function auditByIndex(
  db: Queryable,
  index: readonly Equal[],
  equals: Equals,
  page: AuditPage,
  range: SeqRange,
  limit: number,
) {
  let query = db.selectFrom("audit_log").selectAll();
  for (const column of index) query = query.where(column, "=", equals[column] as never);
  for (const condition of seqConditions(page, range)) query = query.where(condition);
  return query.orderBy("seq", page.descending ? "desc" : "asc").limit(limit);
}

export const auditIndexes = indexes;

export interface SeqRange {
  from: number | null;
  to: number | null;
}

function seqConditions(page: AuditPage, range: SeqRange): Expression<SqlBool>[] {
  const conditions: Expression<SqlBool>[] = [];
  if (page.after !== null) {
    conditions.push(page.descending ? sql<SqlBool>`seq < ${page.after}` : sql<SqlBool>`seq > ${page.after}`);
  }
  if (range.from !== null) conditions.push(sql<SqlBool>`seq >= ${range.from}`);
  if (range.to !== null) conditions.push(sql<SqlBool>`seq <= ${range.to}`);
  return conditions;
}

/**
 * Positions between which the entries of the time lie: the index of times is asked once, not per row. Where the clock was wrong, times
 * and positions disagree by more than is allowed for, and what stands nearest to the time may stand far from it by position: therefore
 * several are asked. Where more than those are misdated, entries may be missing at the edge (of a time that the clock showed twice); no
 * index tells their positions, and asked without that edge the log has them.
 */
async function seqRange(db: Queryable, filter: AuditFilter): Promise<SeqRange> {
  return {
    from: filter.fromMs === null ? null : await edge(db, filter.fromMs - disorderMs, "before"),
    to: filter.toMs === null ? null : await edge(db, filter.toMs + disorderMs, "after"),
  };
}

/** The outermost position of the entries nearest to a time on one side of it; null when so few are there that all may be read. */
async function edge(db: Queryable, atMs: number, side: "before" | "after"): Promise<number | null> {
  const nearest = await db
    .selectFrom("audit_log")
    .select("seq")
    .where("at", side === "before" ? "<" : ">", atMs)
    .orderBy("at", side === "before" ? "desc" : "asc")
    .limit(edgeRows)
    .execute();
  if (nearest.length < edgeRows) return null;
  const positions = nearest.map(({ seq }) => seq);
  return side === "before" ? Math.min(...positions) : Math.max(...positions);
}

function equalTo(column: Equal, choice: Choice | null): Equals {
  return choice === null || choice.not ? {} : { [column]: choice.value };
}

function isBefore(a: number, b: number, page: AuditPage): boolean {
  return page.descending ? a > b : a < b;
}

/** The id of the newest row (of an organization). */
export async function findNewestAudit(db: Queryable, orgId: string | null): Promise<string | null> {
  let query = db.selectFrom("audit_log").select("id").orderBy("seq", "desc").limit(1);
  if (orgId !== null) query = query.where("org_id", "=", orgId);
  return (await query.executeTakeFirst())?.id ?? null;
}

// Cursors and sort orders of lists: opaque text that names the last row, bound to the order it was made for.

import { AppError } from "../lib/errors.ts";
import type { Keyset } from "../db/keyset.ts";

/** What a list may be sorted by; each has an index. `-name` sorts the other way round. */
export interface Sort {
  /** As asked for: `createdAt`, `-createdAt`, … */
  name: string;
  column: string;
  descending: boolean;
}

const defaultLimit = 50;
/** Orders by text, whichever list offers them; all others are by a whole number. */
const textOrders: ReadonlySet<string> = new Set(["name", "username", "subdomain", "ipRange"]);

/** The sort that was asked for among `columns` (by public name), or the default. Throws `validation` for any other. */
export function parseSort(asked: string | undefined, columns: Record<string, string>, fallback: string): Sort {
  const name = asked ?? fallback;
  const descending = name.startsWith("-");
  const column = Object.hasOwn(columns, descending ? name.slice(1) : name)
    ? columns[descending ? name.slice(1) : name]
    : undefined;
  if (column === undefined) {
    const allowed = Object.keys(columns).join(", ");
    throw new AppError("validation", `sort must be one of ${allowed}, or one of them with - in front.`, {
      field: "sort",
    });
  }
  return { name, column, descending };
}

/** The page that was asked for. Throws `validation` for a cursor that is not ours or of another order. */
export function parsePage(query: { limit?: number; cursor?: string }, sort: Pick<Sort, "name" | "descending">): Keyset {
  const limit = query.limit ?? defaultLimit;
  if (query.cursor === undefined) return { limit, descending: sort.descending, after: null };
  const [name, value, id] = decodeCursor(query.cursor);
  const isFitting = textOrders.has(sort.name.replace(/^-/, "")) ? isStorable : isWhole;
  if (name !== sort.name || !isFitting(value) || !isStorable(id)) throw badCursor();
  return { limit, descending: sort.descending, after: { value, id } };
}

/**
 * Cuts what was read (one row more than the page has) to the page, and says where the next one starts: behind its last row,
 * or where reading was cut short. `keyOf` gives the sort value and id of a row.
 */
export function toPage<Row>(
  { rows, end }: { rows: readonly Row[]; end: Keyset["after"] },
  page: Keyset,
  sort: Pick<Sort, "name">,
  keyOf: (row: Row) => { value: string | number; id: string },
): { rows: Row[]; nextCursor: string | null } {
  const shown = rows.slice(0, page.limit);
  const last = shown.at(-1);
  const next = rows.length > page.limit && last !== undefined ? keyOf(last) : end;
  return { rows: shown, nextCursor: next === null ? null : cursorAfter(sort, next) };
}

/** The cursor of the page that starts after the row with this key. */
export function cursorAfter(sort: Pick<Sort, "name">, { value, id }: { value: string | number; id: string }): string {
  return Buffer.from(JSON.stringify([sort.name, value, id])).toString("base64url");
}

/** What ISO 8601 writes; `Date.parse` would also guess at `5` and `10/11/2030`. */
const isoTime = /^\d{4}(-\d\d(-\d\d(T\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(Z|[+-]\d\d:\d\d)?)?)?)?$/i;

/** The time that a filter named; without a zone it is UTC. Throws `validation` when it is none. */
export function timeOf(text: string | undefined, field: string): number | null {
  if (text === undefined) return null;
  const found = isoTime.exec(text);
  const [, , , time, zone] = found ?? [];
  const ms = found === null ? NaN : Date.parse(time !== undefined && zone === undefined ? `${text}Z` : text);
  if (Number.isNaN(ms)) throw new AppError("validation", `${field} must be an ISO 8601 time.`, { field });
  return ms;
}

const isWhole = (value: unknown): value is number => Number.isSafeInteger(value);
/** PostgreSQL refuses U+0000. */
const isStorable = (value: unknown): value is string => typeof value === "string" && !value.includes("\0");

function decodeCursor(cursor: string): unknown[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, "base64url").toString("utf8"));
    if (Array.isArray(value)) return value;
  } catch (cause) {
    throw badCursor(cause);
  }
  throw badCursor();
}

function badCursor(cause?: unknown): AppError {
  return new AppError("validation", "cursor is not one of this list in this order.", { field: "cursor", cause });
}

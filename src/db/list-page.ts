// One page of a list: read off the index of its order, under filters of which some have an index and some are only checked.

import { sql, type Expression, type SelectQueryBuilder, type SqlBool } from "kysely";
import { afterKeyset, untilKeyset, type Keyset } from "./keyset.ts";

/** What a filter wants: rows with this value or, with `not`, all others. */
export interface Choice<T = string> {
  value: T;
  not: boolean;
}

/** What a list is sorted by. Columns are `alias.name`, never input; an order by something unique needs no `idColumn`. */
export interface Order {
  column: string;
  idColumn: string;
  isUnique?: boolean;
}

export interface FoundPage<Row> {
  /** One row more than the page has when there is a next one. */
  rows: Row[];
  /** Where the next page goes on when this one was cut short before it was full. */
  end: Keyset["after"];
}

/** Rows that one page may look at when some of its filters have no index: a page may be short, or empty, and not the last one. */
export const mostScanned = 5_000;

/** Reads a page of `query`, which holds the filters that an index answers; `checked` are the others. */
export async function readPage<DB, TB extends keyof DB, Row>(
  query: SelectQueryBuilder<DB, TB, Row>,
  { column, idColumn, isUnique = false }: Order,
  page: Keyset,
  checked: readonly Expression<SqlBool>[] = [],
): Promise<FoundPage<Row>> {
  const direction = page.descending ? "desc" : "asc";
  const byColumn = query.where(afterKeyset(column, idColumn, page)).orderBy(sql.ref(column), direction);
  // One more term behind something unique would only cost a sort.
  const ordered = isUnique ? byColumn : byColumn.orderBy(sql.ref(idColumn), direction);
  if (checked.length === 0) return { rows: await ordered.limit(page.limit + 1).execute(), end: null };
  const keys = ordered
    .clearSelect()
    .select([sql<string | number>`${sql.ref(column)}`.as("value"), sql<string>`${sql.ref(idColumn)}`.as("id")])
    .offset(mostScanned - 1)
    .limit(1);
  const [end = null] = (await keys.execute()) as unknown as NonNullable<Keyset["after"]>[];
  let filtered = checked.reduce((all, condition) => all.where(condition), ordered);
  if (end !== null) filtered = filtered.where(untilKeyset(column, idColumn, end, page));
  return { rows: await filtered.limit(page.limit + 1).execute(), end };
}

/** Rows whose column has another value, or none. Only checked: no index is chosen for it. */
export function differs(column: string, value: string | number): Expression<SqlBool> {
  return sql<SqlBool>`(${sql.ref(column)} is null or ${sql.ref(column)} <> ${value})`;
}

/** Rows whose text begins like this; the index of the column answers it. */
export function beginsWith(column: string, prefix: string): Expression<SqlBool> {
  return sql<SqlBool>`(${sql.ref(column)} >= ${prefix} and ${sql.ref(column)} < ${`${prefix}\u{10ffff}`})`;
}

/** Rows whose text begins otherwise. Only checked. */
export function beginsOtherwise(column: string, prefix: string): Expression<SqlBool> {
  return sql<SqlBool>`substr(${sql.ref(column)}, 1, ${Array.from(prefix).length}) <> ${prefix}`;
}

/** Rows that have a word (lower case) in one of their texts, in either case. Only checked. */
export function hasText(columns: readonly string[], word: string): Expression<SqlBool> {
  const text = sql.join(
    columns.map((column) => sql.ref(column)),
    sql` || ' ' || `,
  );
  // Both engines' lower() knows A to Z only: words with other letters are looked for as one writes them, äö, Äö and ÄÖ.
  const [first = "", ...others] = word;
  const spellings = [word, first.toUpperCase() + others.join(""), word.toUpperCase()].map(lowerLatin);
  const spelled = [...new Set(spellings)].map((spelling) => {
    const pattern = `%${spelling.replace(/[\\%_]/g, "\\$&")}%`;
    return sql<SqlBool>`lower(${text}) like ${pattern} escape '\\'`;
  });
  return sql<SqlBool>`(${sql.join(spelled, sql` or `)})`;
}

const lowerLatin = (text: string): string => text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());

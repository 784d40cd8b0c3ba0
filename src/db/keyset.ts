// Keyset paging: a page starts after a row, not at a number, so the thousandth page costs what the first one does.

import { sql, type Expression, type SqlBool } from "kysely";

/** Where a page starts and how long it is. */
export interface Keyset {
  limit: number;
  descending: boolean;
  /** The last row of the page before: its sort value and its id. */
  after: { value: string | number; id: string } | null;
}

/** The condition that skips what came before; an index on (column, id) answers it. Columns are `alias.name`, never input. */
export function afterKeyset(column: string, idColumn: string, page: Keyset): Expression<SqlBool> {
  if (page.after === null) return sql<SqlBool>`1 = 1`;
  const left = sql`(${sql.ref(column)}, ${sql.ref(idColumn)})`;
  const right = sql`(${page.after.value}, ${page.after.id})`;
  return page.descending ? sql<SqlBool>`${left} < ${right}` : sql<SqlBool>`${left} > ${right}`;
}

/** The condition that leaves out what comes behind a row. */
export function untilKeyset(
  column: string,
  idColumn: string,
  last: NonNullable<Keyset["after"]>,
  page: Keyset,
): Expression<SqlBool> {
  const left = sql`(${sql.ref(column)}, ${sql.ref(idColumn)})`;
  const right = sql`(${last.value}, ${last.id})`;
  return page.descending ? sql<SqlBool>`${left} >= ${right}` : sql<SqlBool>`${left} <= ${right}`;
}

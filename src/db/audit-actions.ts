// What a filter by action means: one action, or all that begin with it up to a dot.

import { sql, type Expression, type SqlBool } from "kysely";
import type { Queryable } from "./database.ts";

const mostActions = 64;

/** The actions that a filter by action means; null alone: any. */
export async function actionsOf(
  db: Queryable,
  { action, notActions }: { action: string | null; notActions: readonly string[] },
): Promise<(string | null)[]> {
  if (action === null) return [null];
  const isMeant = (one: string) => !notActions.some((not) => one === not || one.startsWith(`${not}.`));
  return (await actionsFrom(db, action)).filter(isMeant);
}

/** The action, and those that it is the beginning of, by skipping from one to the next in their index. */
async function actionsFrom(db: Queryable, wanted: string): Promise<string[]> {
  const found: string[] = [];
  const end = endOf(wanted);
  let after = wanted;
  const exact = await db
    .selectFrom("audit_log")
    .select("action")
    .where("action", "=", wanted)
    .limit(1)
    .executeTakeFirst();
  if (exact !== undefined) found.push(wanted);
  while (found.length < mostActions) {
    const row = await db
      .selectFrom("audit_log")
      .select("action")
      .where("action", ">", after === wanted ? `${wanted}.` : after)
      .where("action", "<", end)
      .orderBy("action")
      .limit(1)
      .executeTakeFirst();
    if (row === undefined) break;
    found.push(row.action);
    after = row.action;
  }
  return found;
}

/** Neither this action nor one that it is the beginning of, up to a dot. */
export function isNoAction(action: string): Expression<SqlBool> {
  return sql<SqlBool>`(a.action <> ${action} and (a.action < ${`${action}.`} or a.action > ${endOf(action)}))`;
}

/** "/" follows "." in both engines' order of bytes: every `action.…` lies between `action.` and this. */
function endOf(action: string): string {
  return `${action}/`;
}

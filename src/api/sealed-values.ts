// Every sealed value of the database: which row it is bound to, and how all of them move to the newest key.

import { sql } from "kysely";
import { SealError, type SealPurpose } from "../auth/sealing.ts";
import type { Queryable } from "../db/database.ts";
import type { ApiDeps } from "./deps.ts";

/** Names the row that a value is sealed for, from the row's id. Whoever seals or opens takes the name from here. */
export const sealedRow = {
  account: (id: string) => `accounts/${id}`,
  policy: (ownerId: string) => `policies/${ownerId}`,
  enrolment: (tokenHash: string) => `pending_logins/${tokenHash}`,
  signIn: (stateHash: string) => `oauth_states/${stateHash}`,
  visitorState: (stateHash: string) => `visitor_states/${stateHash}`,
  visitorCode: (codeHash: string) => `visitor_states/code/${codeHash}`,
  visitorSession: (sessionHash: string) => `visitor_sessions/${sessionHash}`,
  setting: (key: string) => `settings/${key}`,
};

interface SealedColumn {
  table: string;
  /** What the row's name is made from. */
  id: string;
  column: string;
  purpose: SealPurpose;
  rowOf: (id: string) => string;
  /** The only id whose value is sealed. */
  only?: string;
}

/** One for each name of `sealedRow`. */
export const sealedColumns: readonly SealedColumn[] = [
  { table: "accounts", id: "id", column: "totp_secret", purpose: "totp-seed", rowOf: sealedRow.account },
  {
    table: "policies",
    id: "owner_id",
    column: "oidc_client_secret",
    purpose: "oidc-secret",
    rowOf: sealedRow.policy,
  },
  {
    table: "pending_logins",
    id: "token_hash",
    column: "totp_secret",
    purpose: "totp-seed",
    rowOf: sealedRow.enrolment,
  },
  { table: "oauth_states", id: "state_hash", column: "verifier", purpose: "oauth-state", rowOf: sealedRow.signIn },
  {
    table: "visitor_states",
    id: "state_hash",
    column: "verifier",
    purpose: "oauth-state",
    rowOf: sealedRow.visitorState,
  },
  {
    table: "visitor_states",
    id: "code_hash",
    column: "id_token",
    purpose: "oauth-state",
    rowOf: sealedRow.visitorCode,
  },
  {
    table: "visitor_sessions",
    id: "session_hash",
    column: "id_token",
    purpose: "oauth-state",
    rowOf: sealedRow.visitorSession,
  },
  {
    table: "settings",
    id: "key",
    column: "value",
    purpose: "setup-draft",
    rowOf: sealedRow.setting,
    only: "setup.draft",
  },
];

const batch = 500;

/** Values that moved to the newest key, and those that can't be opened by any. */
export interface Resealed {
  moved: number;
  unreadable: number;
}

/**
 * Seals anew what an older key of ENCRYPTION_KEY has sealed. What others change meanwhile keeps their value. Throws when
 * the database fails; what was done stays, and the next call goes on.
 */
export async function resealValues({ db, sealer }: Pick<ApiDeps, "db" | "sealer">): Promise<Resealed> {
  const result: Resealed = { moved: 0, unreadable: 0 };
  for (const column of sealedColumns) {
    let after = "";
    for (;;) {
      const stale = await staleValues(db.kysely, column, sealer.newestPrefix, after);
      await db.transaction(async (trx) => {
        for (const { id, value } of stale) {
          const row = column.rowOf(id);
          try {
            const anew = sealer.seal(column.purpose, row, sealer.open(column.purpose, row, value));
            if (await replaceValue(trx, column, id, value, anew)) result.moved += 1;
          } catch (error) {
            if (!(error instanceof SealError)) throw error;
            result.unreadable += 1;
          }
        }
      });
      if (stale.length < batch) break;
      after = stale.at(-1)?.id ?? "";
    }
  }
  return result;
}

/**
 * Reseals, and says on the log what follows from it; the same thing once. Call it at the start and every hour: another
 * process may still seal with an older key. Without older keys only the first call looks.
 */
export function createResealing({ db, sealer, log }: Pick<ApiDeps, "db" | "sealer" | "log">): () => Promise<void> {
  let said: number | null = null;
  return async () => {
    if (said !== null && !sealer.hasOlderKeys) return;
    const { moved, unreadable } = await resealValues({ db, sealer });
    if (moved > 0) log.info("sealed values moved to the newest key of ENCRYPTION_KEY", { values: moved });
    if (unreadable === said) return;
    said = unreadable;
    if (unreadable > 0) log.warn(lost, { values: unreadable });
    else if (sealer.hasOlderKeys) log.info(done);
  };
}

const done =
  "no sealed value needs an older key of ENCRYPTION_KEY any more: it can be dropped; keep it with the backups made until now";
const lost =
  "sealed values can't be opened by any key of ENCRYPTION_KEY: add the key that sealed them behind a comma, or set these second factors and client secrets anew";

async function staleValues(db: Queryable, sealed: SealedColumn, newestPrefix: string, after: string) {
  const [id, value] = [sql.ref<string>(sealed.id), sql.ref<string>(sealed.column)];
  const only = sealed.only === undefined ? sql`` : sql`and ${id} = ${sealed.only}`;
  const found = await sql<{ id: string; value: string }>`
    select ${id} as id, ${value} as value from ${sql.table(sealed.table)}
    where ${value} is not null and ${value} not like ${`${newestPrefix}%`} and ${id} > ${after} ${only}
    order by ${id} limit ${sql.lit(batch)}`.execute(db);
  return found.rows;
}

async function replaceValue(db: Queryable, sealed: SealedColumn, id: string, old: string, anew: string) {
  const [key, value] = [sql.ref(sealed.id), sql.ref(sealed.column)];
  const result = await sql`
    update ${sql.table(sealed.table)} set ${value} = ${anew} where ${key} = ${id} and ${value} = ${old}`.execute(db);
  return (result.numAffectedRows ?? 0n) > 0n;
}

// ADMIN_TOKEN: the account `admin` whose API token the operator gave.

import { hashToken } from "../auth/tokens.ts";
import { findAccountByUsername, insertAccount, updateAccount } from "../db/accounts.ts";
import type { Database } from "../db/database.ts";
import { newId } from "../lib/ids.ts";
import type { Audit } from "../observe/audit.ts";

/** Makes sure that an active admin `admin` has this token. The same token again changes nothing; another one replaces it. */
export async function bootstrapAdminToken(db: Database, audit: Audit, token: string, nowMs: number): Promise<void> {
  const tokenHash = hashToken(token);
  await db.transaction(async (trx) => {
    const account = await findAccountByUsername(trx, "admin");
    const details = { source: "ADMIN_TOKEN" };
    if (account === null) {
      const id = newId("acc", nowMs);
      const rest = { passwordHash: null, isAdmin: true, isOrgAdmin: false, orgId: null, createdAtMs: nowMs };
      await insertAccount(trx, { id, username: "admin", usernameKey: "admin", tokenHash, ...rest });
      await audit.within(trx, { action: "account.created", actorName: "environment", identity: "admin", details });
      return db.changes.record(trx, { kind: "account", refId: id, action: "created" });
    }
    const row = await trx.selectFrom("accounts").select("token_hash").where("id", "=", account.id).executeTakeFirst();
    if (row?.token_hash === tokenHash && account.isAdmin && account.active) return;
    await updateAccount(trx, account.id, {
      token_hash: tokenHash,
      is_admin: 1,
      org_id: null,
      is_org_admin: 0,
      active: 1,
    });
    await audit.within(trx, { action: "account.token_changed", actorName: "environment", identity: "admin", details });
    await db.changes.record(trx, { kind: "account", refId: account.id, action: "updated" });
  });
}

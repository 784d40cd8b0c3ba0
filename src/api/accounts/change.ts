// One shape for every change of an account by somebody else: scope, rules, audit, and closing what the change forbids.

import {
  countOtherActiveAdmins,
  deleteAccount,
  findAccountWithin,
  updateAccount,
  type Account,
} from "../../db/accounts.ts";
import { holdRow } from "../../db/hold.ts";
import type { Trx } from "../../db/database.ts";
import { deletePendingLogins } from "../../db/second-factors.ts";
import { revokeSessions } from "../../db/sessions.ts";
import type { AccountsTable } from "../../db/tables.ts";
import { AppError } from "../../lib/errors.ts";
import type { DisconnectReason } from "../../link/messages.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import type { Scope } from "../scopes.ts";

export interface AccountEdit {
  /** Audited as this. */
  action: string;
  /** The new column values; may throw a refusal. `trx` is there for what else changes with it. */
  apply(
    account: Account,
    trx: Trx,
  ): Promise<Partial<Omit<AccountsTable, "id" | "created_at">>> | Partial<Omit<AccountsTable, "id" | "created_at">>;
  /** Ends the account's dashboard sessions and half-done logins. */
  endsSessions: boolean;
  /** Closes the account's tunnels, for this reason. */
  closesTunnels: DisconnectReason | null;
  /** The change would remove an admin: refused for the last active one. */
  removesAdmin?: boolean;
  /** May not be done to oneself here, because /me asks for proof first. */
  notToSelf?: boolean;
  /** Before and after for the audit log; no secrets. */
  details?(account: Account): Record<string, unknown>;
}

export interface AccountChanges {
  /** Applies the edit to the account with this id in this scope, and answers the account as it is then. */
  edit(scope: Scope, id: string, edit: AccountEdit): Promise<Account>;
  /** Deletes the account for good. */
  remove(scope: Scope, id: string): Promise<void>;
}

export function createAccountChanges(deps: ApiDeps): AccountChanges {
  const { db, audit, nowMs } = deps;

  /** A foreign account is as unknown as one that never was; one that is just being moved is foreign. */
  async function target(trx: Trx, scope: Scope, id: string): Promise<Account> {
    // Not for system admins, to whom none is foreign: who removes an admin holds them all, in an order of its own.
    if (scope.orgId !== null) await holdRow(trx, "accounts", id);
    const account = await findAccountWithin(trx, scope.orgId, id);
    if (account === null) throw new AppError("not_found");
    return account;
  }

  async function keepAnAdmin(trx: Trx, account: Account): Promise<void> {
    if (!account.isAdmin || !account.active) return;
    if ((await countOtherActiveAdmins(trx, account.id)) > 0) return;
    throw new AppError("conflict", "This is the last active admin. Make another one first.");
  }

  return {
    async edit(scope, id, edit) {
      if (edit.notToSelf === true && id === scope.caller.account.id) {
        throw new AppError("forbidden", "For your own account use the page of your account, which asks for proof.");
      }
      const changed = await db.transaction(async (trx) => {
        const before = await target(trx, scope, id);
        if (edit.removesAdmin === true) await keepAnAdmin(trx, before);
        await updateAccount(trx, id, await edit.apply(before, trx));
        if (edit.endsSessions) {
          await revokeSessions(trx, id, nowMs());
          await deletePendingLogins(trx, id);
        }
        const after = (await findAccountWithin(trx, null, id)) ?? before;
        await db.changes.record(trx, { kind: "account", refId: id, orgId: after.orgId, action: "updated" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: edit.action,
          orgId: after.orgId ?? before.orgId,
          details: { account: id, username: after.username, ...edit.details?.(before) },
        });
        return after;
      });
      if (edit.closesTunnels !== null) await deps.tunnels.disconnect({ accountId: id }, edit.closesTunnels);
      return changed;
    },
    async remove(scope, id) {
      await db.transaction(async (trx) => {
        const account = await target(trx, scope, id);
        await keepAnAdmin(trx, account);
        await deleteAccount(trx, id);
        await db.changes.record(trx, { kind: "account", refId: id, orgId: account.orgId, action: "deleted" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "account.deleted",
          orgId: account.orgId,
          details: { account: id, username: account.username },
        });
      });
      await deps.tunnels.disconnect({ accountId: id }, "credential_revoked");
    },
  };
}

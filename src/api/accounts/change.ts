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

type NewValues = Partial<Omit<AccountsTable, "id" | "created_at">>;

export interface AccountEdit {
  /** Audited as this. */
  action: string;
  /**
   * The new column values; may throw a refusal. Null: the account is like that already, so that nothing ends and nothing is told.
   * `trx` is there for what else changes with it.
   */
  apply(account: Account, trx: Trx): Promise<NewValues | null> | NewValues | null;
  /** Ends the account's dashboard sessions and half-done logins. */
  endsSessions: boolean;
  /** Closes the account's tunnels, for this reason. */
  closesTunnels: DisconnectReason | null;
  /** The change would remove an admin: refused for the last active one. */
  removesAdmin?: boolean;
  /** May not be done to oneself here, because /me asks for proof first. */
  notToSelf?: boolean;
  /** Before and after for the audit log of an organization (null: the system's); no secrets, and nothing of another organization. */
  details?(account: Account, orgId: string | null): Record<string, unknown>;
}

export interface AccountChanges {
  /** Applies the edit to the account with this id in this scope, and answers the account as it is then. */
  edit(scope: Scope, id: string, edit: AccountEdit): Promise<Account>;
  /** Deletes the account for good. */
  remove(scope: Scope, id: string): Promise<void>;
}

export function createAccountChanges(deps: ApiDeps): AccountChanges {
  const { db, audit, nowMs } = deps;

  /**
   * The account as it is until the transaction ends: whoever else changes or moves it waits, and one that was just moved is foreign.
   * A foreign account is as unknown as one that never was.
   */
  async function target(trx: Trx, scope: Scope, id: string, removesAdmin: boolean): Promise<Account> {
    // Before the account itself: of two who remove one admin each, neither then holds what the other one waits for.
    const admins = removesAdmin && scope.orgId === null ? await countOtherActiveAdmins(trx, id) : 0;
    await holdRow(trx, "accounts", id);
    const account = await findAccountWithin(trx, scope.orgId, id);
    if (account === null) throw new AppError("not_found");
    if (removesAdmin && account.isAdmin && account.active && admins === 0)
      throw new AppError("conflict", "This is the last active admin. Make another one first.");
    return account;
  }

  return {
    async edit(scope, id, edit) {
      if (edit.notToSelf === true && id === scope.caller.account.id) {
        throw new AppError("forbidden", "For your own account use the page of your account, which asks for proof.");
      }
      const { account, isChanged } = await db.transaction(async (trx) => {
        const before = await target(trx, scope, id, edit.removesAdmin === true);
        const values = await edit.apply(before, trx);
        if (values === null) return { account: before, isChanged: false };
        await updateAccount(trx, id, values);
        if (edit.endsSessions) {
          await revokeSessions(trx, id, nowMs());
          await deletePendingLogins(trx, id);
        }
        const after = (await findAccountWithin(trx, null, id)) ?? before;
        await db.changes.record(trx, { kind: "account", refId: id, orgId: after.orgId, action: "updated" });
        const entries = organizationsOf(before, after).map((orgId) => ({
          ...changeBy(scope.caller, scope.request),
          ...{ action: edit.action, orgId },
          details: { account: id, username: after.username, ...edit.details?.(before, orgId) },
        }));
        await audit.within(trx, ...entries);
        return { account: after, isChanged: true };
      });
      if (isChanged && edit.closesTunnels !== null)
        await deps.tunnels.disconnect({ accountId: id }, edit.closesTunnels);
      return account;
    },
    async remove(scope, id) {
      await db.transaction(async (trx) => {
        const account = await target(trx, scope, id, true);
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

/** Whose logs tell of the change: of a move that of either organization. */
function organizationsOf(before: Account, after: Account): (string | null)[] {
  const found = new Set([before.orgId, after.orgId].filter((id) => id !== null));
  return found.size === 0 ? [null] : [...found];
}

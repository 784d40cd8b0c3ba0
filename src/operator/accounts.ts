// What an operator does with accounts from a shell, when nobody can log in.

import { changeEmail } from "../api/accounts/email.ts";
import { checkUsername, possibleAccount } from "../api/accounts/rules.ts";
import { checkPassword, type Passwords } from "../auth/passwords.ts";
import { createToken, hashToken } from "../auth/tokens.ts";
import { listAdmins, listAllAccounts } from "../db/account-lists.ts";
import { findAccountByUsername, insertAccount, updateAccount, type Account } from "../db/accounts.ts";
import type { Database, Trx } from "../db/database.ts";
import { isUniqueViolation } from "../db/engine.ts";
import { deletePendingLogins, forgetTotpSteps, replaceRecoveryCodes } from "../db/second-factors.ts";
import { revokeSessions } from "../db/sessions.ts";
import type { AccountsTable } from "../db/tables.ts";
import { AppError } from "../lib/errors.ts";
import { newId } from "../lib/ids.ts";
import { canonicalUsername } from "../lib/usernames.ts";
import type { Audit } from "../observe/audit.ts";
import { byOperator } from "./by-operator.ts";
import type { ListedAccount } from "./operator.ts";
import { addRange, parseRange } from "./ranges.ts";

export interface OperatorDeps {
  db: Database;
  audit: Pick<Audit, "within">;
  nowMs: () => number;
}

/** An account that may be made, once there is a database for it. */
export interface NewAccount {
  username: string;
  usernameKey: string;
  isAdmin: boolean;
  /** What comes on the system's list with it; the one spelling. */
  range: string | null;
}

/** Throws `validation`. */
export function parseAccount(name: string, options: { isAdmin: boolean; allow: string | null }): NewAccount {
  const { isAdmin, allow } = options;
  return { ...checkUsername(name), isAdmin, range: allow === null ? null : parseRange(allow) };
}

/** Makes an account. The token is in the answer and nowhere else. */
export async function createAccount(
  deps: OperatorDeps,
  { username, usernameKey, isAdmin, range }: NewAccount,
): Promise<{ token: string }> {
  const { db, audit, nowMs } = deps;
  const token = createToken("dlt");
  const id = newId("acc", nowMs());
  try {
    await db.transaction(async (trx) => {
      await insertAccount(trx, {
        ...{ id, username, usernameKey, isAdmin },
        ...{ passwordHash: null, tokenHash: hashToken(token), isOrgAdmin: false, orgId: null, createdAtMs: nowMs() },
      });
      await db.changes.record(trx, { kind: "account", refId: id, action: "created" });
      const details = { account: id, username, isAdmin, isOrgAdmin: false };
      await audit.within(trx, { ...byOperator, action: "account.created", details });
      if (range !== null) await addRange(deps, trx, range, `Of ${username}`);
    });
  } catch (error) {
    if (!isUniqueViolation(error, "username_key")) throw error;
    const sentence = `There is an account ${username} already: a new token of it is made by "digit-link account token ${username}".`;
    throw new AppError("conflict", sentence, { field: "username", cause: error });
  }
  return { token };
}

/** Gives an account a new token, in the answer and nowhere else; the old one ends, and the tunnels that it opened. */
export async function changeToken(deps: OperatorDeps, name: string): Promise<{ token: string }> {
  const token = createToken("dlt");
  await changeAccount(deps, name, { action: "account.token_changed", endsSessions: false }, () => {
    return { token_hash: hashToken(token) };
  });
  return { token };
}

/** Sets or removes the address (as `checkEmail` gives it) that sign-in providers find the account by, and ends every session of the account. */
export async function setEmail(deps: OperatorDeps, name: string, email: string | null): Promise<void> {
  await possibleAccount(() =>
    changeAccount(
      deps,
      name,
      {
        action: "account.email_changed",
        endsSessions: true,
        details: (account) => ({ before: account.email, after: email }),
      },
      (account, trx) => changeEmail(trx, account, email),
    ),
  );
}

/** Every system admin. */
export async function listAdministrators({ db }: Pick<OperatorDeps, "db">) {
  const admins = await listAdmins(db.kysely);
  return admins.map(({ username: name, active, passwordHash, totpSecret }) => {
    return { name, active, hasPassword: passwordHash !== null, totp: totpSecret !== null };
  });
}

/** Every account, by name. */
export async function listPeople({ db }: Pick<OperatorDeps, "db">): Promise<ListedAccount[]> {
  const accounts = await listAllAccounts(db.kysely);
  return accounts.map(({ username: name, active, isAdmin, isOrgAdmin, orgName, email, lastUsedAtMs }) => {
    const role = isAdmin ? "system admin" : isOrgAdmin ? "organization admin" : "account";
    const lastUsedAt = lastUsedAtMs === 0 ? null : new Date(lastUsedAtMs).toISOString();
    return { name, active, role, organization: orgName, email, lastUsedAt };
  });
}

/** Removes the second factor with its recovery codes, and ends every session of the account. */
export async function resetTotp(deps: OperatorDeps, name: string): Promise<void> {
  await changeAccount(deps, name, { action: "account.totp_reset", endsSessions: true }, async (account, trx) => {
    await replaceRecoveryCodes(trx, account.id, [], deps.nowMs());
    await forgetTotpSteps(trx, account.id);
    return { totp_secret: null, totp_enrolled_at: null };
  });
}

/** Sets a password that keeps the rules, and ends every session of the account. */
export async function setPassword(
  deps: OperatorDeps & { passwords: Passwords },
  name: string,
  password: string,
): Promise<void> {
  const { username } = await find(deps.db, name);
  checkPassword(password, username);
  const hash = await deps.passwords.hash(password);
  await changeAccount(deps, name, { action: "account.password_set", endsSessions: true }, () => {
    return { password_hash: hash, password_changed_at: deps.nowMs() };
  });
}

type Columns = Partial<Omit<AccountsTable, "id" | "created_at">>;

interface AccountChange {
  action: string;
  endsSessions: boolean;
  /** Before and after, for the audit log. */
  details?(account: Account): Record<string, unknown>;
}

async function changeAccount(
  { db, audit, nowMs }: OperatorDeps,
  name: string,
  { action, endsSessions, details }: AccountChange,
  apply: (account: Account, trx: Trx) => Promise<Columns> | Columns,
): Promise<void> {
  await db.transaction(async (trx) => {
    const account = await find({ kysely: trx }, name);
    const { id, orgId, username } = account;
    await updateAccount(trx, id, await apply(account, trx));
    if (endsSessions) {
      await revokeSessions(trx, id, nowMs());
      await deletePendingLogins(trx, id);
    }
    await db.changes.record(trx, { kind: "account", refId: id, orgId, action: "updated" });
    await audit.within(trx, {
      ...byOperator,
      action,
      orgId,
      details: { account: id, username, ...details?.(account) },
    });
  });
}

async function find({ kysely }: Pick<Database, "kysely">, name: string): Promise<Account> {
  const account = await findAccountByUsername(kysely, canonicalUsername(name));
  if (account === null) throw new AppError("not_found", `There is no account ${name}.`);
  return account;
}

// What admins and organization admins do with accounts.

import { checkPassword } from "../../auth/passwords.ts";
import { createToken, hashToken } from "../../auth/tokens.ts";
import { accountSorts, accountSortValue, listAccounts } from "../../db/account-lists.ts";
import { findAccountWithin, insertAccount, type Account } from "../../db/accounts.ts";
import { findOrganization } from "../../db/organizations.ts";
import { forgetTotpSteps, replaceRecoveryCodes } from "../../db/second-factors.ts";
import { moveAccountWhitelist, type ListOwner } from "../../db/whitelist-entries.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { canonicalUsername } from "../../lib/usernames.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import { choiceOf, flagOf, typedChoice } from "../filters.ts";
import { checkRoom } from "../organizations/room.ts";
import { parsePage, parseSort, toPage } from "../paging.ts";
import type { Scope } from "../scopes.ts";
import { checkPlace, checkRoles, checkUsername, possibleAccount, unknownOrganization } from "./rules.ts";
import { changeEmail, checkEmail } from "./email.ts";
import { createAccountChanges, type AccountEdit } from "./change.ts";

export interface ListQuery {
  limit?: number;
  cursor?: string;
  sort?: string;
  q?: string;
  active?: string;
  org?: string;
  admin?: string;
}

export interface NewAccountBody {
  username: string;
  email?: string;
  password?: string;
  isAdmin?: boolean;
  isOrgAdmin?: boolean;
  orgId?: string | null;
}

interface BasedOn {
  /** The organization that the account was in when it was read; see `checkPlace`. */
  basedOn?: string | null;
}

export type Accounts = ReturnType<typeof createAccounts>;

/** Every operation takes the scope that decides which accounts exist. */
export function createAccounts(deps: ApiDeps) {
  const { db, audit, nowMs } = deps;
  const changes = createAccountChanges(deps);

  async function get(orgId: string | null, id: string): Promise<Account> {
    const account = await findAccountWithin(db.kysely, orgId, id);
    if (account === null) throw new AppError("not_found");
    return account;
  }

  async function list(orgId: string | null, query: ListQuery) {
    const q = typedChoice(query.q);
    const isSearch = q?.not === false;
    const sort = parseSort(query.sort, accountSorts, isSearch ? "username" : "-createdAt");
    if (isSearch && sort.column !== accountSorts.username) {
      throw new AppError("validation", "sort must be username when q is given.", { field: "sort" });
    }
    const page = parsePage(query, sort);
    const filter = {
      org: choiceOf(orgId ?? query.org),
      active: flagOf(query.active),
      isAdmin: flagOf(query.admin),
      username: q === null ? null : { ...q, value: canonicalUsername(q.value) },
    };
    const found = await listAccounts(db.kysely, filter, sort.column, page);
    return toPage(found, page, sort, (row) => ({ value: accountSortValue(row, sort.column), id: row.id }));
  }

  async function create(scope: Scope, body: NewAccountBody): Promise<{ account: Account; token: string }> {
    const { username, usernameKey } = checkUsername(body.username);
    const email = body.email === undefined ? null : checkEmail(body.email);
    const isAdmin = body.isAdmin === true;
    const orgId = scope.orgId ?? body.orgId ?? null;
    checkRoles(isAdmin, body.isOrgAdmin === true, orgId);
    if (body.password !== undefined) checkPassword(body.password, username);
    const passwordHash = body.password === undefined ? null : await deps.passwords.hash(body.password);
    const token = createToken("dlt");
    const id = newId("acc", nowMs());
    await possibleAccount(() =>
      db.transaction(async (trx) => {
        await scope.mustStillMay(trx);
        if (orgId !== null && (await findOrganization(trx, orgId)) === null) throw unknownOrganization();
        if (orgId !== null) await checkRoom(trx, deps.settings.room, "accounts", orgId);
        await insertAccount(trx, {
          id,
          username,
          usernameKey,
          email,
          passwordHash,
          tokenHash: hashToken(token),
          isAdmin,
          isOrgAdmin: body.isOrgAdmin === true,
          orgId,
          createdAtMs: nowMs(),
        });
        await db.changes.record(trx, { kind: "account", refId: id, orgId, action: "created" });
        await audit.within(trx, {
          ...changeBy(scope.caller, scope.request),
          action: "account.created",
          orgId,
          details: { account: id, username, email, isAdmin, isOrgAdmin: body.isOrgAdmin === true },
        });
      }),
    );
    return { account: await get(null, id), token };
  }

  /** An edit that only sets columns. */
  const edit = (scope: Scope, id: string, what: AccountEdit): Promise<Account> => changes.edit(scope, id, what);

  return {
    get,
    list,
    create,
    remove: (scope: Scope, id: string) => changes.remove(scope, id),
    deactivate: (scope: Scope, id: string) =>
      edit(scope, id, {
        action: "account.deactivated",
        apply: () => ({ active: 0 }),
        endsSessions: true,
        closesTunnels: "credential_revoked",
        removesAdmin: true,
      }),
    activate: (scope: Scope, id: string) =>
      edit(scope, id, {
        action: "account.activated",
        apply: () => ({ active: 1 }),
        endsSessions: false,
        closesTunnels: null,
      }),
    async regenerate(scope: Scope, id: string): Promise<{ account: Account; token: string }> {
      const token = createToken("dlt");
      const account = await edit(scope, id, {
        action: "account.token_changed",
        apply: () => ({ token_hash: hashToken(token) }),
        endsSessions: false,
        closesTunnels: "credential_revoked",
        // A system admin's is made here only: /org/me/token is of all others.
        notToSelf: scope.orgId !== null,
      });
      return { account, token };
    },
    rename(scope: Scope, id: string, input: string): Promise<Account> {
      const { username, usernameKey } = checkUsername(input);
      return possibleAccount(() =>
        edit(scope, id, {
          action: "account.renamed",
          apply: () => ({ username, username_key: usernameKey }),
          endsSessions: false,
          closesTunnels: null,
          details: (before) => ({ before: before.username, after: username }),
        }),
      );
    },
    setEmail(scope: Scope, id: string, input: string | null): Promise<Account> {
      const email = input === null ? null : checkEmail(input);
      return possibleAccount(() =>
        edit(scope, id, {
          action: "account.email_changed",
          apply: (before, trx) => (before.email === email ? null : changeEmail(trx, before, email)),
          endsSessions: true,
          closesTunnels: null,
          details: (before) => ({ before: before.email, after: email }),
        }),
      );
    },
    async setPassword(scope: Scope, id: string, password: string): Promise<Account> {
      const { username } = await get(scope.orgId, id);
      checkPassword(password, username);
      const hash = await deps.passwords.hash(password);
      return edit(scope, id, {
        action: "account.password_set",
        async apply(_account, trx) {
          await scope.mustStillMay(trx);
          return { password_hash: hash, password_changed_at: nowMs() };
        },
        endsSessions: true,
        closesTunnels: null,
        notToSelf: true,
      });
    },
    setOrganization: (scope: Scope, id: string, { orgId, basedOn }: BasedOn & { orgId: string | null }) =>
      possibleAccount(() =>
        edit(scope, id, {
          action: "account.moved",
          async apply(account, trx) {
            checkPlace(account.orgId, basedOn);
            if (account.orgId === orgId) return null;
            if (account.isAdmin) checkRoles(true, false, orgId);
            if (orgId !== null && (await findOrganization(trx, orgId)) === null) throw unknownOrganization();
            await moveAccountWhitelist(trx, id, orgId);
            // Being an admin of one organization is no right in another.
            return { org_id: orgId, is_org_admin: 0 };
          },
          endsSessions: true,
          closesTunnels: "credential_revoked",
          details(before, reader) {
            const shown = (id: string | null) => (id === null || id === reader ? id : "another organization");
            return { before: shown(before.orgId), after: shown(orgId) };
          },
        }),
      ),
    setOrgAdmin: (scope: Scope, id: string, { isOrgAdmin, basedOn }: BasedOn & { isOrgAdmin: boolean }) =>
      edit(scope, id, {
        action: "account.role_changed",
        apply(account) {
          if (isOrgAdmin) checkRoles(account.isAdmin, true, account.orgId);
          checkPlace(account.orgId, basedOn);
          if (account.isOrgAdmin === isOrgAdmin) return null;
          return { is_org_admin: isOrgAdmin ? 1 : 0 };
        },
        endsSessions: true,
        closesTunnels: null,
        details: (before) => ({ before: before.isOrgAdmin, after: isOrgAdmin }),
      }),
    resetTotp: (scope: Scope, id: string) =>
      edit(scope, id, {
        action: "account.totp_reset",
        async apply(_account, trx) {
          await replaceRecoveryCodes(trx, id, [], nowMs());
          await forgetTotpSteps(trx, id);
          return { totp_secret: null, totp_enrolled_at: null };
        },
        endsSessions: true,
        closesTunnels: null,
        notToSelf: true,
      }),
    /** Whose whitelist an account's is. Throws `not_found` outside the scope. */
    async listOwner(orgId: string | null, id: string): Promise<ListOwner> {
      const account = await get(orgId, id);
      return { level: "account", ownerId: id, orgId: account.orgId, appId: null, accountId: id };
    },
  };
}

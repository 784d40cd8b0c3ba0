// Who calls: the account behind a session cookie, a bearer session or an admin's API token, read from the database each time.

import { hashSecret } from "../auth/secrets.ts";
import { hashToken, isUnguessable } from "../auth/tokens.ts";
import { findAccount, findAccountByTokenHash, type Account } from "../db/accounts.ts";
import type { Queryable } from "../db/database.ts";
import { findLiveSession, isLiveSession, touchSession } from "../db/sessions.ts";
import { AppError } from "../lib/errors.ts";
import { cookieName, readCookie } from "./cookies.ts";
import { blocked, noteFailure } from "./limited.ts";
import type { ApiDeps } from "./deps.ts";
import { noteUse } from "./noted-use.ts";
import { factsOf } from "./request.ts";

export interface Caller {
  account: Account;
  /** Public id of the session; null when an API token was used. */
  sessionId: string | null;
}

/** An organization's member: `orgId` is the database's, of this very request. Scope every query of `/org` by it. */
export interface OrgCaller extends Caller {
  orgId: string;
}

export interface Callers {
  /** Any active account with a live session; it may still owe a second factor. Throws `unauthorized`. */
  session(request: Request): Promise<Caller>;
  /** As `session`, but whoever owes a second factor must enrol first. Throws `unauthorized`, `totp_required`. */
  enrolled(request: Request): Promise<Caller>;
  /** A system admin, by session or by `X-Admin-Token`. Throws `unauthorized`, `forbidden`, `totp_required`. */
  admin(request: Request): Promise<Caller>;
  /** As `admin`, but one who has yet to enrol passes: for the routes that enrol. */
  adminEnrolling(request: Request): Promise<Caller>;
  /** Anyone but a system admin, with or without an organization. Throws `unauthorized`, `forbidden`, `totp_required`. */
  nonAdmin(request: Request): Promise<Caller>;
  /** As `nonAdmin`, but one who has yet to enrol passes: for the routes that enrol. */
  nonAdminEnrolling(request: Request): Promise<Caller>;
  /** A member of an organization. Throws `unauthorized`, `forbidden`, `totp_required`. */
  orgMember(request: Request): Promise<OrgCaller>;
  /** An admin of the organization. */
  orgAdmin(request: Request): Promise<OrgCaller>;
  /**
   * Judges a caller of `admin` or `orgAdmin` once more, by the database of now: for the transaction of a change that something slow
   * came before, and for an answer that takes long. Throws what they throw, and `forbidden` when the account's role or organization
   * is another one by now.
   */
  mustStillMay(db: Queryable, caller: Caller, request: Request): Promise<void>;
}

const touchEveryMs = 60_000;

export function createCallers(deps: ApiDeps): Callers {
  async function session(request: Request): Promise<Caller> {
    const token =
      bearerOf(request) ?? readCookie(request.headers.get("cookie"), cookieName("session", deps.settings.scheme));
    const claims = token === null ? null : await deps.sessionTokens.verify(token);
    if (claims === null) throw new AppError("unauthorized");
    const nowMs = deps.nowMs();
    const row = await findLiveSession(deps.db.kysely, hashSecret(claims.sessionId), claims.accountId, nowMs);
    const account = row === null ? null : await findAccount(deps.db.kysely, claims.accountId);
    if (row === null || account === null || !account.active) throw new AppError("unauthorized");
    if (Math.abs(nowMs - row.last_seen_at) > touchEveryMs)
      await noteUse(deps.log, "session", touchSession(deps.db.kysely, row.id, nowMs));
    return { account, sessionId: row.id };
  }

  async function byAdminToken(request: Request, token: string): Promise<Caller> {
    const { address, network, requestId } = factsOf(request);
    const key = { scope: "admin-token", subject: network, rule: deps.settings.loginLimit };
    const details = { method: request.method };
    const attempted = { action: "admin.token", authType: "token", address, requestId, details };
    const retryAfterMs = deps.limiter.blockedForMs(key);
    if (retryAfterMs > 0 && !isUnguessable(token)) throw blocked(deps.audit, attempted, retryAfterMs);
    const found = deps.settings.adminApiTokens ? await findAccountByTokenHash(deps.db.kysely, hashToken(token)) : null;
    const account = found !== null && found.active && found.isAdmin ? found : null;
    if (account === null) {
      const reason = deps.settings.adminApiTokens ? null : "switched off";
      noteFailure(deps.audit, retryAfterMs === 0 && network !== null, { ...attempted, reason });
      if (retryAfterMs > 0) throw new AppError("rate_limited", undefined, { retryAfterMs });
      // Counted afterwards: scripts may call many at a time, and 256 random bits are not guessed in parallel.
      await deps.limiter.fail([key]);
      throw new AppError("bad_token");
    }
    deps.audit.record({ ...attempted, success: true, actorId: account.id, actorName: account.username });
    return { account, sessionId: null };
  }

  async function mustStillMay(db: Queryable, { account, sessionId }: Caller, request: Request): Promise<void> {
    const token = request.headers.get("x-admin-token") ?? "";
    const isOpen =
      sessionId === null
        ? (await findAccountByTokenHash(db, hashToken(token)))?.id === account.id
        : await isLiveSession(db, sessionId, deps.nowMs());
    const now = isOpen ? await findAccount(db, account.id) : null;
    if (now === null || !now.active) throw new AppError("unauthorized");
    const { isAdmin, isOrgAdmin, orgId } = now;
    if (isAdmin !== account.isAdmin || isOrgAdmin !== account.isOrgAdmin || orgId !== account.orgId)
      throw new AppError("forbidden");
    if (sessionId !== null) checkSecondFactor(now);
  }

  async function adminEnrolling(request: Request): Promise<Caller> {
    const token = request.headers.get("x-admin-token");
    const caller = token === null ? await session(request) : await byAdminToken(request, token);
    if (!caller.account.isAdmin) throw new AppError("forbidden");
    return caller;
  }

  async function nonAdminEnrolling(request: Request): Promise<Caller> {
    const caller = await session(request);
    if (caller.account.isAdmin) throw new AppError("forbidden");
    return caller;
  }

  async function nonAdmin(request: Request): Promise<Caller> {
    const caller = await nonAdminEnrolling(request);
    checkSecondFactor(caller.account);
    return caller;
  }

  async function orgMember(request: Request): Promise<OrgCaller> {
    const caller = await nonAdmin(request);
    const { orgId } = caller.account;
    if (orgId === null) throw new AppError("forbidden");
    return { ...caller, orgId };
  }

  return {
    session,
    async enrolled(request) {
      const caller = await session(request);
      checkSecondFactor(caller.account);
      return caller;
    },
    adminEnrolling,
    nonAdmin,
    nonAdminEnrolling,
    orgMember,
    mustStillMay,
    async admin(request) {
      const caller = await adminEnrolling(request);
      // An API token is a factor of its own; a session of an admin must have had two.
      if (caller.sessionId !== null) checkSecondFactor(caller.account);
      return caller;
    },
    async orgAdmin(request) {
      const caller = await orgMember(request);
      if (!caller.account.isOrgAdmin) throw new AppError("forbidden");
      return caller;
    },
  };
}

/** Whether the account has to have a second factor: every system admin, and members where the organization says so. */
export function owesSecondFactor(account: Account): boolean {
  return account.totpSecret === null && (account.isAdmin || account.orgRequiresTotp);
}

function checkSecondFactor(account: Account): void {
  if (owesSecondFactor(account)) throw new AppError("totp_required");
}

function bearerOf(request: Request): string | null {
  const match = /^Bearer ([A-Za-z0-9._~-]{1,4096})$/i.exec(request.headers.get("authorization") ?? "");
  return match?.[1] ?? null;
}

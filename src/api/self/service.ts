// What people change about themselves: password, authenticator, API token. Each needs proof that it is really them.

import { hashSecret } from "../../auth/secrets.ts";
import { checkPassword } from "../../auth/passwords.ts";
import { createToken, hashToken } from "../../auth/tokens.ts";
import { createTotpEnrolment, type TotpEnrolment } from "../../auth/totp.ts";
import { updateAccount } from "../../db/accounts.ts";
import type { Trx } from "../../db/database.ts";
import {
  consumePendingLogin,
  deletePendingLogins,
  findPendingLogin,
  forgetTotpSteps,
  insertPendingLogin,
  replaceRecoveryCodes,
} from "../../db/second-factors.ts";
import { insertSession, revokeSessions } from "../../db/sessions.ts";
import { AppError } from "../../lib/errors.ts";
import type { Caller } from "../callers.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import { createPasswordAttempts } from "../login/attempts.ts";
import { createSecondFactor } from "../login/second-factor.ts";
import { clearSessionCookie, prepareSession, type PreparedSession } from "../login/sessions.ts";
import { mustBeUnchanged } from "../login/unchanged.ts";
import { sealedRow } from "../sealed-values.ts";

export interface Self {
  /** Ends every session, and gives the caller's browser a new one (null for API tokens). */
  changePassword(
    caller: Caller,
    body: { currentPassword?: string; newPassword: string },
    request: Request,
  ): Promise<{ setCookie: string | null }>;
  /** A new seed to enrol; what the account has stays valid until `finishTotp`. */
  startTotp(caller: Caller, currentPassword: string | undefined, request: Request): Promise<TotpEnrolment>;
  finishTotp(
    caller: Caller,
    code: string,
    request: Request,
  ): Promise<{ setCookie: string | null; recoveryCodes: string[] }>;
  /** Removes the authenticator and the recovery codes, and ends every session: the next login may have to enrol again. */
  removeTotp(
    caller: Caller,
    body: { currentPassword?: string; code: string },
    request: Request,
  ): Promise<{ setCookie: string }>;
  /** A new API token instead of the old one; tunnels opened with the old one close. */
  changeToken(caller: Caller, currentPassword: string | undefined, request: Request): Promise<{ token: string }>;
}

export function createSelf(deps: ApiDeps): Self {
  const { db, audit, sealer, nowMs } = deps;
  const attempts = createPasswordAttempts(deps);
  const secondFactor = createSecondFactor(deps);

  const newSession = (caller: Caller, request: Request): Promise<PreparedSession> | null =>
    caller.sessionId === null ? null : prepareSession(deps, caller.account.id, request);

  /** Every session before this moment ends; the caller goes on with a new one. */
  async function rotateSessions(trx: Trx, caller: Caller, session: PreparedSession | null): Promise<void> {
    await revokeSessions(trx, caller.account.id, nowMs());
    if (session !== null) await insertSession(trx, session.row);
  }

  /**
   * An enrolment belongs to the session that began it. The prefix keeps it from being the hash of any pending token:
   * otherwise whoever knows the ids could present them at /auth/totp/setup.
   */
  const enrolmentHash = (caller: Caller): string =>
    `self:${hashSecret(`${caller.account.id}\n${caller.sessionId ?? "token"}`)}`;

  async function noteChange(trx: Trx, caller: Caller, action: string, request: Request): Promise<void> {
    await db.changes.record(trx, {
      kind: "account",
      refId: caller.account.id,
      orgId: caller.account.orgId,
      action: "updated",
    });
    await audit.within(trx, { ...changeBy(caller, request), action, success: true });
  }

  return {
    async changePassword(caller, body, request) {
      const { account } = caller;
      checkPassword(body.newPassword, account.username, "newPassword");
      await attempts.confirm(account, body.currentPassword, request);
      const passwordHash = await deps.passwords.hash(body.newPassword);
      const session = await newSession(caller, request);
      await db.transaction(async (trx) => {
        await mustBeUnchanged(deps, trx, account);
        await updateAccount(trx, account.id, { password_hash: passwordHash, password_changed_at: nowMs() });
        await deletePendingLogins(trx, account.id);
        await rotateSessions(trx, caller, session);
        await noteChange(trx, caller, "account.password_changed", request);
      });
      return { setCookie: session?.setCookie ?? null };
    },
    async startTotp(caller, currentPassword, request) {
      const { account } = caller;
      await attempts.confirm(account, currentPassword, request);
      const enrolment = createTotpEnrolment(deps.settings.domain, account.username);
      const tokenHash = enrolmentHash(caller);
      await insertPendingLogin(db.kysely, {
        token_hash: tokenHash,
        account_id: account.id,
        kind: "enrol",
        totp_secret: sealer.seal("totp-seed", sealedRow.enrolment(tokenHash), enrolment.secret),
        created_at: nowMs(),
        expires_at: nowMs() + deps.settings.pendingLoginTtlMs,
      });
      return enrolment;
    },
    async finishTotp(caller, code, request) {
      const row = await findPendingLogin(db.kysely, enrolmentHash(caller), "enrol", nowMs());
      const notBegun = () => new AppError("not_found", "No enrolment is in progress. Start again.");
      if (row === null || row.totp_secret === null) throw notBegun();
      const seed = sealer.open("totp-seed", sealedRow.enrolment(row.token_hash), row.totp_secret);
      const session = await newSession(caller, request);
      const { recoveryCodes } = await secondFactor.enrol(caller.account, seed, code, request, async (trx) => {
        if (!(await consumePendingLogin(trx, row.token_hash))) throw notBegun();
        await rotateSessions(trx, caller, session);
      });
      return { setCookie: session?.setCookie ?? null, recoveryCodes };
    },
    async removeTotp(caller, body, request) {
      const { account } = caller;
      await attempts.confirm(account, body.currentPassword, request);
      await secondFactor.check(account, body.code, "session", request, async (trx) => {
        await updateAccount(trx, account.id, { totp_secret: null, totp_enrolled_at: null });
        await replaceRecoveryCodes(trx, account.id, [], nowMs());
        await forgetTotpSteps(trx, account.id);
        await deletePendingLogins(trx, account.id);
        await revokeSessions(trx, account.id, nowMs());
        await noteChange(trx, caller, "account.totp_removed", request);
      });
      return { setCookie: clearSessionCookie(deps) };
    },
    async changeToken(caller, currentPassword, request) {
      const { account } = caller;
      await attempts.confirm(account, currentPassword, request);
      const token = createToken("dlt");
      await db.transaction(async (trx) => {
        await mustBeUnchanged(deps, trx, account);
        await updateAccount(trx, account.id, { token_hash: hashToken(token) });
        await noteChange(trx, caller, "account.token_changed", request);
      });
      await deps.tunnels.disconnect({ accountId: account.id }, "credential_revoked");
      return { token };
    },
  };
}

// Logging in: password, then second factor or enrolment, then a session; a half-done login can do nothing else.

import { createSecret, hashSecret } from "../../auth/secrets.ts";
import { createTotpEnrolment, describeTotp, type TotpEnrolment } from "../../auth/totp.ts";
import { findAccount, updateAccount, type Account } from "../../db/accounts.ts";
import {
  consumePendingLogin,
  findPendingLogin,
  insertPendingLogin,
  type PendingLoginRow,
} from "../../db/second-factors.ts";
import { insertSession } from "../../db/sessions.ts";
import { AppError } from "../../lib/errors.ts";
import { owesSecondFactor } from "../callers.ts";
import type { ApiDeps } from "../deps.ts";
import { factsOf } from "../request.ts";
import { sealedRow } from "../sealed-values.ts";
import { createPasswordAttempts } from "./attempts.ts";
import { createSecondFactor } from "./second-factor.ts";
import { prepareSession } from "./sessions.ts";
import { mustBeUnchanged } from "./unchanged.ts";

/** What a login step leads to. `pendingToken` is for the next step only, 5 minutes, once. */
export type LoginStep = { kind: "session"; setCookie: string } | { kind: "totp" | "enrol"; pendingToken: string };

export interface Logins {
  login(username: string, password: string, request: Request): Promise<LoginStep>;
  /** What comes after a first factor was right, by whichever way (password, OAuth): the caller has proven the account. */
  afterFirstFactor(account: Account, request: Request): Promise<LoginStep>;
  /** Finishes a login that waits for a code. Throws `unauthorized` for a token that is unknown, used or expired. */
  verifyTotp(pendingToken: string, code: string, request: Request): Promise<{ setCookie: string }>;
  /** What to enrol with; the same each time, changes nothing. */
  enrolment(pendingToken: string, request: Request): Promise<TotpEnrolment>;
  /** Finishes a login that had to enrol first. */
  enrol(pendingToken: string, code: string, request: Request): Promise<{ setCookie: string; recoveryCodes: string[] }>;
}

export function createLogins(deps: ApiDeps): Logins {
  const { db, sealer, audit, nowMs } = deps;
  const attempts = createPasswordAttempts(deps);
  const secondFactor = createSecondFactor(deps);

  async function startSession(account: Account, request: Request): Promise<LoginStep> {
    const session = await prepareSession(deps, account.id, request);
    await db.transaction(async (trx) => {
      await mustBeUnchanged(deps, trx, account);
      await insertSession(trx, session.row);
    });
    return { kind: "session", setCookie: session.setCookie };
  }

  async function hold(account: Account, kind: "totp" | "enrol"): Promise<LoginStep> {
    const pendingToken = createSecret();
    const tokenHash = hashSecret(pendingToken);
    const seed = kind === "enrol" ? createTotpEnrolment(deps.settings.domain, account.username).secret : null;
    const row = {
      token_hash: tokenHash,
      account_id: account.id,
      kind,
      totp_secret: seed === null ? null : sealer.seal("totp-seed", sealedRow.enrolment(tokenHash), seed),
      created_at: nowMs(),
      expires_at: nowMs() + deps.settings.pendingLoginTtlMs,
    };
    await db.transaction(async (trx) => {
      await mustBeUnchanged(deps, trx, account);
      await insertPendingLogin(trx, row);
    });
    return { kind, pendingToken };
  }

  async function afterFirstFactor(account: Account, request: Request): Promise<LoginStep> {
    if (account.totpSecret !== null) return hold(account, "totp");
    return owesSecondFactor(account) ? hold(account, "enrol") : startSession(account, request);
  }

  /** The half-done login and its account as it is now; both must still be good for this step. */
  async function pending(token: string, kind: "totp" | "enrol"): Promise<{ row: PendingLoginRow; account: Account }> {
    const row = await findPendingLogin(db.kysely, hashSecret(token), kind, nowMs());
    const account = row === null ? null : await findAccount(db.kysely, row.account_id);
    if (row === null || account === null || !account.active) {
      throw new AppError("unauthorized", "This login is unknown, used or expired. Log in again.");
    }
    // An account that has a second factor by now must show it: a half-done login never replaces it.
    if (kind === "enrol" && account.totpSecret !== null) throw new AppError("unauthorized");
    return { row, account };
  }

  /** Audits that a step had no half-done login behind it, however that was found out. */
  async function audited<T>(request: Request, step: () => Promise<T>): Promise<T> {
    try {
      return await step();
    } catch (error) {
      if (error instanceof AppError && error.code === "unauthorized") {
        const { address, requestId } = factsOf(request);
        const reason = "no such half-done login";
        audit.refused({ action: "login.totp", authType: "totp", reason, address, requestId });
      }
      throw error;
    }
  }

  function seedOf(row: PendingLoginRow): string {
    if (row.totp_secret === null) throw new AppError("unauthorized");
    return sealer.open("totp-seed", sealedRow.enrolment(row.token_hash), row.totp_secret);
  }

  return {
    afterFirstFactor,
    async login(username, password, request) {
      return afterFirstFactor(await attempts.login(username, password, request), request);
    },
    verifyTotp: (pendingToken, code, request) =>
      audited(request, async () => {
        const { row, account } = await pending(pendingToken, "totp");
        const session = await prepareSession(deps, account.id, request);
        await secondFactor.check(account, code, "login", request, async (trx) => {
          // The account first, as whoever changes it does: the other way round the two would wait for each other.
          await updateAccount(trx, account.id, { last_used_at: nowMs() });
          if (!(await consumePendingLogin(trx, row.token_hash))) throw new AppError("unauthorized");
          await insertSession(trx, session.row);
        });
        return { setCookie: session.setCookie };
      }),
    enrolment: (pendingToken, request) =>
      audited(request, async () => {
        const { row, account } = await pending(pendingToken, "enrol");
        return describeTotp(seedOf(row), deps.settings.domain, account.username);
      }),
    enrol: (pendingToken, code, request) =>
      audited(request, async () => {
        const { row, account } = await pending(pendingToken, "enrol");
        const session = await prepareSession(deps, account.id, request);
        const { recoveryCodes } = await secondFactor.enrol(account, seedOf(row), code, request, async (trx) => {
          if (!(await consumePendingLogin(trx, row.token_hash))) throw new AppError("unauthorized");
          await insertSession(trx, session.row);
          await updateAccount(trx, account.id, { last_used_at: nowMs() });
        });
        return { setCookie: session.setCookie, recoveryCodes };
      }),
  };
}

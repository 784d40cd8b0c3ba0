// First boot: whoever holds the code from the server's log becomes its first admin, in one transaction at the end.

import { checkPassword } from "../../auth/passwords.ts";
import { createRecoveryCodes, hashRecoveryCode } from "../../auth/recovery.ts";
import { createSecret, hashSecret } from "../../auth/secrets.ts";
import { createTotpEnrolment, matchTotpStep, type TotpEnrolment } from "../../auth/totp.ts";
import { findAccountByUsername, hasAdminWithPassword, insertAccount, updateAccount } from "../../db/accounts.ts";
import type { Trx } from "../../db/database.ts";
import { replaceRecoveryCodes, useTotpStep } from "../../db/second-factors.ts";
import { insertSession } from "../../db/sessions.ts";
import { ensureWhitelistEntry, systemList } from "../../db/whitelist-entries.ts";
import { canonicalCidr } from "../../lib/cidr.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { checkUsername } from "../accounts/rules.ts";
import { cookieName, readCookie, writeCookie } from "../cookies.ts";
import type { ApiDeps } from "../deps.ts";
import { blocked, noteFailure } from "../limited.ts";
import { prepareSession } from "../login/sessions.ts";
import { factsOf } from "../request.ts";
import { sealedRow } from "../sealed-values.ts";
import {
  consumeDraft,
  draftTtlMs,
  isSetupCode,
  loadDraft,
  replaceDraft,
  saveDraft,
  storeSetupCode,
  type Draft,
  type StoredDraft,
} from "./draft.ts";

/**
 * Makes the one-time code of this start when the server has no admin who can log in; null when it has. The caller prints
 * it with the set-up URL. Codes of earlier starts end.
 */
export async function createSetupCode(deps: Pick<ApiDeps, "db" | "nowMs">): Promise<string | null> {
  if (await hasAdminWithPassword(deps.db.kysely)) return null;
  const code = createSecret();
  await storeSetupCode(deps, code);
  return code;
}

export function createSetup(deps: ApiDeps) {
  const { db, audit, sealer, nowMs } = deps;

  async function mustBeOpen(): Promise<void> {
    if (await hasAdminWithPassword(db.kysely)) throw new AppError("setup_done");
  }

  /** Guesses of either code count per address. */
  async function limited<T>(request: Request, step: string, attempt: () => Promise<T>): Promise<T> {
    const { address, network, requestId } = factsOf(request);
    const attempted = { action: step, address, requestId };
    const verdict = await deps.limiter.begin([{ scope: "setup", subject: network, rule: deps.settings.loginLimit }]);
    if (!verdict.allowed) throw blocked(audit, attempted, verdict.retryAfterMs);
    try {
      const result = await attempt();
      await verdict.attempt.succeed();
      return result;
    } catch (error) {
      if (error instanceof AppError && error.code === "bad_code") {
        await verdict.attempt.fail();
        noteFailure(audit, network !== null, { ...attempted, reason: "wrong code" });
      }
      throw error;
    } finally {
      verdict.attempt.abandon();
    }
  }

  async function draftOf(request: Request, step: string): Promise<StoredDraft> {
    const name = cookieName("setup", deps.settings.scheme);
    const stored = await loadDraft(deps, readCookie(request.headers.get("cookie"), name));
    if (stored !== null) return stored;
    const { address, requestId } = factsOf(request);
    audit.refused({ action: step, reason: "not begun here", address, requestId });
    throw new AppError("unauthorized", "Set-up was not begun here, or has expired. Begin again.");
  }

  /** An admin that ADMIN_TOKEN made may be completed; any other account of that name is in the way. */
  async function accountIdFor(usernameKey: string): Promise<string> {
    const existing = await findAccountByUsername(db.kysely, usernameKey);
    if (existing === null) return newId("acc", nowMs());
    if (existing.isAdmin && existing.active && existing.passwordHash === null) return existing.id;
    throw new AppError("conflict", "This username is taken.", { field: "username" });
  }

  async function storeAdmin(trx: Trx, draft: Draft): Promise<void> {
    const existing = await findAccountByUsername(trx, draft.usernameKey);
    if (existing !== null && existing.id !== draft.accountId) throw new AppError("conflict", "This username is taken.");
    if (existing === null) {
      await insertAccount(trx, {
        id: draft.accountId,
        username: draft.username,
        usernameKey: draft.usernameKey,
        passwordHash: draft.passwordHash,
        tokenHash: null,
        isAdmin: true,
        isOrgAdmin: false,
        orgId: null,
        createdAtMs: nowMs(),
      });
    }
    await updateAccount(trx, draft.accountId, {
      password_hash: draft.passwordHash,
      password_changed_at: nowMs(),
      totp_secret: sealer.seal("totp-seed", sealedRow.account(draft.accountId), draft.seed),
      totp_enrolled_at: nowMs(),
      last_used_at: nowMs(),
    });
  }

  async function allowAddress(trx: Trx, address: string, accountId: string): Promise<void> {
    const cidr = canonicalCidr(address);
    if (cidr === null) {
      throw new AppError("validation", "Your address is not known, so it can't be allowed.", {
        field: "allowCurrentAddress",
      });
    }
    const id = newId("wl", nowMs());
    const added = await ensureWhitelistEntry(trx, {
      id,
      level: systemList.level,
      owner_id: systemList.ownerId,
      org_id: null,
      app_id: null,
      account_id: null,
      cidr,
      description: "Where the server was set up from",
      created_by: accountId,
      created_at: nowMs(),
    });
    if (added) await db.changes.record(trx, { kind: "whitelist", refId: id, action: "created" });
  }

  return {
    needsSetup: async (): Promise<boolean> => !(await hasAdminWithPassword(db.kysely)),
    /** Judges the code from the log and begins; the cookie binds the rest to this browser. */
    async init(
      body: { code: string; username: string; password: string },
      request: Request,
    ): Promise<{ enrolment: TotpEnrolment; setCookie: string }> {
      await mustBeOpen();
      await limited(request, "setup.begun", async () => {
        if (!(await isSetupCode(deps, body.code))) throw new AppError("bad_code");
      });
      const { username, usernameKey } = checkUsername(body.username);
      checkPassword(body.password, username);
      const enrolment = createTotpEnrolment(deps.settings.domain, username);
      const browserSecret = createSecret();
      await saveDraft(deps, {
        browserHash: hashSecret(browserSecret),
        accountId: await accountIdFor(usernameKey),
        username,
        usernameKey,
        passwordHash: await deps.passwords.hash(body.password),
        seed: enrolment.secret,
        provenStep: null,
        recoveryHashes: [],
        expiresAtMs: nowMs() + draftTtlMs,
      });
      return { enrolment, setCookie: writeCookie("setup", deps.settings.scheme, browserSecret, draftTtlMs / 1000) };
    },
    /** Proves the authenticator; answers the recovery codes. */
    async totp(code: string, request: Request): Promise<{ recoveryCodes: string[] }> {
      await mustBeOpen();
      const stored = await draftOf(request, "setup.totp");
      const { draft } = stored;
      const recoveryCodes = createRecoveryCodes();
      const recoveryHashes = recoveryCodes.map((recoveryCode) => hashRecoveryCode(draft.accountId, recoveryCode));
      await limited(request, "setup.totp", async () => {
        const step = matchTotpStep(draft.seed, code, nowMs(), draft.provenStep);
        const isProven =
          step !== null && (await replaceDraft(deps, stored, { ...draft, provenStep: step, recoveryHashes }));
        if (!isProven) throw new AppError("bad_code");
      });
      return { recoveryCodes };
    },
    /** Creates the admin and logs it in. Throws `setup_done` for whoever comes second, `conflict` when the draft went on meanwhile. */
    async complete(allowCurrentAddress: boolean, request: Request): Promise<{ setCookies: string[] }> {
      await mustBeOpen();
      const stored = await draftOf(request, "setup.completed");
      const { draft } = stored;
      const { provenStep } = draft;
      if (provenStep === null) throw new AppError("totp_required");
      const { address, requestId } = factsOf(request);
      const session = await prepareSession(deps, draft.accountId, request);
      await db.transaction(async (trx) => {
        const isTaken = await consumeDraft(trx, stored);
        if (await hasAdminWithPassword(trx)) throw new AppError("setup_done");
        if (!isTaken) throw new AppError("conflict", "Set-up went on in another tab meanwhile. Complete it there.");
        await storeAdmin(trx, draft);
        await useTotpStep(trx, draft.accountId, provenStep, nowMs());
        await replaceRecoveryCodes(trx, draft.accountId, draft.recoveryHashes, nowMs());
        await insertSession(trx, session.row);
        if (allowCurrentAddress) await allowAddress(trx, address, draft.accountId);
        await db.changes.record(trx, { kind: "account", refId: draft.accountId, action: "created" });
        await audit.within(trx, {
          action: "setup.completed",
          actorId: draft.accountId,
          actorName: draft.username,
          address,
          requestId,
          details: { allowedAddress: allowCurrentAddress ? address : null },
        });
      });
      return { setCookies: [session.setCookie, writeCookie("setup", deps.settings.scheme, "", 0)] };
    },
  };
}

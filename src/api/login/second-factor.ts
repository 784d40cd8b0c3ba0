// The second factor: a TOTP code or a recovery code, each believed once, behind the limits of code-limits.ts.

import { looksLikeRecoveryCode, createRecoveryCodes, hashRecoveryCode } from "../../auth/recovery.ts";
import { matchTotpStep } from "../../auth/totp.ts";
import { updateAccount, type Account } from "../../db/accounts.ts";
import type { Trx } from "../../db/database.ts";
import {
  deletePendingLogins,
  forgetTotpSteps,
  replaceRecoveryCodes,
  useRecoveryCode,
  useTotpStep,
} from "../../db/second-factors.ts";
import { AppError } from "../../lib/errors.ts";
import type { ApiDeps } from "../deps.ts";
import { factsOf } from "../request.ts";
import { sealedRow } from "../sealed-values.ts";
import { codeLimits, enrolmentLimits, tooManyCodes, type CodeLimits } from "./code-limits.ts";

export interface SecondFactor {
  /**
   * Believes a code of an enrolled account and runs `work` in the transaction that marks it as used. Throws `bad_code`,
   * `rate_limited`, or `totp_required` when the account has no second factor. `from`: whether the password alone was
   * proven so far, or a session asks once more.
   */
  check<T>(
    account: Account,
    code: string,
    from: "login" | "session",
    request: Request,
    work: (trx: Trx) => Promise<T>,
  ): Promise<T>;
  /**
   * Believes the first code of a new seed, makes the seed the account's, gives it new recovery codes, and runs `work`
   * in the same transaction. The old seed is valid until then.
   */
  enrol(
    account: Account,
    seed: string,
    code: string,
    request: Request,
    work: (trx: Trx) => Promise<void>,
  ): Promise<{ recoveryCodes: string[] }>;
}

type Proof = { kind: "totp"; step: number } | { kind: "recovery"; codeHash: string };

export function createSecondFactor(deps: ApiDeps): SecondFactor {
  const { db, sealer, audit, nowMs } = deps;

  /** Asks the limiter, then runs `attempt`; a `bad_code` counts as a failure. Both outcomes are audited. */
  async function limited<T>(
    account: Account,
    action: string,
    request: Request,
    limits: CodeLimits,
    attempt: () => Promise<T>,
  ): Promise<T> {
    const { address, requestId } = factsOf(request);
    const attempted = {
      ...{ action, authType: "totp", address, requestId },
      ...{ orgId: account.orgId, actorId: account.id, actorName: account.username },
    };
    const outcome = (success: boolean, reason: string | null) => audit.record({ ...attempted, success, reason });
    const verdict = await deps.limiter.begin(limits.keys);
    if (!verdict.allowed) {
      audit.refused({ ...attempted, reason: "too many wrong codes" });
      throw tooManyCodes(deps, limits, verdict.retryAfterMs);
    }
    try {
      const result = await attempt();
      await verdict.attempt.succeed(limits.forgiven);
      outcome(true, null);
      return result;
    } catch (error) {
      if (error instanceof AppError && error.code === "bad_code") {
        await verdict.attempt.fail();
        outcome(false, "wrong code");
      } else {
        verdict.attempt.abandon();
      }
      throw error;
    }
  }

  function proofOf(account: Account, code: string): Proof {
    if (account.totpSecret === null) throw new AppError("totp_required");
    if (looksLikeRecoveryCode(code)) return { kind: "recovery", codeHash: hashRecoveryCode(account.id, code) };
    const seed = sealer.open("totp-seed", sealedRow.account(account.id), account.totpSecret);
    const step = matchTotpStep(seed, code.replaceAll(" ", ""), nowMs(), null);
    if (step === null) throw new AppError("bad_code");
    return { kind: "totp", step };
  }

  async function spend(trx: Trx, accountId: string, proof: Proof): Promise<void> {
    const won =
      proof.kind === "totp"
        ? await useTotpStep(trx, accountId, proof.step, nowMs())
        : await useRecoveryCode(trx, accountId, proof.codeHash, nowMs());
    if (!won) throw new AppError("bad_code");
  }

  return {
    async check(account, code, from, request, work) {
      const limits = await codeLimits(deps, account, code, factsOf(request).network, from);
      return limited(account, "login.totp", request, limits, async () => {
        const proof = proofOf(account, code);
        return db.transaction(async (trx) => {
          await spend(trx, account.id, proof);
          return work(trx);
        });
      });
    },
    async enrol(account, seed, code, request, work) {
      const recoveryCodes = createRecoveryCodes();
      const hashes = recoveryCodes.map((recoveryCode) => hashRecoveryCode(account.id, recoveryCode));
      const sealed = sealer.seal("totp-seed", sealedRow.account(account.id), seed);
      const limits = enrolmentLimits(deps, account, factsOf(request).network);
      await limited(account, "login.totp_enrolment", request, limits, async () => {
        const step = matchTotpStep(seed, code.replaceAll(" ", ""), nowMs(), null);
        if (step === null) throw new AppError("bad_code");
        await db.transaction(async (trx) => {
          await forgetTotpSteps(trx, account.id);
          await useTotpStep(trx, account.id, step, nowMs());
          await updateAccount(trx, account.id, { totp_secret: sealed, totp_enrolled_at: nowMs() });
          await replaceRecoveryCodes(trx, account.id, hashes, nowMs());
          await work(trx);
          await deletePendingLogins(trx, account.id);
          await audit.within(trx, {
            action: "account.totp_enrolled",
            success: true,
            orgId: account.orgId,
            actorId: account.id,
            actorName: account.username,
            address: factsOf(request).address,
            requestId: factsOf(request).requestId,
          });
        });
      });
      return { recoveryCodes };
    },
  };
}

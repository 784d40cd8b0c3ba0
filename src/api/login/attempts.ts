// A password under the limiter: per address, per (username, address), and slowed per username; every outcome is audited.

import { countedAs } from "../../auth/limiter-types.ts";
import { findAccountByUsername, type Account } from "../../db/accounts.ts";
import { AppError } from "../../lib/errors.ts";
import { canonicalUsername } from "../../lib/usernames.ts";
import type { ApiDeps } from "../deps.ts";
import { blocked, noteFailure } from "../limited.ts";
import { factsOf } from "../request.ts";

export interface PasswordAttempts {
  /**
   * The active account with this name and password. Unknown names, wrong passwords, accounts without a password and
   * inactive ones all throw `bad_credentials` after exactly one hash operation. Throws `rate_limited` before any work.
   */
  login(username: string, password: string, request: Request): Promise<Account>;
  /** Asks a logged-in account for its password again, under the same limits. Accounts without one pass. */
  confirm(account: Account, password: string | undefined, request: Request): Promise<void>;
}

/** Failures of one name, from anywhere, from which on its attempts are slowed; nobody is locked out by others' failures. */
const slowFrom = 10;
const longestDelayMs = 5_000;

export function createPasswordAttempts(deps: ApiDeps): PasswordAttempts {
  const { limiter, passwords, audit } = deps;

  /** `find` runs only after the limiter agreed; null means that nothing can match. */
  async function judge(
    usernameKey: string,
    action: string,
    password: string,
    request: Request,
    find: () => Promise<Account | null>,
  ): Promise<Account> {
    const { address, network, requestId } = factsOf(request);
    const name = usernameKey.slice(0, 200);
    const rule = deps.settings.loginLimit;
    const perAddress = { scope: "login", subject: network, rule };
    const pair = network === null ? null : `${name} ${network}`;
    const perPair = { scope: "login-user", subject: pair, rule };
    const perName = { scope: "login-name", subject: name, rule: countedAs(rule) };
    const attempted = { action, authType: "password", identity: name, address, requestId };
    const verdict = await limiter.begin([perAddress, perPair, perName]);
    if (!verdict.allowed) throw blocked(audit, attempted, verdict.retryAfterMs);
    const { attempt } = verdict;
    try {
      const delayMs = delayFor(limiter.failures(perName));
      if (delayMs > 0) await deps.delay(delayMs);
      const account = await find();
      const hash = account !== null && account.active ? account.passwordHash : null;
      const matches = await passwords.verify(password, hash);
      if (!matches || account === null) {
        await attempt.fail();
        const reason = "wrong username or password";
        noteFailure(audit, network !== null, { ...attempted, reason, orgId: account?.orgId ?? null });
        throw new AppError("bad_credentials");
      }
      await attempt.succeed(perPair);
      audit.record({
        ...attempted,
        success: true,
        reason: null,
        orgId: account.orgId,
        actorId: account.id,
        actorName: account.username,
      });
      return account;
    } catch (error) {
      if (error instanceof AppError && error.code === "unavailable") {
        const { cause } = error;
        const reason = cause instanceof Error ? cause.message : "too many passwords wait to be checked";
        audit.refused({ ...attempted, reason });
      }
      throw error;
    } finally {
      // Does nothing when the outcome is known; a full queue or a database that fails is nobody's wrong guess.
      attempt.abandon();
    }
  }

  return {
    login(username, password, request) {
      const key = canonicalUsername(username);
      return judge(key, "login.password", password, request, () => findAccountByUsername(deps.db.kysely, key));
    },
    async confirm(account, password, request) {
      if (account.passwordHash === null) return;
      if (password === undefined) {
        throw new AppError("validation", "currentPassword is required.", { field: "currentPassword" });
      }
      await judge(account.usernameKey, "login.confirmed", password, request, async () => account);
    },
  };
}

function delayFor(failures: number): number {
  return failures < slowFrom ? 0 : Math.min(longestDelayMs, 250 * 2 ** Math.floor((failures - slowFrom) / 5));
}

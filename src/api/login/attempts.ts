// A password under the limiter: per address, per (username, address), and slowed per username; every outcome is audited.

import { countedAs } from "../../auth/limiter-types.ts";
import { findAccount, findAccountByUsername, replacePasswordHash, type Account } from "../../db/accounts.ts";
import { AppError } from "../../lib/errors.ts";
import { canonicalUsername } from "../../lib/usernames.ts";
import type { ApiDeps } from "../deps.ts";
import { blocked, noteFailure } from "../limited.ts";
import { factsOf } from "../request.ts";
import { hasPasswordOf } from "./unchanged.ts";

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

  /** `find` runs only after the limiter agreed; null means that nothing can match. `renew` runs when the password was right; null means that it is so no more. */
  async function judge(
    usernameKey: string,
    action: string,
    password: string,
    request: Request,
    find: () => Promise<Account | null>,
    renew: (account: Account) => Promise<Account | null>,
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
      const found = await find();
      const hash = found !== null && found.active ? found.passwordHash : null;
      const matches = await passwords.verify(password, hash);
      const account = matches && found !== null ? await renew(found) : null;
      if (account === null) {
        await attempt.fail();
        const reason = "wrong username or password";
        noteFailure(audit, network !== null, { ...attempted, reason, orgId: found?.orgId ?? null });
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

  /** The account with a hash of the cost that new ones have, for a password that was right; null when it has another password by now. */
  async function renewed(account: Account, password: string): Promise<Account | null> {
    const { passwordHash } = account;
    if (passwordHash === null || !passwords.isDated(passwordHash)) return account;
    let hash: string;
    try {
      hash = await passwords.hash(password);
    } catch (error) {
      // No room for it now: the next login renews it.
      if (error instanceof AppError && error.code === "unavailable") return account;
      throw error;
    }
    if (await replacePasswordHash(deps.db.kysely, account.id, passwordHash, hash))
      return { ...account, passwordHash: hash };
    // Another login was first, or the password was changed meanwhile.
    const now = await findAccount(deps.db.kysely, account.id);
    return now?.active === true && hasPasswordOf(passwords, now, account) ? now : null;
  }

  return {
    async login(username, password, request) {
      const key = canonicalUsername(username);
      const find = () => findAccountByUsername(deps.db.kysely, key);
      return judge(key, "login.password", password, request, find, (account) => renewed(account, password));
    },
    async confirm(account, password, request) {
      if (account.passwordHash === null) return;
      if (password === undefined) {
        throw new AppError("validation", "currentPassword is required.", { field: "currentPassword" });
      }
      const same = async () => account;
      await judge(account.usernameKey, "login.confirmed", password, request, same, same);
    },
  };
}

function delayFor(failures: number): number {
  return failures < slowFrom ? 0 : Math.min(longestDelayMs, 250 * 2 ** Math.floor((failures - slowFrom) / 5));
}

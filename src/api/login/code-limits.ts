// How many wrong codes an account takes: strangers share one small allowance, so that six digits can't be guessed from
// anywhere, and the places of its owner have allowances of their own, so that strangers can't use up his.

import { looksLikeRecoveryCode } from "../../auth/recovery.ts";
import { countedAs, type LimitedKey } from "../../auth/limiter-types.ts";
import type { Account } from "../../db/accounts.ts";
import { listSessionAddresses } from "../../db/sessions.ts";
import { AppError } from "../../lib/errors.ts";
import { networkOf } from "../../lib/cidr.ts";
import type { ApiDeps } from "../deps.ts";

/** A place is known for this long after its login, and so long rows of sessions are kept. */
export const placesKnownForMs = 30 * 24 * 3_600_000;

export interface CodeLimits {
  keys: LimitedKey[];
  /** What a right code takes back. */
  forgiven: LimitedKey;
}

/**
 * The limits of one code. `from` tells a login that has proven its password only from a session, which has both factors.
 * Wrong codes of a login count on its address too, together with wrong passwords.
 */
export async function codeLimits(
  deps: ApiDeps,
  account: Account,
  code: string,
  network: string | null,
  from: "login" | "session",
): Promise<CodeLimits> {
  const { loginLimit, totpLimit: rule, totpDayLimit } = deps.settings;
  const perAddress: LimitedKey = { scope: "login", subject: network, rule: loginLimit };
  const both = (subject: string): LimitedKey[] => [
    { scope: "totp", subject, rule },
    { scope: "totp-day", subject, rule: totpDayLimit },
  ];
  const atPlace = (place: string): CodeLimits => {
    const keys = both(`${account.id} ${place}`);
    return { keys, forgiven: keys[0]! };
  };
  if (from === "session") return atPlace("session");
  if (looksLikeRecoveryCode(code)) {
    // 79 random bits: no number of addresses guesses one.
    const forgiven = { scope: "recovery", subject: placeOf(account, network), rule: loginLimit };
    return { keys: [perAddress, forgiven], forgiven };
  }
  const since = deps.nowMs() - placesKnownForMs;
  const known = await listSessionAddresses(deps.db.kysely, account.id, since);
  if (network !== null && known.some((seen) => networkOf(seen) === network)) {
    const { keys, forgiven } = atPlace(network);
    return { keys: [perAddress, ...keys], forgiven };
  }
  const forgiven = { scope: "totp", subject: placeOf(account, network), rule: countedAs(rule) };
  return { keys: [perAddress, ...both(account.id), forgiven], forgiven };
}

/** Of the first code of a new seed: who sends it has been shown the seed, so this bounds work and not guesses. */
export function enrolmentLimits(deps: ApiDeps, account: Account, network: string | null): CodeLimits {
  const subject = placeOf(account, network);
  const key = { scope: "totp-enrolment", subject, rule: deps.settings.totpLimit };
  return { keys: [key], forgiven: key };
}

/** The refusal, with what still works; `field` is `code` when it is the account's codes that are limited, and not the address. */
export function tooManyCodes(deps: ApiDeps, limits: CodeLimits, retryAfterMs: number): AppError {
  const address = limits.keys.find(({ scope }) => scope === "login");
  if (address === undefined || deps.limiter.blockedForMs(address) > 0) {
    return new AppError("rate_limited", undefined, { retryAfterMs });
  }
  return new AppError(
    "rate_limited",
    "Too many wrong codes for this account. Use a recovery code, log in from where you lately did, or try again later.",
    { field: "code", retryAfterMs },
  );
}

function placeOf(account: Account, network: string | null): string | null {
  return network === null ? null : `${account.id} ${network}`;
}

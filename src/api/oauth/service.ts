// Signing in to the dashboard at a provider: to the account that the identity belongs to, and never to a new one.

import type { SignInIdentity, SignInProvider } from "../../auth/oauth.ts";
import { SignInRefused } from "../../auth/oauth.ts";
import { OidcRefused } from "../../auth/oidc-types.ts";
import { createSecret, hashSecret } from "../../auth/secrets.ts";
import type { Account } from "../../db/accounts.ts";
import { isUniqueViolation } from "../../db/engine.ts";
import {
  findAccountByEmail,
  findLinkedAccount,
  insertSignInLink,
  insertSignInState,
  takeSignInState,
  type SignInState,
} from "../../db/sign-ins.ts";
import { AppError } from "../../lib/errors.ts";
import { newId } from "../../lib/ids.ts";
import { safeReturnPath } from "../../policy/paths.ts";
import type { Caller } from "../callers.ts";
import { cookieName, readCookie, writeCookie } from "../cookies.ts";
import type { ApiDeps } from "../deps.ts";
import { blocked, noteFailure } from "../limited.ts";
import { createLogins } from "../login/service.ts";
import { factsOf } from "../request.ts";
import { sealedRow } from "../sealed-values.ts";
import { createStartBudget, startsPerMinute } from "../start-budget.ts";

export interface SignIn {
  /** Where to send the browser. `link`: the session that an identity shall be added to. Throws `rate_limited`, `unavailable`. */
  begin(
    provider: SignInProvider,
    request: Request,
    link: Caller | null,
  ): Promise<{ location: string; setCookie: string }>;
  /** What came back; always an address of the dashboard. `session` is asked for when an identity is being linked. */
  finish(
    provider: SignInProvider,
    request: Request,
    session: () => Promise<Caller>,
  ): Promise<{ location: string; setCookie: string | null }>;
}

const stateTtlMs = 600_000;

/** `origin` is where the dashboard is (`https://example.com`): the redirect URIs are below it. */
export function createSignIn(deps: ApiDeps, origin: string): SignIn {
  const { db, sealer, nowMs } = deps;
  const { scheme } = deps.settings;
  const logins = createLogins(deps);
  const budget = createStartBudget({ perMinute: startsPerMinute, nowMs });
  const browserSecret = (request: Request) => readCookie(request.headers.get("cookie"), cookieName("oauth", scheme));
  const redirectUri = (provider: SignInProvider) => `${origin}/auth/oauth/${provider.name}/callback`;

  const limitOf = (request: Request) => ({
    scope: "login",
    subject: factsOf(request).network,
    rule: deps.settings.loginLimit,
  });

  /** As the log tells of it; `account` as far as it is known whose identity came. */
  const attemptOf = (provider: SignInProvider, request: Request, account: Account | null) => {
    const { address, requestId } = factsOf(request);
    const whose = { orgId: account?.orgId ?? null, identity: account?.username ?? null };
    return { action: "login.oauth", authType: provider.name, ...whose, address, requestId };
  };

  /** Failures are counted afterwards: states and codes can't be guessed in parallel. */
  function mustNotBeBlocked(provider: SignInProvider, request: Request): void {
    const retryAfterMs = deps.limiter.blockedForMs(limitOf(request));
    if (retryAfterMs > 0) throw blocked(deps.audit, attemptOf(provider, request, null), retryAfterMs);
  }

  async function identify(
    provider: SignInProvider,
    params: URLSearchParams,
    given: string,
    row: SignInState,
  ): Promise<SignInIdentity> {
    const verifier = sealer.open("oauth-state", sealedRow.signIn(row.state_hash), row.verifier);
    const answer = { redirectUri: redirectUri(provider), params, state: given, verifier, nonce: row.nonce };
    return await provider.finish(answer);
  }

  /** The account of an identity; a first sign-in by verified address links it from then on. */
  async function accountOf(provider: SignInProvider, identity: SignInIdentity, request: Request): Promise<Account> {
    const linked = await findLinkedAccount(db.kysely, provider.name, identity.subject);
    const account = linked ?? (identity.email === null ? null : await findAccountByEmail(db.kysely, identity.email));
    if (account === null) throw new SignInRefused("unknown_account");
    if (!account.active) throw new SignInRefused("inactive_account");
    // Who controls a mailbox is not yet an admin of this server: admins link while they are logged in.
    if (linked === null && account.isAdmin) throw new SignInRefused("admin_not_linked");
    if (linked === null) await link(provider, identity, account, request);
    return account;
  }

  async function link(
    provider: SignInProvider,
    identity: SignInIdentity,
    account: Account,
    request: Request,
  ): Promise<void> {
    const { address, requestId } = factsOf(request);
    const row = {
      id: newId("oal"),
      account_id: account.id,
      provider: provider.name,
      subject: identity.subject,
      email: identity.email,
      created_at: nowMs(),
    };
    try {
      await db.transaction(async (trx) => {
        await insertSignInLink(trx, row);
        await deps.audit.within(trx, {
          action: "account.linked",
          authType: provider.name,
          success: true,
          orgId: account.orgId,
          actorId: account.id,
          actorName: account.username,
          address,
          requestId,
          details: { provider: provider.name, email: identity.email },
        });
      });
    } catch (error) {
      if (!isUniqueViolation(error)) throw error;
      // It may be another tab of the same person.
      const owner = await findLinkedAccount(db.kysely, provider.name, identity.subject);
      if (owner?.id !== account.id) throw new SignInRefused("linked_already", { cause: error });
    }
  }

  return {
    async begin(provider, request, linkTo) {
      mustNotBeBlocked(provider, request);
      const waitMs = budget.take(factsOf(request).network);
      if (waitMs > 0)
        throw blocked(deps.audit, { ...attemptOf(provider, request, null), reason: "too many sign-ins begun" }, waitMs);
      const state = createSecret();
      const stateHash = hashSecret(state);
      // Several tabs of one browser share the secret, or only the last of them could finish its sign-in.
      const browser = browserSecret(request) ?? createSecret();
      let challenge;
      try {
        challenge = await provider.begin(redirectUri(provider), state);
      } catch (error) {
        if (!(error instanceof OidcRefused)) throw error;
        deps.log.warn("a sign-in provider can't be used", {
          provider: provider.name,
          reason: error.reason,
          cause: error.message,
        });
        throw new AppError(
          "unavailable",
          `${provider.label} can't be reached. Log in with your password, or try again.`,
        );
      }
      await insertSignInState(db.kysely, {
        state_hash: stateHash,
        browser_hash: hashSecret(browser),
        provider: provider.name,
        verifier: sealer.seal("oauth-state", sealedRow.signIn(stateHash), challenge.verifier),
        nonce: challenge.nonce,
        account_id: linkTo?.account.id ?? null,
        return_path: safeReturnPath(new URL(request.url).searchParams.get("to")),
        created_at: nowMs(),
        expires_at: nowMs() + stateTtlMs,
      });
      return { location: challenge.url, setCookie: writeCookie("oauth", scheme, browser, stateTtlMs / 1_000) };
    },
    async finish(provider, request, session) {
      mustNotBeBlocked(provider, request);
      const params = new URL(request.url).searchParams;
      let account: Account | null = null;
      // Anything before that may be another site, which makes the browser ask.
      let isOfThisBrowser = false;
      try {
        const given = params.getAll("state");
        const stateHash = hashSecret(given[0] ?? "");
        const row = given.length === 1 ? await takeSignInState(db.kysely, stateHash, provider.name, nowMs()) : null;
        if (row === null) throw new SignInRefused("unknown_state");
        const browser = browserSecret(request);
        if (browser === null || hashSecret(browser) !== row.browser_hash) throw new SignInRefused("other_browser");
        isOfThisBrowser = true;
        const identity = await identify(provider, params, given[0] ?? "", row);
        const back = row.return_path;
        if (row.account_id !== null) {
          ({ account } = await session());
          if (account.id !== row.account_id) throw new SignInRefused("other_account");
          await link(provider, identity, account, request);
          return { location: back, setCookie: null };
        }
        account = await accountOf(provider, identity, request);
        const step = await logins.afterFirstFactor(account, request);
        const { id: actorId, username: actorName } = account;
        deps.audit.record({
          ...attemptOf(provider, request, account),
          success: true,
          reason: null,
          actorId,
          actorName,
        });
        if (step.kind === "session") return { location: back, setCookie: step.setCookie };
        // In the fragment, which reaches no server and no log.
        const next = new URLSearchParams({ step: step.kind, pendingToken: step.pendingToken, to: back });
        return { location: `/login#${next.toString()}`, setCookie: null };
      } catch (error) {
        const reason = reasonOf(error);
        if (isOfThisBrowser) await deps.limiter.fail([limitOf(request)]);
        noteFailure(deps.audit, isOfThisBrowser && limitOf(request).subject !== null, {
          ...attemptOf(provider, request, account),
          reason,
        });
        deps.log.info("a sign-in was refused", { provider: provider.name, reason });
        return {
          location: `/login?error=${publicReasons.has(reason) ? reason : "sign_in_failed"}`,
          setCookie: null,
        };
      }
    },
  };
}

/** What the login page may explain; the rest is for the log. */
const publicReasons: ReadonlySet<string> = new Set(["unknown_account", "admin_not_linked", "linked_already"]);

/** Throws what is nobody's refusal. */
function reasonOf(error: unknown): string {
  if (error instanceof SignInRefused || error instanceof OidcRefused) return error.reason;
  if (error instanceof AppError && error.code === "unauthorized") return "no_session";
  if (error instanceof AppError && error.code === "totp_required") return "second_factor_owed";
  throw error;
}

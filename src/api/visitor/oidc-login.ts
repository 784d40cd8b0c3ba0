// A visitor's login at the identity provider: from the tunnel's host to the provider, by our one redirect URI, and back.

import { createSecret, hashSecret } from "../../auth/secrets.ts";
import { OidcRefused, type RefusedIdentity } from "../../auth/oidc-types.ts";
import type { NameOwner } from "../../db/policies.ts";
import {
  claimVisitorState,
  completeVisitorState,
  insertVisitorState,
  removeVisitorState,
  takeVisitorState,
  type VisitorState,
} from "../../db/visitor-logins.ts";
import { setCookie, stateCookieName } from "../../policy/cookies.ts";
import { authPaths, safeReturnPath } from "../../policy/paths.ts";
import type { OidcSettings, Policy } from "../../policy/types.ts";
import { factsOf } from "../request.ts";
import { noteFailure } from "../limited.ts";
import { sealedRow } from "../sealed-values.ts";
import {
  originOf,
  pushBlock,
  redirectUri,
  visitorBlockedForMs,
  visitorEntry,
  visitorLimits,
  type VisitorDeps,
} from "./deps.ts";
import { createLoginState, isBegunFrom } from "./login-state.ts";
import { redirect } from "./page.ts";
import { refusedPage, tooMany } from "./refused.ts";
import { audit, browserSecret, openSession, type Visit } from "./visit.ts";

type OidcPolicy = Extract<Policy, { authType: "oidc" }>;

/** GET `/__auth/login` under an OIDC policy: remembers the login and sends the browser to the provider. */
export async function beginLogin(
  deps: VisitorDeps,
  visit: Visit,
  policy: OidcPolicy,
  request: Request,
): Promise<Response> {
  const retryAfterMs = visitorBlockedForMs(deps.limiter, visit.owner, visit.network, visit.effective.limiter);
  if (retryAfterMs > 0) return turnAway(deps, visit, "address_blocked", retryAfterMs);
  const state = createLoginState(visit.network);
  const stateHash = hashSecret(state);
  // Several tabs of one browser share the secret, or only the last of them could finish its login.
  const browser = browserSecret(deps, request) ?? createSecret();
  const returnPath = safeReturnPath(visit.url.searchParams.get("to"));
  let challenge;
  try {
    // Who was refused may come as somebody else, although the provider remembers who it was.
    const again = visit.url.searchParams.has("again");
    challenge = await deps.oidc.begin(policy.oidc, redirectUri(deps.settings), state, again);
  } catch (error) {
    const refusal = refusalOf(deps, error, visit.owner.name);
    return await fail(deps, { ...visit, ...refusal, returnPath, counts: false });
  }
  const now = deps.nowMs();
  await insertVisitorState(deps.db.kysely, {
    state_hash: stateHash,
    browser_hash: hashSecret(browser),
    host: visit.host,
    name: visit.owner.name,
    app_id: visit.owner.appId,
    org_id: visit.owner.orgId,
    policy_version: policy.version,
    issuer: policy.oidc.issuerUrl,
    verifier: deps.sealer.seal("oauth-state", sealedRow.visitorState(stateHash), challenge.verifier),
    nonce: challenge.nonce,
    return_path: returnPath,
    code_hash: null,
    code_expires_at: null,
    subject: null,
    email: null,
    id_token: null,
    created_at: now,
    expires_at: now + deps.settings.oidcStateTtlMs,
  });
  const seconds = Math.ceil(deps.settings.oidcStateTtlMs / 1_000);
  return redirect(challenge.url, [setCookie(stateCookieName(deps.settings.scheme), browser, seconds)]);
}

/** GET `/auth/visitor/callback` on the base domain: redeems the provider's answer and sends the browser to the tunnel's host. */
export async function receiveAnswer(deps: VisitorDeps, request: Request): Promise<Response> {
  const { address, network, requestId } = factsOf(request);
  const params = new URL(request.url).searchParams;
  const given = params.getAll("state");
  const stateHash = hashSecret(given[0] ?? "");
  const state =
    given.length === 1
      ? await claimVisitorState(deps.db.kysely, stateHash, `claimed ${createSecret()}`, deps.nowMs())
      : null;
  if (state === null) {
    deps.audit.refused({ action: "visitor.login", authType: "oidc", reason: "unknown_state", address, requestId });
    return refusedPage({ host: deps.settings.domain, reason: "unknown_state", requestId, login: null });
  }
  const about = { ...aboutState(state), address, network, requestId };
  try {
    const oidc = await settingsOf(deps, state);
    const who = await deps.oidc.finish(oidc, {
      redirectUri: redirectUri(deps.settings),
      params,
      state: given[0] ?? "",
      nonce: state.nonce,
      verifier: deps.sealer.open("oauth-state", sealedRow.visitorState(stateHash), state.verifier),
    });
    const code = createSecret();
    const codeHash = hashSecret(code);
    await completeVisitorState(deps.db.kysely, stateHash, {
      codeHash,
      codeExpiresAt: deps.nowMs() + deps.settings.oidcCodeTtlMs,
      subject: who.subject,
      email: who.email,
      idToken:
        who.idToken === null ? null : deps.sealer.seal("oauth-state", sealedRow.visitorCode(codeHash), who.idToken),
    });
    return redirect(`${originOf(deps.settings, state.host)}${authPaths.callback}?code=${code}`);
  } catch (error) {
    await removeVisitorState(deps.db.kysely, stateHash);
    const counts = isBegunFrom(given[0] ?? "", network);
    return await fail(deps, { ...about, ...refusalOf(deps, error, state.name), counts });
  }
}

/** GET `/__auth/callback` on the tunnel's host: only the browser that began the login gets its session. */
export async function finishLogin(deps: VisitorDeps, visit: Visit, request: Request): Promise<Response> {
  const code = visit.url.searchParams.get("code") ?? "";
  const codeHash = hashSecret(code);
  const state = await takeVisitorState(deps.db.kysely, codeHash, deps.nowMs());
  const browser = browserSecret(deps, request);
  const reason = state === null ? "unknown_code" : whyNot(state, visit, browser === null ? null : hashSecret(browser));
  if (state === null || reason !== null || state.subject === null) {
    const returnPath = state?.return_path ?? "/";
    // Without our cookie it may be another site that makes the browser ask.
    return await fail(deps, { ...visit, reason: reason ?? "unknown_code", returnPath, counts: browser !== null });
  }
  const idToken =
    state.id_token === null ? null : deps.sealer.open("oauth-state", sealedRow.visitorCode(codeHash), state.id_token);
  const cookie = await openSession(deps, visit, { kind: "oidc", subject: state.subject, email: state.email, idToken });
  audit(deps, visit, {
    action: "visitor.login",
    authType: "oidc",
    success: true,
    identity: state.email ?? state.subject,
  });
  return redirect(state.return_path, [cookie]);
}

/** Why a completed login is not finished here: everything it was begun for must still hold. */
function whyNot(state: VisitorState, visit: Visit, browserHash: string | null): string | null {
  if (browserHash === null || browserHash !== state.browser_hash) return "other_browser";
  if (state.host !== visit.host || state.name !== visit.owner.name) return "other_host";
  if (state.app_id !== visit.owner.appId || state.org_id !== visit.owner.orgId) return "other_application";
  const { effective } = visit;
  const isSame = effective.kind === "protected" && effective.policy.version === state.policy_version;
  return isSame ? null : "policy_changed";
}

/** The provider that a login was begun with, provided that the policy is still the same. */
async function settingsOf(deps: VisitorDeps, state: VisitorState): Promise<OidcSettings> {
  const found = await deps.policies.find(state.name);
  const policy = found?.effective.kind === "protected" ? found.effective.policy : null;
  const isSame =
    policy?.authType === "oidc" &&
    policy.version === state.policy_version &&
    policy.oidc.issuerUrl === state.issuer &&
    found?.owner.appId === state.app_id &&
    found?.owner.orgId === state.org_id;
  if (!isSame) throw new OidcRefused("policy_changed", "The policy of this application has changed.");
  return policy.oidc;
}

/** Why a login is refused; whatever is no refusal is thrown on. */
function refusalOf(deps: VisitorDeps, error: unknown, name: string): { reason: string } & RefusedIdentity {
  if (!(error instanceof OidcRefused)) throw error;
  deps.log.info("a visitor's login was refused", {
    name,
    reason: error.reason,
    cause: error.cause instanceof Error ? error.cause.message : error.message,
  });
  return { reason: error.reason, ...error.who };
}

interface Failure extends RefusedIdentity {
  owner: NameOwner;
  effective?: Visit["effective"];
  host: string;
  address: string;
  network: string | null;
  requestId: string;
  reason: string;
  /** Where the visitor wanted to go. */
  returnPath: string;
  /** The limiter counts it: whoever asks began a login, and it isn't the provider that failed. */
  counts: boolean;
}

async function fail(deps: VisitorDeps, failure: Failure): Promise<Response> {
  const { owner, address, network, requestId, host, reason, identity = null } = failure;
  const rule = failure.effective?.limiter ?? (await deps.policies.find(owner.name))?.effective.limiter ?? null;
  const counts = failure.counts && visitorBlockedForMs(deps.limiter, owner, network, rule) === 0;
  const entry = { action: "visitor.login", authType: "oidc", reason, identity, address, requestId };
  noteFailure(deps.audit, counts && rule !== null && network !== null, visitorEntry(owner, entry));
  if (counts) {
    const { blocked } = await deps.limiter.fail(visitorLimits(owner, network, rule));
    if (blocked && rule !== null) pushBlock(deps, owner, network, rule);
  }
  const login = `${originOf(deps.settings, host)}${authPaths.login}?to=${encodeURIComponent(failure.returnPath)}`;
  return refusedPage({ ...failure, login });
}

function aboutState(state: VisitorState): { owner: NameOwner; host: string; returnPath: string } {
  const { name, app_id: appId, org_id: orgId, host } = state;
  return { owner: { name, appId, orgId, authMode: null, isActive: true }, host, returnPath: state.return_path };
}

/** Answers an address that failed too often, or begins too many logins. */
export function turnAway(
  deps: VisitorDeps,
  { owner, host, address, requestId }: Visit,
  reason: string,
  retryAfterMs: number,
): Response {
  const refused = { action: "visitor.login", authType: "oidc", reason, address, requestId };
  deps.audit.refused(visitorEntry(owner, refused));
  return tooMany(host, retryAfterMs);
}

// Ending a visitor's session: ours at once, and the provider's when it has a place for that.

import { OidcRefused } from "../../auth/oidc-types.ts";
import { SealError } from "../../auth/sealing.ts";
import { hashSecret } from "../../auth/secrets.ts";
import { takeVisitorSession, type VisitorSession } from "../../db/visitor-logins.ts";
import { setCookie, visitorCookieName } from "../../policy/cookies.ts";
import { authPaths } from "../../policy/paths.ts";
import type { VisitorDeps } from "./deps.ts";
import { html, redirect, renderPage } from "./page.ts";
import { sealedRow } from "../sealed-values.ts";
import { audit, sessionSecret, type Visit } from "./visit.ts";

/** GET `/__auth/logout`: asks, because no GET changes anything. */
export async function askLogout(deps: VisitorDeps, visit: Visit): Promise<Response> {
  const body = html`<p>You will have to log in again to use this address.</p>
    <form method="post" action="${authPaths.logout}"><button>Log out</button></form>`;
  // Browsers apply form-action to the redirect behind the form as well.
  const end = await endSessionUrl(deps, visit, null);
  const formOrigins = end === null ? [] : [new URL(end).origin];
  return renderPage({ status: 200, title: "Log out?", host: visit.host, body, formOrigins });
}

/** POST `/__auth/logout`. */
export async function logout(deps: VisitorDeps, visit: Visit, request: Request): Promise<Response> {
  const secret = sessionSecret(deps, request);
  const session =
    secret === null ? null : await takeVisitorSession(deps.db.kysely, hashSecret(secret), visit.owner.name);
  if (session !== null) {
    const identity = session.email ?? session.subject;
    audit(deps, visit, { action: "visitor.logout", authType: session.kind, success: true, identity });
  }
  const cleared = [setCookie(visitorCookieName(deps.settings.scheme), "", 0)];
  const end = session?.kind === "oidc" ? await endSessionUrl(deps, visit, session) : null;
  if (end !== null) return redirect(end, cleared);
  const headers = cleared.map((cookie): [string, string] => ["set-cookie", cookie]);
  const body = html`<p>You are logged out of this address.</p>
    <a class="go" href="/">Log in again</a>`;
  return renderPage({ status: 200, title: "Logged out", host: visit.host, body, headers });
}

/**
 * The provider's place for logging out; null when there is none or it can't be reached: our own session has ended in any
 * case. No return address is sent: providers refuse one that isn't registered, and with it the whole logout.
 */
async function endSessionUrl(deps: VisitorDeps, visit: Visit, session: VisitorSession | null): Promise<string | null> {
  const { effective } = visit;
  if (effective.kind !== "protected" || effective.policy.authType !== "oidc") return null;
  try {
    return await deps.oidc.endSessionUrl(effective.policy.oidc, session === null ? null : idTokenOf(deps, session));
  } catch (error) {
    if (!(error instanceof OidcRefused)) throw error;
    deps.log.info("the provider's logout could not be found", { name: visit.owner.name, reason: error.reason });
    return null;
  }
}

function idTokenOf(deps: VisitorDeps, session: VisitorSession): string | null {
  if (session.id_token === null) return null;
  try {
    return deps.sealer.open("oauth-state", sealedRow.visitorSession(session.session_hash), session.id_token);
  } catch (error) {
    // Sealed with a key that is gone: the provider will ask the visitor instead.
    if (error instanceof SealError) return null;
    throw error;
  }
}

// One visitor's exchange with us on a tunnel's host: which name it is about, which policy is in force there, who asks.

import { readCookie, setCookie, stateCookieName, visitorCookieName } from "../../policy/cookies.ts";
import { createSecret, hashSecret } from "../../auth/secrets.ts";
import { insertVisitorSession } from "../../db/visitor-logins.ts";
import type { NameInForce } from "../policies/in-force.ts";
import { factsOf } from "../request.ts";
import { sealedRow } from "../sealed-values.ts";
import { visitorEntry, type VisitorDeps } from "./deps.ts";

export interface Visit extends NameInForce {
  /** `myapp.example.com`, without a port. */
  host: string;
  address: string;
  /** What limits per address count; null: nothing. */
  network: string | null;
  requestId: string;
  url: URL;
}

/** The visit that a request on a tunnel's host makes; null for any other host and for names that nobody has. */
export async function visitOf(deps: VisitorDeps, request: Request): Promise<Visit | null> {
  const facts = factsOf(request);
  const host = facts.host.replace(/:\d*$/, "");
  const suffix = `.${deps.settings.domain}`;
  if (!host.endsWith(suffix)) return null;
  const name = host.slice(0, -suffix.length);
  if (!/^[a-z0-9-]{1,63}$/.test(name)) return null;
  const found = await deps.policies.find(name);
  if (found === null) return null;
  const { address, network, requestId } = facts;
  // Only the query is read from the URL, which the platform may have normalised.
  return { ...found, host, address, network, requestId, url: new URL(request.url) };
}

/** The secret that binds a login to the browser; null when the cookie is missing, double or not one of ours. */
export function browserSecret(deps: VisitorDeps, request: Request): string | null {
  const value = readCookie(request.headers.get("cookie"), stateCookieName(deps.settings.scheme));
  return value !== null && /^[A-Za-z0-9_-]{43}$/.test(value) ? value : null;
}

export function sessionSecret(deps: VisitorDeps, request: Request): string | null {
  return readCookie(request.headers.get("cookie"), visitorCookieName(deps.settings.scheme));
}

/** Stores a new session for this name and returns its cookie. Each login has a new id: nobody can know it beforehand. */
export async function openSession(
  deps: VisitorDeps,
  visit: Visit,
  who: { kind: "basic" | "oidc"; subject: string; email: string | null; idToken: string | null },
): Promise<string> {
  if (visit.effective.kind !== "protected") throw new Error("a session needs a policy");
  const { version, sessionHours } = visit.effective.policy;
  const secret = createSecret();
  const sessionHash = hashSecret(secret);
  const now = deps.nowMs();
  const lifeMs = sessionHours * 3_600_000;
  await insertVisitorSession(deps.db.kysely, {
    session_hash: sessionHash,
    kind: who.kind,
    host: visit.host,
    name: visit.owner.name,
    app_id: visit.owner.appId,
    org_id: visit.owner.orgId,
    policy_version: version,
    subject: who.subject,
    email: who.email,
    id_token:
      who.idToken === null ? null : deps.sealer.seal("oauth-state", sealedRow.visitorSession(sessionHash), who.idToken),
    created_at: now,
    expires_at: now + lifeMs,
  });
  return setCookie(visitorCookieName(deps.settings.scheme), secret, Math.floor(lifeMs / 1_000));
}

/** Audits the outcome of a login or logout. */
export function audit(
  deps: VisitorDeps,
  visit: Pick<Visit, "owner" | "address" | "requestId">,
  entry: { action: string; authType: string; success: boolean; reason?: string; identity?: string | null },
): void {
  const { address, requestId } = visit;
  deps.audit.record(visitorEntry(visit.owner, { ...entry, address, requestId }));
}

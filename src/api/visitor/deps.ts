// What visitors' logins need from the rest of the program, and the few facts they share.

import type { LimitedKey, Limiter } from "../../auth/limiter-types.ts";
import type { OidcClient } from "../../auth/oidc-types.ts";
import type { Passwords } from "../../auth/passwords.ts";
import type { Sealer } from "../../auth/sealing.ts";
import type { Database } from "../../db/database.ts";
import type { NameOwner } from "../../db/policies.ts";
import type { Logger } from "../../lib/log.ts";
import type { LimiterSettings } from "../../policy/types.ts";
import type { Audit, AuditEntry } from "../deps.ts";
import type { PoliciesInForce } from "../policies/in-force.ts";

export interface VisitorSettings {
  domain: string;
  scheme: "http" | "https";
  /** The port in public URLs. */
  publicPort: number;
  oidcStateTtlMs: number;
  oidcCodeTtlMs: number;
}

/** An address that the limiter has just blocked: goes to the shard of `name` as a `block` message. */
export interface VisitorBlock {
  name: string;
  /** `appId` of the message: the application, or `name:NAME` for a name without one. */
  scope: string;
  /** The address, or the IPv6 network that it stands for. */
  network: string;
  untilMs: number;
}

export interface VisitorDeps {
  db: Database;
  settings: VisitorSettings;
  policies: PoliciesInForce;
  passwords: Passwords;
  sealer: Sealer;
  limiter: Limiter;
  oidc: OidcClient;
  audit: Pick<Audit, "record" | "refused">;
  log: Logger;
  nowMs: () => number;
  onBlock: (block: VisitorBlock) => void;
}

type Owner = Pick<NameOwner, "name" | "appId">;

/** The scope under which failures at a name are counted; the shards use the same. */
function scopeOf(owner: Owner): string {
  return owner.appId ?? `name:${owner.name}`;
}

/** What an attempt of one address at one name counts for; nothing when the limiter is off. */
export function visitorLimits(owner: Owner, network: string | null, rule: LimiterSettings | null): LimitedKey[] {
  return rule === null ? [] : [{ scope: `visitor:${scopeOf(owner)}`, subject: network, rule }];
}

/** Milliseconds for which the limiter, unless it is off, lets an address try nothing at a name; 0 when it may. */
export function visitorBlockedForMs(
  limiter: Limiter,
  owner: Owner,
  network: string | null,
  rule: LimiterSettings | null,
): number {
  return Math.max(0, ...visitorLimits(owner, network, rule).map(limiter.blockedForMs));
}

/** Tells the shard of a name that its limiter has just blocked an address. */
export function pushBlock(
  deps: Pick<VisitorDeps, "nowMs" | "onBlock">,
  owner: Owner,
  network: string | null,
  rule: LimiterSettings,
): void {
  if (network === null) return;
  deps.onBlock({ name: owner.name, scope: scopeOf(owner), network, untilMs: deps.nowMs() + rule.blockMs });
}

/** `https://myapp.example.com`, with the port where it isn't the scheme's own. */
export function originOf(settings: VisitorSettings, host: string): string {
  const isDefault = settings.publicPort === (settings.scheme === "https" ? 443 : 80);
  return `${settings.scheme}://${host}${isDefault ? "" : `:${settings.publicPort}`}`;
}

/** The one redirect URI that operators register at identity providers. */
export function redirectUri(settings: VisitorSettings): string {
  return `${originOf(settings, settings.domain)}/auth/visitor/callback`;
}

/** An audit entry about a visitor of a name. */
export function visitorEntry(
  owner: Pick<NameOwner, "appId" | "orgId" | "name">,
  entry: Omit<AuditEntry, "orgId" | "appId">,
): AuditEntry {
  return { ...entry, orgId: owner.orgId, appId: owner.appId, details: { name: owner.name, ...entry.details } };
}

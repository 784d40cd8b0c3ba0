// The two portals of the API as values, so that one set of routes serves /admin and /org with different scopes.

import { Elysia } from "elysia";
import type { ErrorCode } from "../lib/errors.ts";
import type { Queryable } from "../db/database.ts";
import type { Caller } from "./callers.ts";
import { adminSecurity, sessionSecurity, type Guards } from "./guards.ts";
import { bodyErrors } from "./schemas.ts";

/** Who acts, and within what: `orgId` null is everything (system admins), else only what belongs to that organization. */
export interface Scope {
  caller: Caller;
  orgId: string | null;
  request: Request;
  /**
   * Judges the caller once more: in the transaction of a change that took a while to prepare (a password was hashed), or before more
   * of a long answer is read. Throws what the guard throws.
   */
  mustStillMay(db: Queryable): Promise<void>;
}

function createScopeGuard(scopeOf: (request: Request) => Promise<Scope>) {
  return new Elysia().derive({ as: "scoped" }, async ({ request }) => ({ scope: await scopeOf(request) }));
}
/** A guard that gives its routes `scope`. */
export type ScopeGuard = ReturnType<typeof createScopeGuard>;

export interface Portal {
  prefix: "/admin" | "/org";
  /** Beginning of the tags in the documentation. */
  tag: "admin" | "organization";
  security: Record<string, string[]>[];
  /** Who may look. */
  read: ScopeGuard;
  /** Who may change something. */
  change: ScopeGuard;
  /** As `read`, asked again while a stream is open. */
  mayRead(request: Request): Promise<Scope>;
}

/** Both portals. Members of an organization look; its admins change. */
export function createPortals({ callers }: Guards): { admin: Portal; org: Portal } {
  const scopeOf = (caller: Caller, orgId: string | null, request: Request): Scope => ({
    ...{ caller, orgId, request },
    mustStillMay: (db) => callers.mustStillMay(db, caller, request),
  });
  const asAdmin = async (request: Request): Promise<Scope> => scopeOf(await callers.admin(request), null, request);
  const asMember = async (request: Request): Promise<Scope> => {
    const caller = await callers.orgMember(request);
    return scopeOf(caller, caller.orgId, request);
  };
  const asOrgAdmin = async (request: Request): Promise<Scope> => {
    const caller = await callers.orgAdmin(request);
    return scopeOf(caller, caller.orgId, request);
  };
  return {
    admin: {
      prefix: "/admin",
      tag: "admin",
      security: adminSecurity,
      read: createScopeGuard(asAdmin),
      change: createScopeGuard(asAdmin),
      mayRead: asAdmin,
    },
    org: {
      prefix: "/org",
      tag: "organization",
      security: sessionSecurity,
      read: createScopeGuard(asMember),
      change: createScopeGuard(asOrgAdmin),
      mayRead: asMember,
    },
  };
}

/** Codes that every guarded route refuses with; two of them only where an admin's API token is taken. */
export const guardErrors = [
  "unauthorized",
  "bad_token",
  "forbidden",
  "totp_required",
  "rate_limited",
] as const satisfies ErrorCode[];
/** And those with parameters. */
export const readErrors = [...guardErrors, "validation"] as const satisfies ErrorCode[];
/** Codes of every guarded route that changes something. */
export const changeErrors = [
  ...readErrors,
  ...bodyErrors,
  "not_found",
  "conflict",
  "audit_unavailable",
] as const satisfies ErrorCode[];

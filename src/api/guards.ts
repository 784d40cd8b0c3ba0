// Guards as Elysia plugins: a group of routes that uses one has `caller`, or the request ends before its body is judged.

import { Elysia } from "elysia";
import { createCallers } from "./callers.ts";
import type { ApiDeps } from "./deps.ts";

/**
 * Each guard authenticates in `derive`, which runs before validation: strangers learn nothing of a route's schema.
 * They are `scoped`: they cover the instance that uses them and nothing beside it.
 */
export function createGuards(deps: ApiDeps) {
  const callers = createCallers(deps);
  return {
    callers,
    session: new Elysia().derive({ as: "scoped" }, async ({ request }) => ({ caller: await callers.session(request) })),
    admin: new Elysia().derive({ as: "scoped" }, async ({ request }) => ({ caller: await callers.admin(request) })),
    adminEnrolling: new Elysia().derive({ as: "scoped" }, async ({ request }) => ({
      caller: await callers.adminEnrolling(request),
    })),
    orgMember: new Elysia().derive({ as: "scoped" }, async ({ request }) => ({
      caller: await callers.orgMember(request),
    })),
    orgMemberEnrolling: new Elysia().derive({ as: "scoped" }, async ({ request }) => ({
      caller: await callers.orgMemberEnrolling(request),
    })),
    orgAdmin: new Elysia().derive({ as: "scoped" }, async ({ request }) => ({
      caller: await callers.orgAdmin(request),
    })),
  };
}

export type Guards = ReturnType<typeof createGuards>;

/** `detail.security` of guarded groups, as the OpenAPI document names them. */
export const sessionSecurity = [{ cookie: [] }, { bearer: [] }];
export const adminSecurity = [...sessionSecurity, { adminToken: [] }];

// Guards as Elysia plugins: a group of routes that uses one has `caller`, or the request ends before its body is judged.

import { Elysia } from "elysia";
import { type Caller, createCallers } from "./callers.ts";
import type { ApiDeps } from "./deps.ts";

/**
 * A guard authenticates in `derive`, which runs before validation: strangers learn nothing of a route's schema.
 * It is `scoped`: it covers the instance that uses it and nothing beside it.
 */
export function createGuard<C extends Caller>(callerOf: (request: Request) => Promise<C>) {
  return new Elysia().derive({ as: "scoped" }, async ({ request }) => ({ caller: await callerOf(request) }));
}

/** The guards that most routes use, and the judgements behind all of them. */
export function createGuards(deps: ApiDeps) {
  const callers = createCallers(deps);
  return {
    callers,
    session: createGuard(callers.session),
    enrolled: createGuard(callers.enrolled),
    admin: createGuard(callers.admin),
    orgMember: createGuard(callers.orgMember),
    orgAdmin: createGuard(callers.orgAdmin),
  };
}

export type Guards = ReturnType<typeof createGuards>;

/** `detail.security` of guarded groups, as the OpenAPI document names them. */
export const sessionSecurity: Record<string, string[]>[] = [{ cookie: [] }, { bearer: [] }];
export const adminSecurity: Record<string, string[]>[] = [...sessionSecurity, { adminToken: [] }];

// /admin/accounts and /org/accounts: one set of routes, two scopes.

import type { ApiDeps } from "../deps.ts";
import { adminSecurity, sessionSecurity, type Guards } from "../guards.ts";
import { newRoutes } from "../routes.ts";
import { answers, idParams } from "../schemas.ts";
import { changeErrors, readErrors } from "../scopes.ts";
import * as model from "./model.ts";
import { changed, createActorGuard, createSharedRoutes, done } from "./one-account.ts";
import { createAccounts } from "./service.ts";

/** /admin/accounts: every account, and what only system admins decide. */
export function createAdminAccountsRoutes(deps: ApiDeps, guards: Guards) {
  const accounts = createAccounts(deps);
  const guard = createActorGuard(async (request) => ({
    caller: await guards.callers.admin(request),
    orgId: null,
    request,
  }));
  const tag = "admin: accounts";
  const own = newRoutes("", tag, adminSecurity)
    .use(guard)
    .get(
      "",
      async ({ query }) => {
        const { rows, nextCursor } = await accounts.list(null, query);
        return { accounts: rows.map(model.toAccountAnswer), nextCursor };
      },
      {
        query: model.adminListQuery,
        response: answers({ 200: model.accountsAnswer }, ...readErrors),
        detail: { summary: "List accounts" },
      },
    )
    .post(
      "",
      async ({ actor, body, set }) => {
        const { account, token } = await accounts.create(actor, body);
        set.status = 201;
        return { success: true as const, account: model.toAccountAnswer(account), token };
      },
      {
        body: model.adminCreateBody,
        response: answers({ 201: model.createdAnswer }, ...changeErrors),
        detail: { summary: "Create an account" },
      },
    )
    .put(
      "/:id/organization",
      async ({ actor, params, body }) => done(await accounts.setOrganization(actor, params.id, body.orgId)),
      {
        params: idParams,
        body: model.setOrganizationBody,
        response: changed,
        detail: {
          summary: "Move an account to another organization, or out of one",
          description: "Ends its sessions, tunnels and admin role there.",
        },
      },
    )
    .put("/:id/email", async ({ actor, params, body }) => done(await accounts.setEmail(actor, params.id, body.email)), {
      params: idParams,
      body: model.setEmailBody,
      response: changed,
      detail: {
        summary: "Set or remove the address that sign-in providers find the account by",
        description: "Ends its sessions, and sign-ins that were linked by the address before.",
      },
    });
  return newRoutes("/admin/accounts", tag)
    .use(own)
    .use(createSharedRoutes(deps, accounts, guard, tag, adminSecurity));
}

/** /org/accounts: members of the caller's organization, for its admins. */
export function createOrgAccountsRoutes(deps: ApiDeps, guards: Guards) {
  const accounts = createAccounts(deps);
  const guard = createActorGuard(async (request) => {
    const caller = await guards.callers.orgAdmin(request);
    return { caller, orgId: caller.orgId, request };
  });
  const tag = "organization: accounts";
  const own = newRoutes("", tag, sessionSecurity)
    .use(guard)
    .get(
      "",
      async ({ actor, query }) => {
        const { rows, nextCursor } = await accounts.list(actor.orgId, query);
        return { accounts: rows.map(model.toAccountAnswer), nextCursor };
      },
      {
        query: model.listQuery,
        response: answers({ 200: model.accountsAnswer }, ...readErrors),
        detail: { summary: "List members" },
      },
    )
    .post(
      "",
      async ({ actor, body, set }) => {
        const { account, token } = await accounts.create(actor, body);
        set.status = 201;
        return { success: true as const, account: model.toAccountAnswer(account), token };
      },
      {
        body: model.orgCreateBody,
        response: answers({ 201: model.createdAnswer }, ...changeErrors),
        detail: { summary: "Create a member" },
      },
    );
  return newRoutes("/org/accounts", tag)
    .use(own)
    .use(createSharedRoutes(deps, accounts, guard, tag, sessionSecurity));
}

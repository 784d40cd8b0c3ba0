// /admin/accounts and /org/accounts: one set of routes, two scopes.

import type { ApiDeps } from "../deps.ts";
import type { Guards } from "../guards.ts";
import { roomText } from "../organizations/room.ts";
import { newRoutes } from "../routes.ts";
import { answers, idParams } from "../schemas.ts";
import { changeErrors, createPortals, readErrors, type Portal } from "../scopes.ts";
import { createWhitelistEntries } from "../whitelists/entries.ts";
import * as model from "./model.ts";
import { changed, createSharedRoutes, done } from "./one-account.ts";
import { createAccounts, type Accounts } from "./service.ts";

/** /admin/accounts: every account, and what only system admins decide. */
export function createAdminAccountsRoutes(deps: ApiDeps, guards: Guards) {
  const portal = createPortals(guards).admin;
  const tag = "admin: accounts";
  const accounts = createAccounts(deps);
  const own = newRoutes("/:id", tag, portal.security)
    .use(portal.change)
    .put(
      "/organization",
      async ({ scope, params, body }) => done(await accounts.setOrganization(scope, params.id, body)),
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
    .put("/email", async ({ scope, params, body }) => done(await accounts.setEmail(scope, params.id, body.email)), {
      params: idParams,
      body: model.setEmailBody,
      response: changed,
      detail: {
        summary: "Set or remove the address that sign-in providers find the account by",
        description: "Ends its sessions, and sign-ins that were linked by the address before.",
      },
    });
  return newRoutes("/admin/accounts", tag)
    .use(
      createCollection(portal, tag, accounts, {
        query: model.adminListQuery,
        body: model.adminCreateBody,
        list: "List accounts",
        create: "Create an account",
      }),
    )
    .use(own)
    .use(createSharedRoutes(portal, tag, accounts, createWhitelistEntries(deps)));
}

/** /org/accounts: members of the caller's organization, for its admins. */
export function createOrgAccountsRoutes(deps: ApiDeps, guards: Guards) {
  const { org } = createPortals(guards);
  // Members don't look at each other.
  const portal: Portal = { ...org, read: org.change };
  const tag = "organization: accounts";
  const accounts = createAccounts(deps);
  return newRoutes("/org/accounts", tag)
    .use(
      createCollection(portal, tag, accounts, {
        query: model.listQuery,
        body: model.orgCreateBody,
        list: "List members",
        create: "Create a member",
      }),
    )
    .use(createSharedRoutes(portal, tag, accounts, createWhitelistEntries(deps)));
}

interface Collection {
  query: typeof model.adminListQuery | typeof model.listQuery;
  body: typeof model.adminCreateBody | typeof model.orgCreateBody;
  list: string;
  create: string;
}

function createCollection(portal: Portal, tag: string, accounts: Accounts, described: Collection) {
  return newRoutes("", tag, portal.security)
    .use(portal.change)
    .get(
      "",
      async ({ scope, query }) => {
        const { rows, nextCursor } = await accounts.list(scope.orgId, query);
        return { accounts: rows.map(model.toAccountAnswer), nextCursor };
      },
      {
        query: described.query,
        response: answers({ 200: model.accountsAnswer }, ...readErrors),
        detail: { summary: described.list },
      },
    )
    .post(
      "",
      async ({ scope, body, set }) => {
        const { account, token } = await accounts.create(scope, body);
        set.status = 201;
        return { success: true as const, account: model.toAccountAnswer(account), token };
      },
      {
        body: described.body,
        response: answers({ 201: model.createdAnswer }, ...changeErrors),
        detail: { summary: described.create, description: roomText("accounts") },
      },
    );
}

// Routes of one account, the same for system admins and organization admins.

import { newRoutes } from "../routes.ts";
import { answers, idParams, noBody, successSchema } from "../schemas.ts";
import { changeErrors, readErrors, type Portal } from "../scopes.ts";
import type { WhitelistEntries } from "../whitelists/entries.ts";
import { createWhitelistRoutes } from "../whitelists/owner-routes.ts";
import * as model from "./model.ts";
import type { Accounts } from "./service.ts";

/** Answers of a change. */
export const changed = answers({ 200: model.changedAnswer }, ...changeErrors);

/** The answer of a change. */
export function done(account: Parameters<typeof model.toAccountAnswer>[0]) {
  return { success: true as const, account: model.toAccountAnswer(account) };
}

/** What both groups do with one account of the actor's scope. */
export function createSharedRoutes(portal: Portal, tag: string, accounts: Accounts, entries: WhitelistEntries) {
  return newRoutes("/:id", tag, portal.security)
    .use(portal.change)
    .get(
      "",
      async ({ scope, params }) => ({ account: model.toAccountAnswer(await accounts.get(scope.orgId, params.id)) }),
      {
        params: idParams,
        response: answers({ 200: model.accountAnswer }, ...readErrors, "not_found"),
        detail: { summary: "One account" },
      },
    )
    .delete("", async ({ scope, params }) => done(await accounts.deactivate(scope, params.id)), {
      params: idParams,
      body: noBody,
      response: changed,
      detail: {
        summary: "Deactivate an account",
        description: "Ends its sessions and tunnels; it can be activated again.",
      },
    })
    .delete(
      "/hard",
      async ({ scope, params }) => {
        await accounts.remove(scope, params.id);
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Delete an account for good" },
      },
    )
    .post("/activate", async ({ scope, params }) => done(await accounts.activate(scope, params.id)), {
      params: idParams,
      body: noBody,
      response: changed,
      detail: { summary: "Activate an account again" },
    })
    .post(
      "/regenerate",
      async ({ scope, params }) => {
        const { account, token } = await accounts.regenerate(scope, params.id);
        return { ...done(account), token };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: model.createdAnswer }, ...changeErrors),
        detail: {
          summary: "Make a new API token",
          description:
            "The old one ends, and the tunnels it opened close. A member's own is made at `/org/me/token`, which asks for the password.",
        },
      },
    )
    .put("/username", async ({ scope, params, body }) => done(await accounts.rename(scope, params.id, body.username)), {
      params: idParams,
      body: model.renameBody,
      response: changed,
      detail: { summary: "Rename an account" },
    })
    .put(
      "/password",
      async ({ scope, params, body }) => done(await accounts.setPassword(scope, params.id, body.password)),
      {
        params: idParams,
        body: model.setPasswordBody,
        response: changed,
        detail: {
          summary: "Set somebody's password",
          description: "Ends the account's sessions. Not for the own account.",
        },
      },
    )
    .put("/org-admin", async ({ scope, params, body }) => done(await accounts.setOrgAdmin(scope, params.id, body)), {
      params: idParams,
      body: model.setOrgAdminBody,
      response: changed,
      detail: {
        summary: "Give or take the role of organization admin",
        description:
          "Of the organization that the account is in by then: say by `basedOn` which one that was. Ends the account's sessions.",
      },
    })
    .delete("/totp", async ({ scope, params }) => done(await accounts.resetTotp(scope, params.id)), {
      params: idParams,
      body: noBody,
      response: changed,
      detail: {
        summary: "Remove somebody's authenticator",
        description: "Ends the account's sessions. Not for the own account.",
      },
    })
    .use(
      createWhitelistRoutes(portal, tag, {
        entries,
        ownerOf: (scope, id) => accounts.listOwner(scope.orgId, id),
        summary: "Addresses the account's agents may connect from",
      }),
    );
}

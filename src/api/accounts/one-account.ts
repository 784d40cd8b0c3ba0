// Routes of one account and its whitelist, the same for system admins and organization admins.

import { Elysia } from "elysia";
import type { ApiDeps } from "../deps.ts";
import { newRoutes } from "../routes.ts";
import { answers, closed, idParams, idSchema, noBody, pageQuery, successSchema } from "../schemas.ts";
import { changeErrors, readErrors } from "../scopes.ts";
import { createWhitelistEntries, entriesAnswer, entryAnswer, entryBody } from "../whitelists/entries.ts";
import type { Actor } from "./change.ts";
import * as model from "./model.ts";
import type { Accounts } from "./service.ts";

/** Answers of a change. */
export const changed = answers({ 200: model.changedAnswer }, ...changeErrors);

/** A guard that names who acts and within what. */
export function createActorGuard(actorOf: (request: Request) => Promise<Actor>) {
  return new Elysia().derive({ as: "scoped" }, async ({ request }) => ({ actor: await actorOf(request) }));
}
type ActorGuard = ReturnType<typeof createActorGuard>;

/** As OpenAPI names it. */
type Security = Record<string, string[]>[];

/** The answer of a change. */
export function done(account: Parameters<typeof model.toAccountAnswer>[0]) {
  return { success: true as const, account: model.toAccountAnswer(account) };
}

/** What both groups do with one account of the actor's scope. */
export function createSharedRoutes(
  deps: ApiDeps,
  accounts: Accounts,
  guard: ActorGuard,
  tag: string,
  security: Security,
) {
  return newRoutes("/:id", tag, security)
    .use(guard)
    .get(
      "",
      async ({ actor, params }) => ({ account: model.toAccountAnswer(await accounts.get(actor.orgId, params.id)) }),
      {
        params: idParams,
        response: answers({ 200: model.accountAnswer }, ...readErrors, "not_found"),
        detail: { summary: "One account" },
      },
    )
    .delete("", async ({ actor, params }) => done(await accounts.deactivate(actor, params.id)), {
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
      async ({ actor, params }) => {
        await accounts.remove(actor, params.id);
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Delete an account for good" },
      },
    )
    .post("/activate", async ({ actor, params }) => done(await accounts.activate(actor, params.id)), {
      params: idParams,
      body: noBody,
      response: changed,
      detail: { summary: "Activate an account again" },
    })
    .post(
      "/regenerate",
      async ({ actor, params }) => {
        const { account, token } = await accounts.regenerate(actor, params.id);
        return { ...done(account), token };
      },
      {
        params: idParams,
        body: noBody,
        response: answers({ 200: model.createdAnswer }, ...changeErrors),
        detail: { summary: "Make a new API token", description: "The old one ends, and the tunnels it opened close." },
      },
    )
    .put("/username", async ({ actor, params, body }) => done(await accounts.rename(actor, params.id, body.username)), {
      params: idParams,
      body: model.renameBody,
      response: changed,
      detail: { summary: "Rename an account" },
    })
    .put(
      "/password",
      async ({ actor, params, body }) => done(await accounts.setPassword(actor, params.id, body.password)),
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
    .put(
      "/org-admin",
      async ({ actor, params, body }) => done(await accounts.setOrgAdmin(actor, params.id, body.isOrgAdmin)),
      {
        params: idParams,
        body: model.setOrgAdminBody,
        response: changed,
        detail: { summary: "Give or take the role of organization admin", description: "Ends the account's sessions." },
      },
    )
    .delete("/totp", async ({ actor, params }) => done(await accounts.resetTotp(actor, params.id)), {
      params: idParams,
      body: noBody,
      response: changed,
      detail: {
        summary: "Remove somebody's authenticator",
        description: "Ends the account's sessions. Not for the own account.",
      },
    })
    .use(createListRoutes(deps, accounts, guard, tag, security));
}

const entryParams = closed({ id: idSchema, entryId: idSchema });

function createListRoutes(deps: ApiDeps, accounts: Accounts, guard: ActorGuard, tag: string, security: Security) {
  const entries = createWhitelistEntries(deps);
  return newRoutes("/whitelist", tag, security)
    .use(guard)
    .get(
      "",
      async ({ actor, params, query }) => entries.list(await accounts.listOwner(actor.orgId, params.id), query),
      {
        params: idParams,
        query: closed(pageQuery),
        response: answers({ 200: entriesAnswer }, ...readErrors, "not_found"),
        detail: { summary: "Addresses the account's agents may connect from" },
      },
    )
    .post(
      "",
      async ({ actor, params, body, set }) => {
        const owner = await accounts.listOwner(actor.orgId, params.id);
        set.status = 201;
        return entries.add(owner, body, actor.caller, actor.request);
      },
      {
        params: idParams,
        body: entryBody,
        response: answers({ 201: entryAnswer }, ...changeErrors),
        detail: { summary: "Add an address or range" },
      },
    )
    .delete(
      "/:entryId",
      async ({ actor, params }) => {
        const owner = await accounts.listOwner(actor.orgId, params.id);
        await entries.remove(owner, params.entryId, actor.caller, actor.request);
        return { success: true as const };
      },
      {
        params: entryParams,
        body: noBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Remove an entry", description: "Sessions that no longer pass close." },
      },
    );
}

// GET, PUT, DELETE …/policy for whatever owner a group of routes has, and the test of a provider.

import { t } from "elysia";
import { ForeignKeyViolation } from "../../db/engine.ts";
import { AppError } from "../../lib/errors.ts";
import { changeBy } from "../changes.ts";
import { newRoutes } from "../routes.ts";
import { answers, closed, successSchema, type idParams } from "../schemas.ts";
import { changeErrors, readErrors, type Portal, type Scope } from "../scopes.ts";
import { effectiveSchema, oidcTestBody, oidcTestSchema, policyBody, policyRemovalBody, policySchema } from "./model.ts";
import type { Policies, PolicyOwner } from "./service.ts";

const policyAnswer = closed({ policy: t.Nullable(policySchema) });
const policyChangedAnswer = closed({ success: t.Literal(true), policy: policySchema });
/** The parameters of the group: an owner's id, or none (the caller's own organization). */
type Params = typeof idParams | undefined;

/**
 * The routes of the policy of one owner. `ownerOf` finds it within the caller's scope, or throws `not_found`; `params`
 * describes the path's parameters, which it gets as they are.
 */
export function createPolicyRoutes(
  portal: Portal,
  tag: string,
  policies: Policies,
  ownerOf: (scope: Scope, id: string) => Promise<PolicyOwner>,
  params: Params,
) {
  const input = params === undefined ? {} : { params };
  // Without parameters in the path there is no object of them either.
  const idOf = (values: Record<string, string> | undefined): string => values?.["id"] ?? "";
  const read = newRoutes("", tag, portal.security)
    .use(portal.read)
    .get(
      "/policy",
      async ({ scope, params: values }) => ({
        policy: await policies.getPolicyView(await ownerOf(scope, idOf(values))),
      }),
      {
        ...input,
        response: answers({ 200: policyAnswer }, ...readErrors, "not_found"),
        detail: { summary: "The visitor policy", description: "`null` when there is none. Secrets never come back." },
      },
    );
  const change = newRoutes("", tag, portal.security)
    .use(portal.change)
    .put(
      "/policy",
      async ({ scope, params: values, body }) => {
        const owner = await ownerOf(scope, idOf(values));
        const policy = await orGone(() =>
          policies.putPolicy(owner, body, changeBy(scope.caller, scope.request), scope.mustStillMay),
        );
        return { success: true as const, policy };
      },
      {
        ...input,
        body: policyBody,
        response: answers({ 200: policyChangedAnswer }, ...changeErrors),
        detail: {
          summary: "Set the visitor policy",
          description:
            "A secret left out keeps the stored one; everything else is replaced, so say by `basedOn` what was read before. Ends the sessions of visitors at once.",
        },
      },
    )
    .delete(
      "/policy",
      async ({ scope, params: values, body }) => {
        const owner = await ownerOf(scope, idOf(values));
        await policies.deletePolicy(owner, changeBy(scope.caller, scope.request), body?.basedOn);
        return { success: true as const };
      },
      {
        ...input,
        body: policyRemovalBody,
        response: answers({ 200: successSchema }, ...changeErrors),
        detail: { summary: "Remove the visitor policy", description: "Say by `basedOn` which one was read before." },
      },
    );
  return newRoutes("", tag).use(read).use(change);
}

/** GET …/{id}/policy/effective of an application. */
export function createEffectivePolicyRoute(
  portal: Portal,
  tag: string,
  policies: Policies,
  ownerOf: (scope: Scope, id: string) => Promise<{ appId: string }>,
  params: typeof idParams,
) {
  return newRoutes("", tag, portal.security)
    .use(portal.read)
    .get(
      "/policy/effective",
      async ({ scope, params: { id } }) => {
        const { appId } = await ownerOf(scope, id);
        return { effective: await policies.effectiveView(appId) };
      },
      {
        params,
        response: answers({ 200: closed({ effective: effectiveSchema }) }, ...readErrors, "not_found"),
        detail: { summary: "What is in force for visitors, and where each part comes from" },
      },
    );
}

/** POST /admin/oidc/test and /org/oidc/test. */
export function createProviderTestRoute(portal: Portal, policies: Policies) {
  const tag = `${portal.tag}: identity providers`;
  return newRoutes(`${portal.prefix}/oidc`, tag, portal.security)
    .use(portal.change)
    .post("/test", ({ body }) => policies.testProvider(body.issuerUrl), {
      body: oidcTestBody,
      response: answers({ 200: oidcTestSchema }, ...changeErrors),
      detail: { summary: "Ask an identity provider for its configuration, from the server" },
    });
}

async function orGone<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    // The owner was deleted meanwhile.
    if (error instanceof ForeignKeyViolation) throw new AppError("not_found", undefined, { cause: error });
    throw error;
  }
}

// /admin/me and /org/me: the caller's own account, password, authenticator and token.

import type { Caller } from "../callers.ts";
import type { ApiDeps } from "../deps.ts";
import { adminSecurity, sessionSecurity, type Guards } from "../guards.ts";
import { toAccountAnswer } from "../accounts/model.ts";
import { enrolmentAnswer, recoveryCodesAnswer } from "../login/model.ts";
import { newRoutes } from "../routes.ts";
import { answers, bodyErrors, successSchema } from "../schemas.ts";
import { guardErrors } from "../scopes.ts";
import * as model from "./model.ts";
import { createSelf, type Self } from "./service.ts";

/** Whoever proves a password may fail at it. */
const proofErrors = [...bodyErrors, ...guardErrors, "bad_credentials"] as const;

type Headers = Record<string, string | number>;

function keepSession(result: { setCookie: string | null }, headers: Headers): void {
  if (result.setCookie !== null) headers["set-cookie"] = result.setCookie;
}

/** What both groups do, as functions of the caller; the groups differ in their guard. */
function createActions(self: Self) {
  return {
    async password(
      caller: Caller,
      body: { currentPassword?: string; newPassword: string },
      request: Request,
      headers: Headers,
    ) {
      keepSession(await self.changePassword(caller, body, request), headers);
      return { success: true as const };
    },
    async totpSetup(caller: Caller, code: string, request: Request, headers: Headers) {
      const result = await self.finishTotp(caller, code, request);
      keepSession(result, headers);
      return { success: true as const, recoveryCodes: result.recoveryCodes };
    },
    async totpRemove(
      caller: Caller,
      body: { currentPassword?: string; code: string },
      request: Request,
      headers: Headers,
    ) {
      keepSession(await self.removeTotp(caller, body, request), headers);
      return { success: true as const };
    },
  };
}

/** How both groups describe themselves. Made for each, because Elysia adds the group's own tags and security to what it is given. */
const describeRoutes = () => ({
  password: {
    body: model.passwordBody,
    response: answers({ 200: successSchema }, ...proofErrors, "audit_unavailable"),
    detail: { summary: "Change the own password", description: "Ends every other session." },
  },
  totpStart: {
    body: model.totpStartBody,
    response: answers({ 200: enrolmentAnswer }, ...proofErrors),
    detail: {
      summary: "Begin to enrol an authenticator",
      description: "The old one stays until the new one has proven itself.",
    },
  },
  totpSetup: {
    body: model.totpSetupBody,
    response: answers({ 200: recoveryCodesAnswer }, ...proofErrors, "bad_code", "not_found", "audit_unavailable"),
    detail: { summary: "Finish enrolling with a code of the new authenticator" },
  },
  totpRemove: {
    body: model.totpRemoveBody,
    response: answers({ 200: successSchema }, ...proofErrors, "bad_code", "audit_unavailable"),
    detail: { summary: "Remove the authenticator", description: "Ends every session." },
  },
  token: {
    body: model.tokenBody,
    response: answers({ 200: model.tokenAnswer }, ...proofErrors, "audit_unavailable"),
    detail: { summary: "Make a new API token", description: "The old one ends, and the tunnels it opened close." },
  },
});

/** /admin/me. */
export function createAdminSelfRoutes(deps: ApiDeps, guards: Guards) {
  const self = createSelf(deps);
  const act = createActions(self);
  const routes = describeRoutes();
  const enrolling = newRoutes("", "admin: own account", adminSecurity)
    .use(guards.adminEnrolling)
    .post(
      "/totp/start",
      ({ caller, body, request }) => self.startTotp(caller, body.currentPassword, request),
      routes.totpStart,
    )
    .post(
      "/totp/setup",
      ({ caller, body, request, set }) => act.totpSetup(caller, body.code, request, set.headers),
      routes.totpSetup,
    );
  const enrolled = newRoutes("", "admin: own account", adminSecurity)
    .use(guards.admin)
    .get("", ({ caller }) => ({ account: toAccountAnswer(caller.account) }), {
      response: answers({ 200: model.adminMeAnswer }, ...guardErrors),
      detail: { summary: "The admin who calls" },
    })
    .put(
      "/password",
      ({ caller, body, request, set }) => act.password(caller, body, request, set.headers),
      routes.password,
    )
    .delete(
      "/totp",
      ({ caller, body, request, set }) => act.totpRemove(caller, body, request, set.headers),
      routes.totpRemove,
    );
  return newRoutes("/admin/me", "admin: own account").use(enrolling).use(enrolled);
}

/** /org/me. */
export function createOrgSelfRoutes(deps: ApiDeps, guards: Guards) {
  const self = createSelf(deps);
  const act = createActions(self);
  const routes = describeRoutes();
  const enrolling = newRoutes("", "organization: own account", sessionSecurity)
    .use(guards.orgMemberEnrolling)
    .post(
      "/totp/start",
      ({ caller, body, request }) => self.startTotp(caller, body.currentPassword, request),
      routes.totpStart,
    )
    .post(
      "/totp/setup",
      ({ caller, body, request, set }) => act.totpSetup(caller, body.code, request, set.headers),
      routes.totpSetup,
    );
  const enrolled = newRoutes("", "organization: own account", sessionSecurity)
    .use(guards.orgMember)
    .get(
      "",
      ({ caller: { account, orgId } }) => ({
        account: toAccountAnswer(account),
        organization: { id: orgId, name: account.orgName ?? "", requireTotp: account.orgRequiresTotp },
      }),
      {
        response: answers({ 200: model.orgMeAnswer }, ...guardErrors),
        detail: { summary: "The member who calls, and the organization" },
      },
    )
    .put(
      "/password",
      ({ caller, body, request, set }) => act.password(caller, body, request, set.headers),
      routes.password,
    )
    .delete(
      "/totp",
      ({ caller, body, request, set }) => act.totpRemove(caller, body, request, set.headers),
      routes.totpRemove,
    )
    .post(
      "/token",
      async ({ caller, body, request }) => ({
        success: true as const,
        ...(await self.changeToken(caller, body.currentPassword, request)),
      }),
      routes.token,
    );
  return newRoutes("/org/me", "organization: own account").use(enrolling).use(enrolled);
}

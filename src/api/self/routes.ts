// /admin/me and /org/me: the caller's own account, password, authenticator and token.

import type { Caller } from "../callers.ts";
import type { ApiDeps } from "../deps.ts";
import { adminSecurity, createGuard, sessionSecurity, type Guards } from "../guards.ts";
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

/** What both groups share; they differ in their guards and in what they say of the caller. */
function createSharedRoutes(
  self: Self,
  tag: string,
  security: Record<string, string[]>[],
  callers: Record<"enrolling" | "enrolled", (request: Request) => Promise<Caller>>,
) {
  const enrolling = newRoutes("", tag, security)
    .use(createGuard(callers.enrolling))
    .post("/totp/start", ({ caller, body, request }) => self.startTotp(caller, body.currentPassword, request), {
      body: model.totpStartBody,
      response: answers({ 200: enrolmentAnswer }, ...proofErrors),
      detail: {
        summary: "Begin to enrol an authenticator",
        description: "The old one stays until the new one has proven itself.",
      },
    })
    .post(
      "/totp/setup",
      async ({ caller, body, request, set }) => {
        const result = await self.finishTotp(caller, body.code, request);
        keepSession(result, set.headers);
        return { success: true as const, recoveryCodes: result.recoveryCodes };
      },
      {
        body: model.totpSetupBody,
        response: answers({ 200: recoveryCodesAnswer }, ...proofErrors, "bad_code", "not_found", "audit_unavailable"),
        detail: { summary: "Finish enrolling with a code of the new authenticator" },
      },
    );
  const enrolled = newRoutes("", tag, security)
    .use(createGuard(callers.enrolled))
    .put(
      "/password",
      async ({ caller, body, request, set }) => {
        keepSession(await self.changePassword(caller, body, request), set.headers);
        return { success: true as const };
      },
      {
        body: model.passwordBody,
        response: answers({ 200: successSchema }, ...proofErrors, "audit_unavailable"),
        detail: { summary: "Change the own password", description: "Ends every other session." },
      },
    )
    .delete(
      "/totp",
      async ({ caller, body, request, set }) => {
        keepSession(await self.removeTotp(caller, body, request), set.headers);
        return { success: true as const };
      },
      {
        body: model.totpRemoveBody,
        response: answers({ 200: successSchema }, ...proofErrors, "bad_code", "audit_unavailable"),
        detail: { summary: "Remove the authenticator", description: "Ends every session." },
      },
    );
  return newRoutes("", tag).use(enrolling).use(enrolled);
}

/** /admin/me. */
export function createAdminSelfRoutes(deps: ApiDeps, guards: Guards) {
  const { adminEnrolling, admin } = guards.callers;
  const tag = "admin: own account";
  const own = newRoutes("", tag, adminSecurity)
    .use(guards.admin)
    .get("", ({ caller }) => ({ account: toAccountAnswer(caller.account) }), {
      response: answers({ 200: model.adminMeAnswer }, ...guardErrors),
      detail: { summary: "The admin who calls" },
    });
  return newRoutes("/admin/me", tag)
    .use(createSharedRoutes(createSelf(deps), tag, adminSecurity, { enrolling: adminEnrolling, enrolled: admin }))
    .use(own);
}

/** /org/me: everything that an account does to itself needs no organization; only `GET` tells of one. */
export function createOrgSelfRoutes(deps: ApiDeps, guards: Guards) {
  const { nonAdminEnrolling, nonAdmin } = guards.callers;
  const self = createSelf(deps);
  const tag = "organization: own account";
  const member = newRoutes("", tag, sessionSecurity)
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
    );
  const token = newRoutes("", tag, sessionSecurity)
    .use(createGuard(nonAdmin))
    .post(
      "/token",
      async ({ caller, body, request }) => ({
        success: true as const,
        ...(await self.changeToken(caller, body.currentPassword, request)),
      }),
      {
        body: model.tokenBody,
        response: answers({ 200: model.tokenAnswer }, ...proofErrors, "audit_unavailable"),
        detail: {
          summary: "Make a new API token",
          description:
            "For every account but system admins, with or without an organization. The old one ends, and the tunnels it opened close.",
        },
      },
    );
  return newRoutes("/org/me", tag)
    .use(createSharedRoutes(self, tag, sessionSecurity, { enrolling: nonAdminEnrolling, enrolled: nonAdmin }))
    .use(token)
    .use(member);
}

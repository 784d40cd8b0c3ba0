// /auth: logging in in steps.

import { t } from "elysia";
import type { ApiDeps } from "../deps.ts";
import type { Guards } from "../guards.ts";
import { newRoutes } from "../routes.ts";
import { answers, bodyErrors, successSchema, text } from "../schemas.ts";
import * as model from "./model.ts";
import { createOwnSession, createOwnSessions } from "./own-sessions.ts";
import { createLogins, type LoginStep } from "./service.ts";

/** All of /auth but sign-in at other providers. */
export function createLoginRoutes(deps: ApiDeps, guards: Guards) {
  return newRoutes("/auth", "auth")
    .use(createLoginSteps(deps))
    .use(createOwnSession(deps, guards))
    .use(createOwnSessions(deps, guards));
}

/** The answer of a login step, and its cookie when there is a session. */
function answerStep(step: LoginStep, headers: Record<string, string | number>) {
  if (step.kind === "session") {
    headers["set-cookie"] = step.setCookie;
    return { success: true as const };
  }
  const next = step.kind === "totp" ? { needsTotp: true as const } : { needsSetup: true as const };
  return { success: true as const, ...next, pendingToken: step.pendingToken };
}

function createLoginSteps(deps: ApiDeps) {
  const logins = createLogins(deps);
  return newRoutes("", "auth")
    .post("/check-account", () => ({ success: true as const, next: "password" as const }), {
      body: model.checkAccountBody,
      response: answers({ 200: model.checkAccountAnswer }, ...bodyErrors),
      detail: {
        summary: "The first step of a two-step form",
        description: "Tells nothing about accounts: the answer is always the same.",
      },
    })
    .post(
      "/login",
      async ({ body, request, set }) =>
        answerStep(await logins.login(body.username, body.password, request), set.headers),
      {
        body: model.loginBody,
        response: answers({ 200: model.loginAnswer }, ...bodyErrors, "bad_credentials", "rate_limited"),
        detail: {
          summary: "Log in with a password",
          description: "Sets the session cookie, unless a second step is needed.",
        },
      },
    )
    .post(
      "/totp/verify",
      async ({ body, request, set }) => {
        const { setCookie } = await logins.verifyTotp(body.pendingToken, body.code, request);
        set.headers["set-cookie"] = setCookie;
        return { success: true as const };
      },
      {
        body: model.pendingCodeBody,
        response: answers({ 200: successSchema }, ...bodyErrors, "bad_code", "unauthorized", "rate_limited"),
        detail: { summary: "Finish a login with a code of the authenticator, or a recovery code" },
      },
    )
    .get("/totp/setup", ({ headers, request }) => logins.enrolment(headers["x-pending-token"] ?? "", request), {
      headers: t.Object({
        "x-pending-token": t.Optional(text(128, { description: "`pendingToken` of the login." })),
      }),
      response: answers({ 200: model.enrolmentAnswer }, "unauthorized"),
      detail: { summary: "What to enrol an authenticator with, for a login that has to" },
    })
    .post(
      "/totp/setup",
      async ({ body, request, set }) => {
        const { setCookie, recoveryCodes } = await logins.enrol(body.pendingToken, body.code, request);
        set.headers["set-cookie"] = setCookie;
        return { success: true as const, recoveryCodes };
      },
      {
        body: model.pendingCodeBody,
        response: answers(
          { 200: model.recoveryCodesAnswer },
          ...bodyErrors,
          "bad_code",
          "unauthorized",
          "rate_limited",
        ),
        detail: { summary: "Finish a login by enrolling an authenticator" },
      },
    );
}

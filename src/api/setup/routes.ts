// /setup: the wizard of the first boot.

import { t } from "elysia";
import { passwordSchema, usernameSchema } from "../accounts/model.ts";
import type { ApiDeps } from "../deps.ts";
import { enrolmentAnswer, recoveryCodesAnswer } from "../login/model.ts";
import { newRoutes } from "../routes.ts";
import { answers, bodyErrors, closed, successSchema, text } from "../schemas.ts";
import { createSetup } from "./service.ts";

const initBody = closed({
  code: text(128, { minLength: 1, description: "The one-time code in the server's log." }),
  username: usernameSchema,
  password: passwordSchema,
});
const totpBody = closed({ code: text(10, { minLength: 6, description: "6 digits." }) });
const completeBody = closed({
  allowCurrentAddress: t.Boolean({ description: "Put the caller's address on the system's whitelist of agents." }),
});
const initAnswer = closed({ success: t.Literal(true), ...enrolmentAnswer.properties });

export function createSetupRoutes(deps: ApiDeps) {
  const setup = createSetup(deps);
  return newRoutes("/setup", "setup")
    .get("/status", async () => ({ needsSetup: await setup.needsSetup() }), {
      response: answers({ 200: closed({ needsSetup: t.Boolean() }) }),
      detail: { summary: "Whether the server waits for its first admin" },
    })
    .post(
      "/init",
      async ({ body, request, set }) => {
        const { enrolment, setCookie } = await setup.init(body, request);
        set.headers["set-cookie"] = setCookie;
        return { success: true as const, ...enrolment };
      },
      {
        body: initBody,
        response: answers({ 200: initAnswer }, ...bodyErrors, "bad_code", "setup_done", "conflict", "rate_limited"),
        detail: { summary: "Begin: code from the log, username, password", description: "Answers what to enrol with." },
      },
    )
    .post(
      "/totp",
      async ({ body, request }) => ({ success: true as const, ...(await setup.totp(body.code, request)) }),
      {
        body: totpBody,
        response: answers(
          { 200: recoveryCodesAnswer },
          ...bodyErrors,
          "bad_code",
          "unauthorized",
          "setup_done",
          "rate_limited",
        ),
        detail: { summary: "Prove the authenticator", description: "Answers the recovery codes, once." },
      },
    )
    .post(
      "/complete",
      async ({ body, request, set }) => {
        const { setCookies } = await setup.complete(body.allowCurrentAddress, request);
        set.headers["set-cookie"] = setCookies;
        return { success: true as const };
      },
      {
        body: completeBody,
        response: answers(
          { 200: successSchema },
          ...bodyErrors,
          "unauthorized",
          "totp_required",
          "setup_done",
          "conflict",
          "audit_unavailable",
        ),
        detail: { summary: "Create the admin and log in" },
      },
    );
}

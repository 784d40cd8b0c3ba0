// Bodies and answers of what people change about themselves.

import { t } from "elysia";
import { accountSchema, passwordSchema } from "../accounts/model.ts";
import { codeSchema } from "../login/model.ts";
import { closed, idSchema, text } from "../schemas.ts";

/** Left out only by accounts that have no password yet. */
const currentPassword = t.Optional(text(256, { minLength: 1, description: "Needed when the account has a password." }));

export const passwordBody = closed({ currentPassword, newPassword: passwordSchema });
export const totpStartBody = closed({ currentPassword });
export const totpSetupBody = closed({ code: codeSchema });
export const totpRemoveBody = closed({ currentPassword, code: codeSchema });
export const tokenBody = closed({ currentPassword });
export const tokenAnswer = closed({ success: t.Literal(true), token: t.String({ description: "Shown once." }) });
export const adminMeAnswer = closed({ account: accountSchema });
export const orgMeAnswer = closed({
  account: accountSchema,
  organization: closed({ id: idSchema, name: t.String(), requireTotp: t.Boolean() }),
});

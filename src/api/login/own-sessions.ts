// What a logged-in person does about the own session, all sessions, and recovery codes.

import { createRecoveryCodes, hashRecoveryCode } from "../../auth/recovery.ts";
import { countRecoveryCodes, replaceRecoveryCodes } from "../../db/second-factors.ts";
import { listSessions, revokeSession, revokeSessions, sessionSorts, type SessionRow } from "../../db/sessions.ts";
import { AppError } from "../../lib/errors.ts";
import { toAccountAnswer } from "../accounts/model.ts";
import { owesSecondFactor } from "../callers.ts";
import { changeBy } from "../changes.ts";
import type { ApiDeps } from "../deps.ts";
import { choiceOf, flagOf, wordsOf } from "../filters.ts";
import { sessionSecurity, type Guards } from "../guards.ts";
import { parsePage, parseSort, toPage } from "../paging.ts";
import { newRoutes } from "../routes.ts";
import { answers, bodyErrors, idParams, noBody, successSchema } from "../schemas.ts";
import * as model from "./model.ts";
import { createSecondFactor } from "./second-factor.ts";
import { clearSessionCookie } from "./sessions.ts";

/** Tells what was opened with a session, event streams above all, that one of the account's has ended. */
const sessionsEnded = (accountId: string) => ({ kind: "session", refId: accountId, action: "deleted" }) as const;

/** What a session may do that still owes a second factor: see who it is, and end. */
export function createOwnSession(deps: ApiDeps, guards: Guards) {
  const { db, nowMs } = deps;
  return newRoutes("", "auth", sessionSecurity)
    .use(guards.session)
    .get(
      "/me",
      async ({ caller: { account } }) => ({
        account: toAccountAnswer(account),
        organization:
          account.orgId === null
            ? null
            : { id: account.orgId, name: account.orgName ?? "", requireTotp: account.orgRequiresTotp },
        mustEnrolTotp: owesSecondFactor(account),
        serverUrl: deps.settings.serverUrl,
        visitorRedirectUri: deps.settings.visitorRedirectUri,
        recoveryCodesLeft: await countRecoveryCodes(db.kysely, account.id),
      }),
      { response: answers({ 200: model.meAnswer }, "unauthorized"), detail: { summary: "Who is logged in" } },
    )
    .post(
      "/logout",
      async ({ caller, request, set }) => {
        const { account, sessionId } = caller;
        if (sessionId !== null) {
          await db.transaction(async (trx) => {
            await revokeSession(trx, account.id, sessionId, nowMs());
            await db.changes.record(trx, sessionsEnded(account.id));
          });
        }
        deps.audit.record({ ...changeBy(caller, request), action: "session.ended", success: true });
        set.headers["set-cookie"] = clearSessionCookie(deps);
        return { success: true as const };
      },
      {
        body: noBody,
        response: answers({ 200: successSchema }, ...bodyErrors, "unauthorized"),
        detail: { summary: "End this session" },
      },
    )
    .post(
      "/logout-all",
      async ({ caller, request, set }) => {
        await db.transaction(async (trx) => {
          await revokeSessions(trx, caller.account.id, nowMs());
          await deps.audit.within(trx, { ...changeBy(caller, request), action: "session.all_ended", success: true });
          await db.changes.record(trx, sessionsEnded(caller.account.id));
        });
        set.headers["set-cookie"] = clearSessionCookie(deps);
        return { success: true as const };
      },
      {
        body: noBody,
        response: answers({ 200: successSchema }, ...bodyErrors, "unauthorized", "audit_unavailable"),
        detail: { summary: "End every session of this account" },
      },
    );
}

/** The rest of /auth that needs a session. */
export function createOwnSessions(deps: ApiDeps, guards: Guards) {
  const { db, nowMs } = deps;
  const secondFactor = createSecondFactor(deps);
  return newRoutes("", "auth", sessionSecurity)
    .use(guards.enrolled)
    .get(
      "/sessions",
      async ({ caller: { account, sessionId }, query }) => {
        const sort = parseSort(query.sort, sessionSorts, "-createdAt");
        const page = parsePage(query, sort);
        const state = choiceOf(query.state ?? "live");
        const isCurrent = flagOf(query.current);
        const filter = {
          isLive: state === null || state.value === "any" ? null : (state.value === "live") !== state.not,
          id: isCurrent === null ? null : { value: sessionId ?? "", not: !isCurrent },
          ...wordsOf(query.q),
        };
        const order = { column: sort.column, page, nowMs: nowMs() };
        const found = await listSessions(db.kysely, account.id, filter, order);
        const { rows, nextCursor } = toPage(found, page, sort, (row) => ({
          value: sortValue(row, sort.column),
          id: row.id,
        }));
        return { sessions: rows.map((row) => model.toSessionAnswer(row, sessionId, order.nowMs)), nextCursor };
      },
      {
        query: model.sessionsQuery,
        response: answers({ 200: model.sessionsAnswer }, "unauthorized", "totp_required", "validation"),
        detail: { summary: "Own sessions", description: "Those that ended are forgotten after a while." },
      },
    )
    .delete(
      "/sessions/:id",
      async ({ caller, params, request }) => {
        await db.transaction(async (trx) => {
          if (!(await revokeSession(trx, caller.account.id, params.id, nowMs()))) throw new AppError("not_found");
          await deps.audit.within(trx, {
            ...changeBy(caller, request),
            action: "session.revoked",
            success: true,
            details: { session: params.id },
          });
          await db.changes.record(trx, sessionsEnded(caller.account.id));
        });
        return { success: true as const };
      },
      {
        params: idParams,
        body: noBody,
        response: answers(
          { 200: successSchema },
          ...bodyErrors,
          "unauthorized",
          "totp_required",
          "not_found",
          "audit_unavailable",
        ),
        detail: { summary: "End one of the own sessions" },
      },
    )
    .post(
      "/recovery-codes",
      async ({ caller, body, request }) => {
        const { account } = caller;
        const recoveryCodes = createRecoveryCodes();
        const hashes = recoveryCodes.map((code) => hashRecoveryCode(account.id, code));
        await secondFactor.check(account, body.code, "session", request, async (trx) => {
          await replaceRecoveryCodes(trx, account.id, hashes, nowMs());
          await deps.audit.within(trx, {
            ...changeBy(caller, request),
            action: "account.recovery_codes",
            success: true,
          });
        });
        return { success: true as const, recoveryCodes };
      },
      {
        body: model.codeBody,
        response: answers(
          { 200: model.recoveryCodesAnswer },
          ...bodyErrors,
          "unauthorized",
          "bad_code",
          "totp_required",
          "rate_limited",
          "audit_unavailable",
        ),
        detail: { summary: "New recovery codes; the old ones end", description: "Needs a code of the authenticator." },
      },
    );
}

function sortValue(row: SessionRow, column: string): number {
  if (column === sessionSorts.lastSeen) return row.last_seen_at;
  return column === sessionSorts.expiresAt ? row.expires_at : row.created_at;
}

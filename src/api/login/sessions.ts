// A dashboard session in the making: its row for the transaction, its cookie for the answer.

import { createSecret, hashSecret } from "../../auth/secrets.ts";
import type { SessionRow } from "../../db/sessions.ts";
import { newId } from "../../lib/ids.ts";
import { writeCookie } from "../cookies.ts";
import type { ApiDeps } from "../deps.ts";
import { factsOf } from "../request.ts";

export interface PreparedSession {
  /** Insert it in the transaction that allows the session. */
  row: SessionRow;
  /** The `Set-Cookie` value; send it once the row is committed. */
  setCookie: string;
}

/** A new session with an id of its own: a login, a second factor, a changed password never keep the id from before. */
export async function prepareSession(deps: ApiDeps, accountId: string, request: Request): Promise<PreparedSession> {
  const { scheme, sessionTtlMs } = deps.settings;
  const secret = createSecret();
  const nowMs = deps.nowMs();
  const expiresAtMs = nowMs + sessionTtlMs;
  const token = await deps.sessionTokens.sign({ accountId, sessionId: secret }, expiresAtMs);
  return {
    row: {
      id: newId("ses", nowMs),
      session_hash: hashSecret(secret),
      account_id: accountId,
      address: factsOf(request).address,
      user_agent: (request.headers.get("user-agent") ?? "").slice(0, 200),
      created_at: nowMs,
      last_seen_at: nowMs,
      expires_at: expiresAtMs,
      revoked_at: null,
    },
    setCookie: writeCookie("session", scheme, token, sessionTtlMs / 1000),
  };
}

/** The `Set-Cookie` value that makes a browser forget its session. */
export function clearSessionCookie(deps: ApiDeps): string {
  return writeCookie("session", deps.settings.scheme, "", 0);
}

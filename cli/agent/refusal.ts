// Why the server refused a registration or a session, as its answer says it.

import { closeCode, newerStart } from "../../src/protocol/frames.ts";

/** Why there is no tunnel. */
export interface Refusal {
  code: string;
  /** One sentence for the agent's user. */
  message: string;
  retryable: boolean;
  retryAfterMs: number | null;
}

/** An answer of 400 or more. */
export interface RefusedAnswer {
  status: number;
  /** Its `Retry-After`. */
  retryAfter: string | null;
  /** The parsed body. */
  body: unknown;
}

/** What an answer says; null when it isn't one of a digit-link server (a proxy's page, say). */
function refusalOf({ status, retryAfter, body }: RefusedAnswer): Refusal | null {
  const error = isObject(body) && isObject(body["error"]) ? body["error"] : null;
  if (error === null) return null;
  const { code, message, retryable, retryAfterMs } = error;
  if (typeof code !== "string" || typeof message !== "string") return null;
  return {
    ...{ code, message },
    retryable: typeof retryable === "boolean" ? retryable : status >= 500 || status === 429,
    retryAfterMs: typeof retryAfterMs === "number" ? retryAfterMs : Number(retryAfter) * 1_000 || null,
  };
}

/** What a redirect of `asked` says; null for any other answer. It is not followed: where it leads has not been given the token by its owner. */
function redirection(status: number, location: string | null, asked: URL): Refusal | null {
  if (status < 300 || status > 399 || location === null) return null;
  const to = URL.canParse(location, asked.href) ? new URL(location, asked) : null;
  const where =
    to === null || !/^https?:$/.test(to.protocol)
      ? "nowhere: it is no digit-link server"
      : to.origin === asked.origin
        ? "a page of its own: it is no digit-link server, or something in front of it wants a login"
        : `${to.origin}: use that as --server`;
  const message = `${asked.origin} redirects to ${where}.`;
  return { code: redirected, message, retryable: false, retryAfterMs: null };
}

/** What an answer of `asked` says that grants nothing; null when it isn't one of a digit-link server. */
export function refusedBy(asked: URL, answer: RefusedAnswer & { location: string | null }): Refusal | null {
  const refusal = refusalOf(answer) ?? redirection(answer.status, answer.location, asked);
  if (refusal === null) return null;
  // What the server tells its visitors: they know nothing of its DOMAIN.
  if (/^(tunnel|local)_/.test(refusal.code)) {
    const message = `${asked.host} is the address of a tunnel: use the server's own, its DOMAIN.`;
    // Behind the tunnel there may be a server, and away for a moment.
    return { ...refusal, code: "misdirected", message };
  }
  if (refusal.code !== "misdirected" && refusal.code !== "not_found") return refusal;
  const message = `The server at ${asked.host} takes agents by another name: use its DOMAIN as the address, and let a proxy in front of it keep the Host header.`;
  return { code: "misdirected", message, retryable: false, retryAfterMs: null };
}

/** Whether it may be that of a proxy whose server is away: it says 502 to 504, or more, and is the right address. */
export function isProxyAlone(status: number): boolean {
  return status >= 502;
}

/** The code of a refusal by something that is no digit-link server. */
export const strange = "strange";

/** An answer that is not a digit-link server's, in a few words without a full stop. */
export function strangeAnswer(status: number): string {
  const advice = isProxyAlone(status) ? "" : ": check its scheme, host and port";
  return `answered ${status}, but not like a digit-link server${advice}`;
}

/** The code of a `redirection`. */
export const redirected = "redirected";

/**
 * What came instead of a 101. Null when nothing can be told from it. Only who says so plainly ends an agent: an answer without `retryable` is
 * not taken for permanent.
 */
export function refusedUpgrade(answer: { status: number; retryAfter: string | null; body: Buffer }): Refusal | null {
  if (answer.status < 400) return null;
  let body: unknown;
  try {
    body = JSON.parse(answer.body.toString());
  } catch {
    return null;
  }
  const refusal = refusalOf({ ...answer, body });
  const isPlain = isObject(body) && isObject(body["error"]) && typeof body["error"]["retryable"] === "boolean";
  return refusal === null || isPlain ? refusal : { ...refusal, retryable: true };
}

/** What the close of a session says for good; null when registering again may help, or says more. */
export function refusedClose(code: number, reason: string): Refusal | null {
  const forGood = { retryable: false, retryAfterMs: null };
  if (code === closeCode.revoked && reason === "disconnected_by_admin")
    return { code: reason, message: "An administrator disconnected this tunnel.", ...forGood };
  if (code === closeCode.replaced && reason === newerStart)
    return {
      code: "replaced",
      message:
        "This tunnel was started again for the same local port: the newer agent serves it now, and this one ends.",
      ...forGood,
    };
  return null;
}

/** Why a session was lost, for the agent's user: what the server gives as a code, in words; others are words already. */
export function lossText(reason: string): string {
  const words: Record<string, string> = {
    drain: "the server is restarting",
    credential_revoked: "its token or key was revoked or replaced",
    not_whitelisted: "agents may not connect from this address any more",
    application_changed: "its application was changed",
    quota_exceeded: "no more tunnels are allowed for its token or key",
    released: "its name was released",
  };
  return Object.hasOwn(words, reason) ? words[reason]! : reason;
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

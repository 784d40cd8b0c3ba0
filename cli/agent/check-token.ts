// Asks the server whether it knows a token, before that is saved.

import { proxyFor } from "./proxy-env.ts";
import { isObject, isProxyAlone, refusedBy, strange, strangeAnswer, type Refusal } from "./refusal.ts";
import { unreachableText } from "./unreachable.ts";

/** `known`: the token is good, and this account's (or key's). `refused`: it is of no use here, or this is no digit-link server. `unknown`: nobody could say, and why. */
export type TokenVerdict = { known: string } | { refused: Refusal } | { unknown: string };

const timeoutMs = 10_000;

/** Sends `token` to `server` (an origin) and nowhere else. Never rejects. */
export async function checkToken(server: string, token: string): Promise<TokenVerdict> {
  const url = new URL("/_tunnel/credential", server);
  const proxy = proxyFor(url, process.env);
  let response: Response;
  try {
    response = await fetch(url, {
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
      headers: { authorization: `Bearer ${token}`, accept: "application/json" },
      proxy,
    });
  } catch (error) {
    return { unknown: unreachableText(error, url, proxy) };
  }
  const { status, headers } = response;
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && isObject(body) && typeof body["name"] === "string") return { known: body["name"] };
  const [retryAfter, location] = [headers.get("retry-after"), headers.get("location")];
  const refusal = refusedBy(url, { status, retryAfter, location, body });
  // A 5xx is about the server and not about the token, unless that isn't the server.
  if (refusal !== null && (status < 500 || refusal.code === "misdirected")) return { refused: refusal };
  if (refusal !== null) return { unknown: `it answered ${status}` };
  if (isProxyAlone(status)) return { unknown: `it ${strangeAnswer(status)}` };
  const message = `${url.host} ${strangeAnswer(status)}.`;
  return { refused: { code: strange, message, retryable: false, retryAfterMs: null } };
}

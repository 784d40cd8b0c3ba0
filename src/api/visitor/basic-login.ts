// The login page of a basic policy: a form for people, which gives them a session instead of asking on every request.

import { AppError } from "../../lib/errors.ts";
import { authPaths, safeReturnPath } from "../../policy/paths.ts";
import { checkBasic, type BasicPolicy } from "./basic-check.ts";
import type { VisitorDeps } from "./deps.ts";
import { html, redirect, renderPage } from "./page.ts";
import { tooMany } from "./refused.ts";
import { openSession, type Visit } from "./visit.ts";

const maxFormBytes = 8_192;

/** GET `/__auth/basic`. */
export function showBasicForm(visit: Visit): Response {
  return form(visit, { to: safeReturnPath(visit.url.searchParams.get("to")), username: "" }, 200, null);
}

/** POST `/__auth/basic`: checks the form, and answers with a session and a redirect, or with the form and what is wrong. */
export async function submitBasicForm(
  deps: VisitorDeps,
  visit: Visit,
  policy: BasicPolicy,
  request: Request,
): Promise<Response> {
  const fields = await readForm(request);
  const back = safeReturnPath(fields.get("to"));
  const given = { username: fields.get("username") ?? "", password: fields.get("password") ?? "" };
  const kept = { to: back, username: given.username };
  const { address, network, requestId } = visit;
  let outcome;
  try {
    outcome = await checkBasic(deps, visit.owner, policy, visit.effective.limiter, {
      ...given,
      address,
      network,
      requestId,
    });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return form(visit, kept, 503, "The server is busy. Try again in a moment.");
  }
  switch (outcome.kind) {
    case "blocked":
      return tooMany(visit.host, outcome.retryAfterMs);
    case "wrong":
      return form(visit, kept, 401, "The username or password is wrong.");
    case "right": {
      const who = { kind: "basic" as const, subject: policy.basicUsername, email: null, idToken: null };
      return redirect(back, [await openSession(deps, visit, who)]);
    }
  }
}

async function readForm(request: Request): Promise<URLSearchParams> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) throw new AppError("unsupported_media_type");
  let text = "";
  const decoder = new TextDecoder();
  for await (const chunk of request.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length > maxFormBytes) throw new AppError("payload_too_large");
  }
  return new URLSearchParams(text + decoder.decode());
}

/** `kept` is what a visitor who failed need not type again. */
function form(visit: Visit, kept: { to: string; username: string }, status: number, problem: string | null): Response {
  const note = problem === null ? html`<p>Log in to continue.</p>` : html`<p class="bad" role="alert">${problem}</p>`;
  const body = html`${note}
    <form method="post" action="${authPaths.basic}">
      <input type="hidden" name="to" value="${kept.to}" /><label
        >Username<input
          name="username"
          value="${kept.username.slice(0, 256)}"
          autocomplete="username"
          autocapitalize="none"
          spellcheck="false"
          required
          autofocus
          maxlength="256" /></label
      ><label
        >Password<input
          name="password"
          type="password"
          autocomplete="current-password"
          required
          maxlength="256" /></label
      ><button>Log in</button>
    </form>`;
  return renderPage({ status, title: "Log in", host: visit.host, body });
}

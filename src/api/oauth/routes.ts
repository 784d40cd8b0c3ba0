// GET /auth/oauth, /auth/oauth/{provider} and /auth/oauth/{provider}/callback: signing in to the dashboard at a provider.

import { t } from "elysia";
import type { SignInProvider } from "../../auth/oauth.ts";
import { AppError } from "../../lib/errors.ts";
import type { ApiDeps } from "../deps.ts";
import type { Guards } from "../guards.ts";
import { newRoutes } from "../routes.ts";
import { answers, closed, rawAnswers, text } from "../schemas.ts";
import { createSignIn } from "./service.ts";

const params = closed({ provider: t.Union([t.Literal("github"), t.Literal("google"), t.Literal("oidc")]) });
const providersAnswer = closed({ providers: t.Array(closed({ name: t.String(), label: t.String() })) });
const beginQuery = closed({
  to: t.Optional(text(2_048, { description: "Path of the dashboard to go back to." })),
  link: t.Optional(t.Literal("1", { description: "Add the identity to the account that is logged in." })),
});

const toProvider = rawAnswers(
  { 303: { description: "To the provider." } },
  ...(["validation", "unauthorized", "csrf", "totp_required", "rate_limited"] as const),
);
const toDashboard = rawAnswers(
  { 303: { description: "To the dashboard: signed in, to the second factor, or to the login page with `error`." } },
  ...(["validation", "rate_limited"] as const),
);

/** A feature of the API, for the providers that are configured. `origin`: where the dashboard is. */
export function createOauthRoutes(options: { providers: readonly SignInProvider[]; origin: string }) {
  return (deps: ApiDeps, guards: Guards) => {
    const signIn = createSignIn(deps, options.origin);
    const providerOf = (name: string): SignInProvider => {
      const found = options.providers.find((provider) => provider.name === name);
      if (found === undefined) throw new AppError("not_found");
      return found;
    };
    return newRoutes("/auth/oauth", "auth")
      .get("", () => ({ providers: options.providers.map(({ name, label }) => ({ name, label })) }), {
        response: answers({ 200: providersAnswer }),
        detail: { summary: "Which sign-in providers are configured" },
      })
      .get(
        "/:provider",
        async ({ params: { provider }, query, request }) => {
          const chosen = providerOf(provider);
          // Another site must not begin to add identities to somebody's account.
          const site = request.headers.get("sec-fetch-site");
          if (query.link !== undefined && site !== null && site !== "same-origin") throw new AppError("csrf");
          const caller = query.link === undefined ? null : await guards.callers.enrolled(request);
          const { location, setCookie } = await signIn.begin(chosen, request, caller);
          return redirect(location, setCookie);
        },
        { params, query: beginQuery, detail: { summary: "Begin to sign in at a provider", responses: toProvider } },
      )
      .get(
        "/:provider/callback",
        async ({ params: { provider }, request }) => {
          const { location, setCookie } = await signIn.finish(providerOf(provider), request, () =>
            guards.callers.enrolled(request),
          );
          return redirect(location, setCookie);
        },
        { params, detail: { summary: "Where the provider sends people back to", responses: toDashboard } },
      );
  };
}

function redirect(location: string, setCookie: string | null): Response {
  const headers = new Headers({ location, "cache-control": "no-store", "referrer-policy": "no-referrer" });
  if (setCookie !== null) headers.set("set-cookie", setCookie);
  return new Response(null, { status: 303, headers });
}

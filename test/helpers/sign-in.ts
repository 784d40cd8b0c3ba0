// The API with sign-in providers: a GitHub and a Google of our own on loopback, and a real OpenID provider.

import { expect } from "bun:test";
import { createApi } from "../../src/api/app.ts";
import { createOauthRoutes } from "../../src/api/oauth/routes.ts";
import { createGitHubSignIn, createGoogleSignIn, createOidcSignIn } from "../../src/auth/oauth.ts";
import { createOidcClient } from "../../src/auth/oidc.ts";
import { createOutboundFetch } from "../../src/auth/outbound.ts";
import { createTestApi } from "../helpers/api.ts";
import { openTestSqlite } from "../helpers/databases.ts";
import { handleDescribed } from "../helpers/described-answers.ts";
import { startProvider } from "../helpers/oidc-provider.ts";

export const origin = "http://tunnel.test";

/** Who the providers say comes. */
export interface Person {
  github: { user: unknown; emails: unknown };
  google: unknown;
}

export const ada: Person = {
  github: { user: { id: 7, login: "ada" }, emails: [{ email: "Ada@Example.com", primary: true, verified: true }] },
  google: { sub: "g-7", email: "ada@example.com", email_verified: true },
};

/** Starts everything; the accounts are the test's. */
export async function setUp(person: Person = ada) {
  const database = await openTestSqlite();
  const idp = await startProvider([`${origin}/auth/oauth/oidc/callback`]);
  const fake = startFakes(person);
  const test = createTestApi(database, { settings: { scheme: "http" } });
  test.clock.nowMs = Date.now();
  const fetch = createOutboundFetch({ allowPrivate: [], allowLoopback: true });
  const client = { clientId: "client", clientSecret: "planted-client-secret" };
  const base = `http://127.0.0.1:${fake.port}`;
  const endpoints = (name: string) => ({
    authorize: `${base}/${name}/authorize`,
    token: `${base}/${name}/token`,
    user: `${base}/${name}/user`,
    emails: `${base}/${name}/emails`,
  });
  const providers = [
    createGitHubSignIn(client, fetch, endpoints("github")),
    createGoogleSignIn(client, fetch, endpoints("google")),
    createOidcSignIn(
      { label: "Example SSO", issuerUrl: idp.issuer, clientId: idp.clientId, clientSecret: idp.clientSecret },
      createOidcClient({ fetch, allowHttp: true }),
    ),
  ];
  const handle = handleDescribed(createApi(test.deps, [createOauthRoutes({ providers, origin })]));

  function browser() {
    const jar = new Map<string, string>();
    return {
      async send(path: string, extra: Record<string, string> = {}) {
        const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
        const headers = { "x-digit-link-address": "203.0.113.7", "x-digit-link-host": "tunnel.test", cookie, ...extra };
        const response = await handle(new Request(new URL(path, "http://localhost").href, { headers }));
        for (const line of response.headers.getSetCookie()) {
          const [name = "", value = ""] = (line.split(";", 1)[0] ?? "").split("=");
          if (line.includes("Max-Age=0")) jar.delete(name);
          else jar.set(name, value);
        }
        return { status: response.status, location: response.headers.get("location"), text: await response.text() };
      },
    };
  }
  type Browser = ReturnType<typeof browser>;
  type Name = "github" | "google" | "oidc";

  /** Begins, plays the provider, and returns the path that the browser is sent back to. */
  async function answerOf(from: Browser, name: Name, to = "/", options: { link?: boolean } = {}): Promise<string> {
    const begun = await from.send(
      `/auth/oauth/${name}?to=${encodeURIComponent(to)}${options.link === true ? "&link=1" : ""}`,
    );
    const url = new URL(begun.location ?? "");
    expect(url.searchParams.get("code_challenge_method")).toBe("S256");
    if (name === "oidc") {
      const back = await idp.authorize(url.href);
      return back.pathname + back.search;
    }
    const code = `planted-code.${url.searchParams.get("code_challenge")}`;
    return `/auth/oauth/${name}/callback?code=${code}&state=${url.searchParams.get("state")}`;
  }

  return {
    test,
    browser,
    answerOf,
    signIn: async (from: Browser, name: Name, to = "/", options: { link?: boolean } = {}) =>
      await from.send(await answerOf(from, name, to, options)),
    outcomes: () =>
      test.audited
        .filter(({ action }) => action === "login.oauth")
        .map(({ success, reason, authType }) => ({ success, reason, authType })),
    async addAccount(id: string, row: { email?: string; is_admin?: 0 | 1; active?: 0 | 1 }) {
      await database.db.kysely
        .insertInto("accounts")
        .values({
          id,
          username: id,
          username_key: id,
          email: null,
          password_hash: null,
          password_changed_at: null,
          token_hash: null,
          is_admin: 0,
          is_org_admin: 0,
          org_id: null,
          active: 1,
          totp_secret: null,
          totp_enrolled_at: null,
          created_at: Date.now(),
          last_used_at: 0,
          ...row,
        })
        .execute();
    },
    async [Symbol.asyncDispose]() {
      await fake.stop();
      await idp.stop();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** Token and identity endpoints that check what they are sent, as the real ones do. */
function startFakes(person: Person) {
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      const { pathname } = new URL(request.url);
      if (pathname.endsWith("/token")) {
        const form = new URLSearchParams(await request.text());
        const hash = new Bun.CryptoHasher("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
        const isRight =
          form.get("code") === `planted-code.${hash}` &&
          request.headers.get("authorization") === `Basic ${btoa("client:planted-client-secret")}`;
        return isRight
          ? Response.json({ access_token: "planted-access-token", token_type: "bearer" })
          : Response.json({ error: "invalid_grant" }, { status: 400 });
      }
      if (request.headers.get("authorization") !== "Bearer planted-access-token")
        return new Response(null, { status: 401 });
      if (pathname === "/github/user") return Response.json(person.github.user);
      if (pathname === "/github/emails") return Response.json(person.github.emails);
      return Response.json(person.google);
    },
  });
  return {
    port: server.port ?? 0,
    stop: () => server.stop(true),
  };
}

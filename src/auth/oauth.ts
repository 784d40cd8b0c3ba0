// Signing in to the dashboard at GitHub, Google or an OIDC provider: where to send people, and who came back. The one user of arctic.

import { ArcticFetchError, CodeChallengeMethod, generateCodeVerifier, OAuth2Client, OAuth2RequestError } from "arctic";
import type { OidcClient } from "./oidc-types.ts";
import { parseEmail } from "./oidc-claims.ts";
import type { OutboundFetch } from "./outbound.ts";

export type SignInName = "github" | "google" | "oidc";

/** Who a provider says somebody is. */
export interface SignInIdentity {
  /** The provider's own id of the person; never changes and is never given to somebody else. */
  subject: string;
  /** Lower case, and only when the provider has verified it. */
  email: string | null;
}

/** The sign-in must not succeed; `reason` is a short word for the audit log. */
export class SignInRefused extends Error {
  constructor(
    readonly reason: string,
    options?: ErrorOptions,
  ) {
    super(`sign-in refused: ${reason}`, options);
    this.name = "SignInRefused";
  }
}

export interface SignInProvider {
  name: SignInName;
  /** The label of its button. */
  label: string;
  /** Where to send the browser, and what must be remembered (secret) until it comes back. */
  begin(redirectUri: string, state: string): Promise<{ url: string; verifier: string; nonce: string | null }>;
  /** Redeems what came back. Throws SignInRefused or OidcRefused. */
  finish(answer: {
    redirectUri: string;
    params: URLSearchParams;
    state: string;
    verifier: string;
    nonce: string | null;
  }): Promise<SignInIdentity>;
}

interface Client {
  clientId: string;
  clientSecret: string;
}

/** Addresses of a provider; those of GitHub and Google unless a test or a GitHub Enterprise needs others. */
export interface Endpoints {
  authorize: string;
  token: string;
  user: string;
  /** GitHub only: the list of addresses. */
  emails?: string;
}

const github: Required<Endpoints> = {
  authorize: "https://github.com/login/oauth/authorize",
  token: "https://github.com/login/oauth/access_token",
  user: "https://api.github.com/user",
  emails: "https://api.github.com/user/emails",
};
const google: Endpoints = {
  authorize: "https://accounts.google.com/o/oauth2/v2/auth",
  token: "https://oauth2.googleapis.com/token",
  user: "https://openidconnect.googleapis.com/v1/userinfo",
};

/** `fetch` asks for the person once there is a token. */
export function createGitHubSignIn(
  client: Client,
  fetch: OutboundFetch,
  endpoints: Required<Endpoints> = github,
): SignInProvider {
  return createOAuth(
    { name: "github", label: "GitHub", client, endpoints, scopes: ["read:user", "user:email"] },
    async (token) => {
      const user = await getJson(fetch, endpoints.user, token);
      const id = isRecord(user) ? user["id"] : null;
      if (typeof id !== "number" || !Number.isSafeInteger(id)) throw new SignInRefused("no_subject");
      const emails = await getJson(fetch, endpoints.emails, token);
      const primary = Array.isArray(emails)
        ? emails.find((one: unknown) => isRecord(one) && one["primary"] === true && one["verified"] === true)
        : undefined;
      return { subject: String(id), email: parseEmail(isRecord(primary) ? primary["email"] : null)?.email ?? null };
    },
  );
}

export function createGoogleSignIn(
  client: Client,
  fetch: OutboundFetch,
  endpoints: Endpoints = google,
): SignInProvider {
  return createOAuth(
    { name: "google", label: "Google", client, endpoints, scopes: ["openid", "email"] },
    async (token) => {
      const user = await getJson(fetch, endpoints.user, token);
      if (!isRecord(user) || typeof user["sub"] !== "string" || user["sub"] === "")
        throw new SignInRefused("no_subject");
      const email = user["email_verified"] === true ? (parseEmail(user["email"])?.email ?? null) : null;
      return { subject: user["sub"], email };
    },
  );
}

/** Any OpenID provider, with all the checks of a visitor's login. */
export function createOidcSignIn(
  settings: { label: string; issuerUrl: string; clientId: string; clientSecret: string | null },
  oidc: OidcClient,
): SignInProvider {
  const { issuerUrl, clientId, clientSecret, label } = settings;
  const provider = {
    issuerUrl,
    clientId,
    clientSecret,
    scopes: ["openid", "email"],
    allowedDomains: [],
    requiredClaims: {},
  };
  return {
    name: "oidc",
    label,
    begin: (redirectUri, state) => oidc.begin(provider, redirectUri, state),
    async finish({ redirectUri, params, state, verifier, nonce }) {
      if (nonce === null) throw new SignInRefused("no_nonce");
      const { subject, email } = await oidc.finish(provider, { redirectUri, params, state, nonce, verifier });
      return { subject, email };
    },
  };
}

function createOAuth(
  settings: { name: SignInName; label: string; client: Client; endpoints: Endpoints; scopes: string[] },
  identify: (accessToken: string) => Promise<SignInIdentity>,
): SignInProvider {
  const { name, label, client, endpoints, scopes } = settings;
  const arctic = (redirectUri: string) => new OAuth2Client(client.clientId, client.clientSecret, redirectUri);
  return {
    name,
    label,
    async begin(redirectUri, state) {
      const verifier = generateCodeVerifier();
      const { S256 } = CodeChallengeMethod;
      const url = arctic(redirectUri).createAuthorizationURLWithPKCE(
        endpoints.authorize,
        state,
        S256,
        verifier,
        scopes,
      );
      return { url: url.href, verifier, nonce: null };
    },
    async finish({ redirectUri, params, verifier }) {
      const [code, ...others] = params.getAll("code");
      if (code === undefined || code === "" || others.length > 0) throw new SignInRefused("provider_error");
      let accessToken: string;
      try {
        const tokens = await arctic(redirectUri).validateAuthorizationCode(endpoints.token, code, verifier);
        accessToken = tokens.accessToken();
      } catch (cause) {
        if (cause instanceof OAuth2RequestError) throw new SignInRefused("token_refused", { cause });
        throw new SignInRefused(cause instanceof ArcticFetchError ? "unreachable" : "token_refused", { cause });
      }
      return await identify(accessToken);
    },
  };
}

async function getJson(fetch: OutboundFetch, url: string, accessToken: string): Promise<unknown> {
  try {
    const headers = { authorization: `Bearer ${accessToken}`, accept: "application/json", "user-agent": "digit-link" };
    const response = await fetch(url, { headers });
    if (!response.ok) throw new SignInRefused("identity_refused");
    const body: unknown = await response.json();
    return body;
  } catch (cause) {
    if (cause instanceof SignInRefused) throw cause;
    throw new SignInRefused("unreachable", { cause });
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

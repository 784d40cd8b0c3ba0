// Logging in at an OpenID provider: discovery, code flow with PKCE, and the checks on what comes back. The one user of openid-client.

import * as client from "openid-client";
import { judgeClaims } from "./oidc-claims.ts";
import { OidcRefused, type OidcClient, type OidcProvider } from "./oidc-types.ts";
import { OutboundRefused, type OutboundFetch } from "./outbound.ts";

const cacheCapacity = 256;
const discoveryTtlMs = 3_600_000;
const clockToleranceSeconds = 30;

/** `allowHttp`: plain-http providers (on loopback, which `fetch` enforces) are accepted; for development only. */
export function createOidcClient(options: { fetch: OutboundFetch; allowHttp: boolean }): OidcClient {
  const cache = new Map<string, { configuration: Promise<client.Configuration>; readAtMs: number }>();

  function configurationOf(provider: OidcProvider): Promise<client.Configuration> {
    const { issuerUrl, clientId, clientSecret, scopes, allowedDomains, requiredClaims } = provider;
    // The whole configuration: a new secret, scope or claim never meets state of the one before.
    const key = JSON.stringify([
      issuerUrl,
      clientId,
      clientSecret,
      scopes,
      allowedDomains,
      Object.entries(requiredClaims),
    ]);
    const known = cache.get(key);
    // Not by a clock that may be set: a key that a provider has withdrawn would be believed until it is right again.
    const nowMs = performance.now();
    if (known !== undefined && nowMs - known.readAtMs < discoveryTtlMs) return known.configuration;
    const configuration = discover(provider, options);
    cache.delete(key);
    cache.set(key, { configuration, readAtMs: nowMs });
    if (cache.size > cacheCapacity) cache.delete(cache.keys().next().value ?? "");
    configuration.catch(() => cache.delete(key));
    return configuration;
  }

  return {
    async begin(provider, redirectUri, state, again = false) {
      return await refusing(async () => {
        const configuration = await configurationOf(provider);
        const nonce = client.randomNonce();
        const verifier = client.randomPKCECodeVerifier();
        const url = client.buildAuthorizationUrl(configuration, {
          redirect_uri: redirectUri,
          scope: provider.scopes.join(" "),
          response_type: "code",
          state,
          nonce,
          code_challenge: await client.calculatePKCECodeChallenge(verifier),
          code_challenge_method: "S256",
          ...(again ? { prompt: "login" } : {}),
        });
        return { url: url.href, nonce, verifier };
      });
    },
    async finish(provider, { redirectUri, params, state, nonce, verifier }) {
      return await refusing(async () => {
        const configuration = await configurationOf(provider);
        const { issuer } = configuration.serverMetadata();
        // RFC 9207 lets a client skip this when the provider doesn't advertise it; a wrong one is refused anyway.
        const answeredBy = params.getAll("iss");
        if (answeredBy.some((iss) => iss !== issuer))
          throw new OidcRefused("issuer_mixup", "Another provider answered.");
        const current = new URL(redirectUri);
        current.search = params.toString();
        const tokens = await client.authorizationCodeGrant(configuration, current, {
          expectedState: state,
          expectedNonce: nonce,
          pkceCodeVerifier: verifier,
        });
        const claims = tokens.claims();
        if (claims === undefined) throw new OidcRefused("no_id_token", "The provider sent no ID token.");
        // OpenID Connect Core 3.1.3.7; the library looks at `azp` only where the token is for several.
        if (claims.azp !== undefined && claims.azp !== provider.clientId)
          throw new OidcRefused("audience", "The ID token is for somebody else.");
        const merged = await withUserInfo(configuration, tokens, claims, provider);
        const verdict = judgeClaims(merged, provider);
        if (!verdict.ok) {
          const { reason, claim } = verdict;
          const anybody = judgeClaims(merged, { allowedDomains: [], requiredClaims: {} });
          const identity = anybody.ok ? (anybody.identity.email ?? anybody.identity.subject) : undefined;
          const who = { ...(identity === undefined ? {} : { identity }), ...(claim === undefined ? {} : { claim }) };
          throw new OidcRefused(reason, "The provider's account is not allowed here.", { who });
        }
        const idToken = tokens.id_token ?? null;
        return { ...verdict.identity, idToken: idToken !== null && idToken.length <= 8_192 ? idToken : null };
      });
    },
    async endSessionUrl(provider, idToken) {
      return await refusing(async () => {
        const configuration = await configurationOf(provider);
        if (configuration.serverMetadata().end_session_endpoint === undefined) return null;
        const url = client.buildEndSessionUrl(configuration, idToken === null ? {} : { id_token_hint: idToken });
        return isWebUrl(url, options.allowHttp) ? url.href : null;
      });
    },
    async test(issuerUrl) {
      return await refusing(async () => {
        const provider = {
          issuerUrl,
          clientId: "test",
          clientSecret: null,
          scopes: [],
          allowedDomains: [],
          requiredClaims: {},
        };
        const server = (await discover(provider, options)).serverMetadata();
        const response = await options.fetch(server.jwks_uri ?? "");
        const body: unknown = await response.json();
        const keys =
          typeof body === "object" && body !== null && "keys" in body && Array.isArray(body.keys)
            ? body.keys.length
            : 0;
        if (keys === 0) throw new OidcRefused("discovery", "The provider publishes no signing keys.");
        return {
          issuer: server.issuer,
          authorizationEndpoint: server.authorization_endpoint ?? "",
          tokenEndpoint: server.token_endpoint ?? "",
          pkce: server.supportsPKCE(),
          logout: server.end_session_endpoint !== undefined,
          keys,
        };
      });
    },
  };
}

async function discover(
  provider: OidcProvider,
  options: { fetch: OutboundFetch; allowHttp: boolean },
): Promise<client.Configuration> {
  // The signature is verified although the token came over TLS; only asymmetric algorithms that the library lists pass.
  const extensions = [client.enableNonRepudiationChecks];
  if (options.allowHttp) extensions.push(client.allowInsecureRequests);
  const configuration = await client.discovery(
    new URL(provider.issuerUrl),
    provider.clientId,
    { [client.clockTolerance]: clockToleranceSeconds },
    authenticateWith(provider.clientSecret),
    {
      execute: extensions,
      timeout: 10,
      [client.customFetch]: async (url, request) => await options.fetch(url, toOutbound(request)),
    },
  );
  const server = configuration.serverMetadata();
  for (const endpoint of [server.authorization_endpoint, server.token_endpoint, server.jwks_uri]) {
    const url = endpoint === undefined ? null : URL.parse(endpoint);
    if (url === null || !isWebUrl(url, options.allowHttp)) {
      throw new OidcRefused("discovery", "The provider's description has no usable endpoints.");
    }
  }
  return configuration;
}

/** Basic unless the provider says that it takes the secret only in the body. */
function authenticateWith(secret: string | null): client.ClientAuth {
  if (secret === null) return client.None();
  const basic = client.ClientSecretBasic(secret);
  const post = client.ClientSecretPost(secret);
  return (server, metadata, body, headers) => {
    const methods = server.token_endpoint_auth_methods_supported;
    const takesBasic = methods === undefined || methods.includes("client_secret_basic");
    return (takesBasic ? basic : post)(server, metadata, body, headers);
  };
}

function toOutbound(request: client.CustomFetchOptions): Parameters<OutboundFetch>[1] {
  const body = request.body;
  return {
    method: request.method,
    headers: request.headers,
    body: typeof body === "string" ? body : body instanceof URLSearchParams ? body.toString() : null,
  };
}

/** The ID token's claims, with those of userinfo beside them where the policy needs what the token lacks. */
async function withUserInfo(
  configuration: client.Configuration,
  tokens: client.TokenEndpointResponse,
  claims: client.IDToken,
  provider: OidcProvider,
): Promise<Record<string, unknown>> {
  const needed = [...Object.keys(provider.requiredClaims), "email"];
  const hasAll = needed.every((name) => Object.hasOwn(claims, name));
  if (hasAll || configuration.serverMetadata().userinfo_endpoint === undefined) return claims;
  const info = await client.fetchUserInfo(configuration, tokens.access_token, claims.sub);
  // The signed token wins, except that an e-mail and its verification must come from the same place.
  const { email_verified } = Object.hasOwn(claims, "email") ? claims : info;
  return { ...info, ...claims, email_verified };
}

function isWebUrl(url: URL, allowHttp: boolean): boolean {
  return url.protocol === "https:" || (allowHttp && url.protocol === "http:");
}

/** Turns whatever went wrong on the way into one refusal with a short reason; bugs of ours included: nobody gets in by one. */
async function refusing<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof OidcRefused) throw error;
    const outbound = findOutbound(error);
    if (outbound !== null) throw new OidcRefused("outbound", outbound.message, { cause: error });
    throw new OidcRefused(reasonOf(error), "The provider could not be reached, or its answer was not valid.", {
      cause: error,
    });
  }
}

function findOutbound(error: unknown): OutboundRefused | null {
  for (let one = error, depth = 0; one instanceof Error && depth < 5; one = one.cause, depth++) {
    if (one instanceof OutboundRefused) return one;
  }
  return null;
}

/** A word for the audit log: openid-client's code, and the claim where one was wrong. */
function reasonOf(error: unknown): string {
  if (error instanceof client.AuthorizationResponseError) return "provider_error";
  if (error instanceof client.ResponseBodyError) return "token_refused";
  const code = error instanceof Error && "code" in error && typeof error.code === "string" ? error.code : "failed";
  for (let one: unknown = error, depth = 0; typeof one === "object" && one !== null && depth < 5; depth++) {
    if ("claim" in one && typeof one.claim === "string") return `id_token_${one.claim}`;
    one = "cause" in one ? one.cause : null;
  }
  return code.replace(/^OAUTH_/, "").toLowerCase();
}

// Everything about policies and identity providers, put together from the configuration for server.ts.

import { createGitHubSignIn, createGoogleSignIn, createOidcSignIn, type SignInProvider } from "../auth/oauth.ts";
import { createOidcClient } from "../auth/oidc.ts";
import type { OidcClient } from "../auth/oidc-types.ts";
import { createOutboundFetch, type OutboundFetch } from "../auth/outbound.ts";
import type { Config } from "../config/config.ts";
import type { Feature } from "./app.ts";
import type { ApiDeps } from "./deps.ts";
import { createOauthRoutes } from "./oauth/routes.ts";
import { createPoliciesInForce, type PoliciesInForce } from "./policies/in-force.ts";
import { createPolicies, type Policies } from "./policies/service.ts";
import { createVisitorAuth, type VisitorAuth } from "./visitor/answers.ts";
import { originOf, redirectUri, type VisitorBlock } from "./visitor/deps.ts";
import { createVisitorRoutes } from "./visitor/routes.ts";

export interface Identity {
  /** Compiles the policies of names for the shards. */
  inForce: PoliciesInForce;
  /** Reads and changes stored policies, for the routes of organizations and applications. */
  policies: Policies;
  /** Answers the shards' questions. */
  visitors: VisitorAuth;
  /** Visitors' logins and sign-in at providers: hand them to createApi. */
  features: Feature[];
}

/** `onBlock` tells the shard of a name that the limiter blocks an address there. Holds nothing that must be closed. */
export function createIdentity(
  config: Config,
  deps: Pick<ApiDeps, "db" | "passwords" | "sealer" | "limiter" | "audit" | "log" | "nowMs">,
  onBlock: (block: VisitorBlock) => void,
): Identity {
  const { db, sealer, log } = deps;
  const isDevelopment = config.scheme === "http";
  const usualLimiter = {
    maxAttempts: config.limiterMaxFailures,
    windowMs: config.limiterWindowMs,
    blockMs: config.limiterBlockMs,
  };
  const fetch = createOutboundFetch({ allowPrivate: config.oidcAllowPrivate, allowLoopback: isDevelopment });
  const oidc = createOidcClient({ fetch, allowHttp: isDevelopment });
  const inForce = createPoliciesInForce({ kysely: db.kysely, sealer, log, usualLimiter });
  const policies = createPolicies({
    ...deps,
    oidc,
    allowHttp: isDevelopment,
    redirectUri: redirectUri(config),
    usualLimiter,
  });
  const visitor = { ...deps, settings: config, policies: inForce, oidc, onBlock };
  const providers = signInProviders(config, fetch, oidc);
  const origin = originOf(config, config.dashboardDomain);
  return {
    inForce,
    policies,
    visitors: createVisitorAuth(visitor),
    features: [() => createVisitorRoutes(visitor), createOauthRoutes({ providers, origin })],
  };
}

/** The providers that are set (an OIDC client may be a public one, without a secret). */
function signInProviders(config: Config, fetch: OutboundFetch, oidc: OidcClient): SignInProvider[] {
  const { githubClientId, githubClientSecret, googleClientId, googleClientSecret } = config;
  const providers: SignInProvider[] = [];
  if (githubClientId !== null && githubClientSecret !== null) {
    providers.push(createGitHubSignIn({ clientId: githubClientId, clientSecret: githubClientSecret }, fetch));
  }
  if (googleClientId !== null && googleClientSecret !== null) {
    providers.push(createGoogleSignIn({ clientId: googleClientId, clientSecret: googleClientSecret }, fetch));
  }
  const { oidcLoginIssuer: issuerUrl, oidcLoginClientId: clientId } = config;
  if (issuerUrl !== null && clientId !== null) {
    const { oidcLoginName: label, oidcLoginClientSecret: clientSecret } = config;
    providers.push(createOidcSignIn({ label, issuerUrl, clientId, clientSecret }, oidc));
  }
  return providers;
}

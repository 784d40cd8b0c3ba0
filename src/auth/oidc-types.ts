// What logging in at an OpenID provider takes and gives, apart from the library that does it.

import type { Identity } from "./oidc-claims.ts";

/** Everything about one provider; two that differ in anything share nothing. */
export interface OidcProvider {
  issuerUrl: string;
  clientId: string;
  /** null = a public client. */
  clientSecret: string | null;
  scopes: readonly string[];
  allowedDomains: readonly string[];
  requiredClaims: Readonly<Record<string, string | number | boolean>>;
}

/** What one login must remember between its two halves. `verifier` and `nonce` are secret. */
export interface OidcChallenge {
  url: string;
  nonce: string;
  verifier: string;
}

/** What is known of a refused login besides why: who came, and the claim that the policy asks for in vain. */
export interface RefusedIdentity {
  /** The e-mail address that the provider verified, or its subject. */
  identity?: string;
  claim?: string;
}

/** A login that must not succeed. `reason` is a short word for the audit log, `message` safe to show. */
export class OidcRefused extends Error {
  readonly who: RefusedIdentity;

  constructor(
    readonly reason: string,
    message: string,
    { who = {}, ...options }: ErrorOptions & { who?: RefusedIdentity } = {},
  ) {
    super(message, options);
    this.name = "OidcRefused";
    this.who = who;
  }
}

export interface OidcClient {
  /**
   * Where to send the browser. `state` is the caller's, at least 256 random bits; with `again` the provider asks who it is
   * even when it knows. Throws OidcRefused.
   */
  begin(provider: OidcProvider, redirectUri: string, state: string, again?: boolean): Promise<OidcChallenge>;
  /** Redeems what the provider sent back to `redirectUri`. Throws OidcRefused unless everything checks out. */
  finish(
    provider: OidcProvider,
    answer: { redirectUri: string; params: URLSearchParams; state: string; nonce: string; verifier: string },
  ): Promise<Identity & { idToken: string | null }>;
  /** Where to end the session at the provider; null when it has no such place. Throws OidcRefused. */
  endSessionUrl(provider: OidcProvider, idToken: string | null): Promise<string | null>;
  /** Whether an issuer answers as one, for the "test this provider" button. Throws OidcRefused with a sentence that says why. */
  test(issuerUrl: string): Promise<OidcTestResult>;
}

export interface OidcTestResult {
  issuer: string;
  authorizationEndpoint: string;
  tokenEndpoint: string;
  pkce: boolean;
  logout: boolean;
  keys: number;
}

// The signed half of a dashboard session: a JWT that names a session row. @elysiajs/jwt is imported here and nowhere else.

import { jwt } from "@elysiajs/jwt";
import { Elysia } from "elysia";

/** Everything a token may do is decided by the audience it was signed for. */
export type TokenAudience = "digit-link:dashboard";

export interface SessionClaims {
  accountId: string;
  /** The session's secret id; only its hash is stored. */
  sessionId: string;
}

export interface SessionTokens {
  sign(claims: SessionClaims, expiresAtMs: number): Promise<string>;
  /** The claims of a token that we signed, for us, and that has not expired; otherwise null. */
  verify(token: string): Promise<SessionClaims | null>;
}

const maxTokenLength = 2_048;

/** HS256 only; issuer and audience are checked; `nowMs` decides about expiry. */
export function createSessionTokens(options: {
  secret: string;
  issuer: string;
  audience?: TokenAudience;
  nowMs: () => number;
}): SessionTokens {
  if (Buffer.byteLength(options.secret) < 32) throw new Error("JWT_SECRET is shorter than 32 bytes.");
  const audience = options.audience ?? "digit-link:dashboard";
  const plugin = new Elysia().use(jwt({ secret: options.secret, alg: "HS256", typ: "JWT" })).decorator.jwt;

  return {
    sign: (claims, expiresAtMs) =>
      plugin.sign({
        sub: claims.accountId,
        jti: claims.sessionId,
        iss: options.issuer,
        aud: audience,
        exp: Math.floor(expiresAtMs / 1000),
        iat: false,
      }),
    async verify(token) {
      if (token.length > maxTokenLength) return null;
      const payload = await plugin.verify(token, {
        algorithms: ["HS256"],
        typ: "JWT",
        issuer: options.issuer,
        audience,
        requiredClaims: ["exp", "sub", "jti"],
        currentDate: new Date(options.nowMs()),
      });
      if (payload === false) return null;
      const { sub, jti } = payload;
      return typeof sub === "string" && typeof jti === "string" ? { accountId: sub, sessionId: jti } : null;
    },
  };
}

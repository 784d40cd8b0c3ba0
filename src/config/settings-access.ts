// Settings of logins, limiters and identity providers.

import * as kind from "./kinds.ts";
import { count, day, minute, optional, setting, time } from "./setting.ts";

/** Logins, limiters, identity providers. */
export const access = {
  adminApiTokens: setting(
    "ADMIN_API_TOKENS",
    kind.onOff,
    true,
    "Admins' API tokens open the admin API (X-Admin-Token).",
  ),
  sessionTtlMs: setting("SESSION_TTL", time, day, "Life of a dashboard session."),
  pendingLoginTtlMs: setting(
    "PENDING_LOGIN_TTL_MS",
    time,
    5 * minute,
    "Life of a login that waits for its second factor.",
  ),
  bcryptCost: setting(
    "BCRYPT_COST",
    kind.integer({ min: 4, max: 15 }),
    12,
    "Cost of password hashes; below 12 is for tests only.",
  ),
  passwordQueue: setting("PASSWORD_QUEUE", count, 32, "Password checks that may wait; more are refused."),
  limiterMaxFailures: setting(
    "LIMITER_MAX_FAILURES",
    kind.integer({ min: 1, max: 10_000 }),
    10,
    "Failed attempts before an address is blocked.",
  ),
  limiterWindowMs: setting("LIMITER_WINDOW_MS", time, 15 * minute, "Window in which failures count."),
  limiterBlockMs: setting("LIMITER_BLOCK_MS", time, 30 * minute, "How long a block lasts."),
  totpMaxFailures: setting(
    "TOTP_MAX_FAILURES",
    kind.integer({ min: 1, max: 100 }),
    5,
    "Wrong one-time codes of an account, from all strangers together and at each place of its owner, per LIMITER_WINDOW_MS; four times as many a day.",
  ),
  oidcAllowPrivate: setting(
    "OIDC_ALLOW_PRIVATE",
    kind.ranges,
    [],
    "Private ranges in which identity providers may be.",
  ),
  oidcStateTtlMs: setting(
    "OIDC_STATE_TTL_MS",
    time,
    10 * minute,
    "Longest time a visitor may spend at the identity provider.",
  ),
  oidcCodeTtlMs: setting(
    "OIDC_CODE_TTL_MS",
    time,
    minute,
    "Life of the code that carries a visitor back to the tunnel.",
  ),
  githubClientId: optional("GITHUB_CLIENT_ID", kind.text("text"), "Sign-in with GitHub: client id."),
  githubClientSecret: optional("GITHUB_CLIENT_SECRET", kind.secret(1), "Sign-in with GitHub: client secret."),
  googleClientId: optional("GOOGLE_CLIENT_ID", kind.text("text"), "Sign-in with Google: client id."),
  googleClientSecret: optional("GOOGLE_CLIENT_SECRET", kind.secret(1), "Sign-in with Google: client secret."),
  oidcLoginName: setting(
    "OIDC_LOGIN_NAME",
    kind.text("text"),
    "Single sign-on",
    "Sign-in with any OIDC provider: label of the button.",
  ),
  oidcLoginIssuer: optional(
    "OIDC_LOGIN_ISSUER",
    kind.text("an issuer URL", /^https?:\/\/\S{1,2000}$/),
    "Sign-in with any OIDC provider: issuer.",
  ),
  oidcLoginClientId: optional("OIDC_LOGIN_CLIENT_ID", kind.text("text"), "Sign-in with any OIDC provider: client id."),
  oidcLoginClientSecret: optional(
    "OIDC_LOGIN_CLIENT_SECRET",
    kind.secret(1),
    "Sign-in with any OIDC provider: client secret.",
  ),
};

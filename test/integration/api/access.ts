// The table of who may call what: one row per operation of the OpenAPI document.

/**
 * - `public`: anybody.
 * - `session`: any active account with a live session (`Enrolling`: also one that owes a second factor).
 * - `admin`, `adminEnrolling`: system admins (`Enrolling`: also those who have yet to enrol).
 * - `nonAdmin`, `nonAdminEnrolling`: everybody else, with or without an organization.
 * - `member`: members of an organization. `orgAdmin`: its admins only.
 */
export type Level =
  | "public"
  | "session"
  | "sessionEnrolling"
  | "admin"
  | "adminEnrolling"
  | "nonAdmin"
  | "nonAdminEnrolling"
  | "member"
  | "orgAdmin";

/**
 * `METHOD /path` as the document spells it. A row with `foreign` has an id in its path: the test calls it with another
 * organization's real id of that kind (`test/integration/api/isolation.test.ts` makes one of each), and expects 404.
 */
export const access: Record<string, Level | { level: Level; foreign: "account" }> = {
  "GET /health": "public",
  "GET /ready": "public",
  "GET /live": "public",
  "GET /setup/status": "public",
  "POST /setup/init": "public",
  "POST /setup/totp": "public",
  "POST /setup/complete": "public",
  "POST /auth/check-account": "public",
  "POST /auth/login": "public",
  "POST /auth/totp/verify": "public",
  "GET /auth/totp/setup": "public",
  "POST /auth/totp/setup": "public",

  "GET /auth/me": "sessionEnrolling",
  "POST /auth/logout": "sessionEnrolling",
  "POST /auth/logout-all": "sessionEnrolling",
  "GET /auth/sessions": "session",
  "DELETE /auth/sessions/{id}": "session",
  "POST /auth/recovery-codes": "session",

  "GET /admin/me": "admin",
  "PUT /admin/me/password": "admin",
  "POST /admin/me/totp/start": "adminEnrolling",
  "POST /admin/me/totp/setup": "adminEnrolling",
  "DELETE /admin/me/totp": "admin",
  "GET /org/me": "member",
  "PUT /org/me/password": "nonAdmin",
  "POST /org/me/totp/start": "nonAdminEnrolling",
  "POST /org/me/totp/setup": "nonAdminEnrolling",
  "DELETE /org/me/totp": "nonAdmin",
  "POST /org/me/token": "nonAdmin",

  "GET /admin/accounts": "admin",
  "POST /admin/accounts": "admin",
  "GET /admin/accounts/{id}": "admin",
  "DELETE /admin/accounts/{id}": "admin",
  "DELETE /admin/accounts/{id}/hard": "admin",
  "POST /admin/accounts/{id}/activate": "admin",
  "POST /admin/accounts/{id}/regenerate": "admin",
  "PUT /admin/accounts/{id}/username": "admin",
  "PUT /admin/accounts/{id}/email": "admin",
  "PUT /admin/accounts/{id}/password": "admin",
  "PUT /admin/accounts/{id}/organization": "admin",
  "PUT /admin/accounts/{id}/org-admin": "admin",
  "DELETE /admin/accounts/{id}/totp": "admin",
  "GET /admin/accounts/{id}/whitelist": "admin",
  "POST /admin/accounts/{id}/whitelist": "admin",
  "DELETE /admin/accounts/{id}/whitelist/{entryId}": "admin",
  "GET /org/accounts": "orgAdmin",
  "POST /org/accounts": "orgAdmin",
  "GET /org/accounts/{id}": { level: "orgAdmin", foreign: "account" },
  "DELETE /org/accounts/{id}": { level: "orgAdmin", foreign: "account" },
  "DELETE /org/accounts/{id}/hard": { level: "orgAdmin", foreign: "account" },
  "POST /org/accounts/{id}/activate": { level: "orgAdmin", foreign: "account" },
  "POST /org/accounts/{id}/regenerate": { level: "orgAdmin", foreign: "account" },
  "PUT /org/accounts/{id}/username": { level: "orgAdmin", foreign: "account" },
  "PUT /org/accounts/{id}/password": { level: "orgAdmin", foreign: "account" },
  "PUT /org/accounts/{id}/org-admin": { level: "orgAdmin", foreign: "account" },
  "DELETE /org/accounts/{id}/totp": { level: "orgAdmin", foreign: "account" },
  "GET /org/accounts/{id}/whitelist": { level: "orgAdmin", foreign: "account" },
  "POST /org/accounts/{id}/whitelist": { level: "orgAdmin", foreign: "account" },
  "DELETE /org/accounts/{id}/whitelist/{entryId}": { level: "orgAdmin", foreign: "account" },
};

/** Bodies that pass validation, for the operations that need one to get as far as looking at their ids. */
export const bodies: Record<string, object> = {
  "PUT /org/accounts/{id}/username": { username: "stolen" },
  "PUT /org/accounts/{id}/password": { password: "another-quiet-river" },
  "PUT /org/accounts/{id}/org-admin": { isOrgAdmin: true },
  "POST /org/accounts/{id}/whitelist": { ipRange: "192.0.2.1" },
};

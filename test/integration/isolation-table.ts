// Who gets what from every operation of /admin and /org: the whole expectation of isolation.test.ts, one row each.

/**
 * Columns of a row. `user`, `orgAdmin`: of the organization whose things are named. `other`: an admin of another
 * organization who names the same things. `system`: a system admin. `owingMember` (an admin of an organization that requires a second
 * factor) and `owingAdmin` (a system admin) are logged in and have not enrolled one. The rest has no valid login.
 */
export const columns = [
  "user",
  "orgAdmin",
  "other",
  "system",
  "nobody",
  "deactivated",
  "expired",
  "revoked",
  "halfDone",
  "owingMember",
  "owingAdmin",
] as const;
export type Column = (typeof columns)[number];

/** A status of success, or what the operation refuses with. */
type Cell =
  number | "unauthorized" | "forbidden" | "not_found" | "conflict" | "bad_credentials" | "validation" | "totp_required";
type Row = readonly Cell[] & { length: 11 };

const no = "unauthorized";
const out = "forbidden";
const hidden = "not_found";
const owes = "totp_required";

const admin = (system: Cell): Row => [out, out, out, system, no, no, no, no, no, out, owes];
/** Of the caller's own organization, whoever that is: the answers differ, their status does not. */
const own = (user: Cell, orgAdmin: Cell = user): Row => [user, orgAdmin, orgAdmin, out, no, no, no, no, no, owes, out];
/** The two steps of enrolling are for those who owe it as well. */
const adminEnrolling = (system: Cell): Row => [...admin(system).slice(0, -1), system] as unknown as Row;
const enrolling = (user: Cell): Row => [...own(user).slice(0, -2), user, out] as unknown as Row;
/** About something named by id. */
const member = (status: Cell): Row => [status, status, hidden, out, no, no, no, no, no, owes, out];
const orgAdmin = (status: Cell): Row => [out, status, hidden, out, no, no, no, no, no, owes, out];

/** By `METHOD /path`, as the OpenAPI document spells it. */
export const isolation: Record<string, Row> = {
  "GET /admin/me": admin(200),
  "PUT /admin/me/password": admin("bad_credentials"),
  "POST /admin/me/totp/start": adminEnrolling("bad_credentials"),
  "POST /admin/me/totp/setup": adminEnrolling(hidden),
  "DELETE /admin/me/totp": admin("bad_credentials"),

  "GET /admin/accounts": admin(200),
  "POST /admin/accounts": admin(201),
  "GET /admin/accounts/{id}": admin(200),
  "DELETE /admin/accounts/{id}": admin(200),
  "DELETE /admin/accounts/{id}/hard": admin(200),
  "POST /admin/accounts/{id}/activate": admin(200),
  "POST /admin/accounts/{id}/regenerate": admin(200),
  "PUT /admin/accounts/{id}/username": admin(200),
  "PUT /admin/accounts/{id}/email": admin(200),
  "PUT /admin/accounts/{id}/password": admin(200),
  "PUT /admin/accounts/{id}/organization": admin(200),
  "PUT /admin/accounts/{id}/org-admin": admin(200),
  "DELETE /admin/accounts/{id}/totp": admin(200),
  "GET /admin/accounts/{id}/whitelist": admin(200),
  "POST /admin/accounts/{id}/whitelist": admin(201),
  "DELETE /admin/accounts/{id}/whitelist/{entryId}": admin(200),

  "GET /admin/organizations": admin(200),
  "POST /admin/organizations": admin(201),
  "GET /admin/organizations/{id}": admin(200),
  "PUT /admin/organizations/{id}": admin(200),
  "DELETE /admin/organizations/{id}": admin("conflict"),
  "GET /admin/organizations/{id}/policy": admin(200),
  "PUT /admin/organizations/{id}/policy": admin(200),
  "DELETE /admin/organizations/{id}/policy": admin(200),
  "GET /admin/organizations/{id}/rate-limit": admin(200),
  "PUT /admin/organizations/{id}/rate-limit": admin(200),
  "DELETE /admin/organizations/{id}/rate-limit": admin(200),
  "GET /admin/organizations/{id}/limits": admin(200),
  "GET /admin/organizations/{id}/whitelist": admin(200),
  "POST /admin/organizations/{id}/whitelist": admin(201),
  "DELETE /admin/organizations/{id}/whitelist/{entryId}": admin(200),

  "GET /admin/applications": admin(200),
  "POST /admin/applications": admin(201),
  "GET /admin/applications/{id}": admin(200),
  "PUT /admin/applications/{id}": admin(200),
  "DELETE /admin/applications/{id}": admin(200),
  "GET /admin/applications/{id}/policy": admin(200),
  "PUT /admin/applications/{id}/policy": admin(200),
  "DELETE /admin/applications/{id}/policy": admin(200),
  "GET /admin/applications/{id}/policy/effective": admin(200),
  "GET /admin/applications/{id}/rate-limit": admin(200),
  "PUT /admin/applications/{id}/rate-limit": admin(200),
  "DELETE /admin/applications/{id}/rate-limit": admin(200),
  "GET /admin/applications/{id}/stats": admin(200),
  "GET /admin/applications/{id}/tunnels": admin(200),
  "GET /admin/applications/{id}/whitelist": admin(200),
  "POST /admin/applications/{id}/whitelist": admin(201),
  "DELETE /admin/applications/{id}/whitelist/{entryId}": admin(200),

  "GET /admin/api-keys": admin(200),
  "POST /admin/api-keys": admin(201),
  "DELETE /admin/api-keys/{id}": admin(200),
  "GET /admin/whitelist": admin(200),
  "POST /admin/whitelist": admin(201),
  "DELETE /admin/whitelist/{id}": admin(200),
  "GET /admin/org-whitelists": admin(200),
  "GET /admin/app-whitelists": admin(200),
  "GET /admin/account-whitelists": admin(200),
  "GET /admin/tunnels": admin(200),
  "DELETE /admin/tunnels/{id}": admin(200),
  "POST /admin/tunnels/{id}/check": admin(200),
  "POST /admin/tunnels/{id}/clear": admin("conflict"),
  "GET /admin/stats": admin(200),
  "GET /admin/overview": admin(200),
  "GET /admin/traffic": admin(200),
  "GET /admin/requests": admin(200),
  "GET /admin/requests/{id}": admin(200),
  "GET /admin/events": admin(200),
  "GET /admin/audit": admin(200),
  "GET /admin/audit/stats": admin(200),
  "GET /admin/audit/export": admin(200),
  "POST /admin/oidc/test": admin("validation"),

  "GET /org/me": own(200),
  "PUT /org/me/password": own("bad_credentials"),
  "POST /org/me/totp/start": enrolling("bad_credentials"),
  "POST /org/me/totp/setup": enrolling(hidden),
  "DELETE /org/me/totp": own("bad_credentials"),
  "POST /org/me/token": own("bad_credentials"),

  "GET /org/accounts": own(out, 200),
  "POST /org/accounts": own(out, 201),
  "GET /org/accounts/{id}": orgAdmin(200),
  "DELETE /org/accounts/{id}": orgAdmin(200),
  "DELETE /org/accounts/{id}/hard": orgAdmin(200),
  "POST /org/accounts/{id}/activate": orgAdmin(200),
  "POST /org/accounts/{id}/regenerate": orgAdmin(200),
  "PUT /org/accounts/{id}/username": orgAdmin(200),
  "PUT /org/accounts/{id}/password": orgAdmin(200),
  "PUT /org/accounts/{id}/org-admin": orgAdmin(200),
  "DELETE /org/accounts/{id}/totp": orgAdmin(200),
  "GET /org/accounts/{id}/whitelist": orgAdmin(200),
  "POST /org/accounts/{id}/whitelist": orgAdmin(201),
  "DELETE /org/accounts/{id}/whitelist/{entryId}": orgAdmin(200),

  "GET /org/settings": own(out, 200),
  "PUT /org/settings": own(out, 200),
  "GET /org/policy": own(200),
  "PUT /org/policy": own(out, 200),
  "DELETE /org/policy": own(out, 200),
  "GET /org/rate-limit": own(200),
  "PUT /org/rate-limit": own(out, 200),
  "DELETE /org/rate-limit": own(out, 200),
  "GET /org/limits": own(200),

  "GET /org/applications": own(200),
  "POST /org/applications": own(out, 201),
  "GET /org/applications/{id}": member(200),
  "PUT /org/applications/{id}": orgAdmin(200),
  "DELETE /org/applications/{id}": orgAdmin(200),
  "GET /org/applications/{id}/policy": member(200),
  "PUT /org/applications/{id}/policy": orgAdmin(200),
  "DELETE /org/applications/{id}/policy": orgAdmin(200),
  "GET /org/applications/{id}/policy/effective": member(200),
  "GET /org/applications/{id}/rate-limit": member(200),
  "PUT /org/applications/{id}/rate-limit": orgAdmin(200),
  "DELETE /org/applications/{id}/rate-limit": orgAdmin(200),
  "GET /org/applications/{id}/stats": member(200),
  "GET /org/applications/{id}/tunnels": member(200),
  "GET /org/applications/{id}/whitelist": member(200),
  "POST /org/applications/{id}/whitelist": orgAdmin(201),
  "DELETE /org/applications/{id}/whitelist/{entryId}": orgAdmin(200),

  "GET /org/api-keys": own(200),
  "POST /org/api-keys": own(out, 201),
  "DELETE /org/api-keys/{id}": orgAdmin(200),
  "GET /org/whitelist": own(200),
  "POST /org/whitelist": own(out, 201),
  "DELETE /org/whitelist/{id}": orgAdmin(200),
  "GET /org/app-whitelist": own(200),
  "GET /org/account-whitelist": own(out, 200),
  "GET /org/tunnels": own(200),
  "DELETE /org/tunnels/{id}": orgAdmin(200),
  "POST /org/tunnels/{id}/check": member(200),
  "POST /org/tunnels/{id}/clear": orgAdmin("conflict"),
  "GET /org/stats": own(200),
  "GET /org/overview": own(200),
  "GET /org/traffic": own(200),
  "GET /org/requests": own(200),
  "GET /org/requests/{id}": member(200),
  "GET /org/events": own(200),
  "GET /org/audit": own(out, 200),
  "GET /org/audit/stats": own(out, 200),
  "GET /org/audit/export": own(out, 200),
  "POST /org/oidc/test": own(out, "validation"),
};

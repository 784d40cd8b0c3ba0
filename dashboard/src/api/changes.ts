// Writing: every change a portal can make, each followed by fetching again what it touches.

import { ApiError, del, post, put } from "./client.ts";
import { queryClient, refresh, refreshChanged, refreshIdle } from "./query-client.ts";
import * as resources from "./resources.ts";
import { base } from "./session.ts";
import type * as t from "./types.ts";

/**
 * Runs a change, then refreshes; a failed refresh shows at the list itself, never as a failed change. Of a change that is refused for what
 * is stored, that is shown by the time it fails.
 */
async function then<T>(change: Promise<T>, ...resources: string[]): Promise<T> {
  const answer = await change.catch(async (error: unknown) => {
    if (error instanceof ApiError && error.status === 409) await refresh(...resources);
    throw error;
  });
  void refreshChanged(...resources);
  void refresh("stats", "audit");
  return answer;
}

export const createOrganization = (body: { name: string }) =>
  then(post<{ organization: t.Organization }>(`${base()}/organizations`, body), "organizations");
export const updateOrganization = (id: string, body: { name?: string; requireTotp?: boolean }) =>
  then(put<void>(`${base()}/organizations/${id}`, body), "organizations");
export const deleteOrganization = (id: string) => then(del<void>(`${base()}/organizations/${id}`), "organizations");
export const saveSettings = (body: { name?: string; requireTotp?: boolean }) =>
  then(put<void>("/org/settings", body), "settings");

export interface AccountInput {
  username: string;
  /** System admins only. */
  email?: string;
  password?: string;
  isAdmin?: boolean;
  isOrgAdmin?: boolean;
  orgId?: string;
}
export const createAccount = (body: AccountInput) =>
  then(post<{ account: t.Account; token: string }>(`${base()}/accounts`, body), "accounts");
export const deactivateAccount = (id: string) => then(del<void>(`${base()}/accounts/${id}`), "accounts", "tunnels");
export const deleteAccount = (id: string) => then(del<void>(`${base()}/accounts/${id}/hard`), "accounts", "tunnels");
export const activateAccount = (id: string) => then(post<void>(`${base()}/accounts/${id}/activate`), "accounts");
export const regenerateToken = (id: string) =>
  then(post<{ token: string }>(`${base()}/accounts/${id}/regenerate`), "accounts", "tunnels");
export const renameAccount = (id: string, username: string) =>
  then(put<void>(`${base()}/accounts/${id}/username`, { username }), "accounts");
export const setAccountEmail = (id: string, email: string | null) =>
  then(put<void>(`${base()}/accounts/${id}/email`, { email }), "accounts");
export const setAccountPassword = (id: string, password: string) =>
  then(put<void>(`${base()}/accounts/${id}/password`, { password }), "accounts");
/** `basedOn`, here and below: what the change was decided by; refused with 409 when somebody else has stored something else since. */
export const moveAccount = (id: string, body: { orgId: string | null; basedOn: string | null }) =>
  then(put<void>(`${base()}/accounts/${id}/organization`, body), "accounts", "tunnels");
/** `basedOn`: the organization that it is a role in. */
export const setOrgAdmin = (id: string, body: { isOrgAdmin: boolean; basedOn: string | null }) =>
  then(put<void>(`${base()}/accounts/${id}/org-admin`, body), "accounts");
export const resetTotp = (id: string) => then(del<void>(`${base()}/accounts/${id}/totp`), "accounts");

export interface ApplicationInput {
  orgId?: string;
  subdomain: string;
  name: string;
  authMode?: t.AuthMode;
}
export const createApplication = (body: ApplicationInput) =>
  then(post<{ application: t.Application }>(`${base()}/applications`, body), "applications");
export const updateApplication = (id: string, body: { name?: string; subdomain?: string }) =>
  then(put<void>(`${base()}/applications/${id}`, body), "applications", "tunnels");
/** Whose policy counts for it; `basedOnPolicy`: the organization's, if it is known. Resolves with what is stored now. */
export async function setAuthMode(
  id: string,
  body: { authMode: t.AuthMode; basedOn: t.AuthMode; basedOnPolicy?: string | null },
): Promise<t.AuthMode> {
  const change = put<{ application: t.Application }>(`${base()}/applications/${id}`, body);
  const { application } = await then(change, "applications", "tunnels", "policy");
  queryClient.setQueryData(resources.application(id).queryKey, application);
  return application.authMode;
}
/** Resolves once what is shown of applications is what is stored now, as far as that can be had. */
export const readApplications = (): Promise<void> => refreshIdle("applications");
export const deleteApplication = (id: string) =>
  then(del<void>(`${base()}/applications/${id}`), "applications", "tunnels");

/** `owner` is `/applications/ID`, `/organizations/ID`, or empty for the caller's own organization; so below. */
export const saveRateLimit = async (owner: string, body: t.RateLimitInput): Promise<t.RateLimit> =>
  (await then(put<{ rateLimit: t.RateLimit }>(`${base()}${owner}/rate-limit`, body), "rate-limit", "policy")).rateLimit;
export const resetRateLimit = async (owner: string, body: { basedOn: string | null }): Promise<t.RateLimit> =>
  (await then(del<{ rateLimit: t.RateLimit }>(`${base()}${owner}/rate-limit`, body), "rate-limit", "policy")).rateLimit;
/** Resolves with what is stored now, which every reader of it has by then. */
export async function savePolicy(owner: string, body: t.PolicyInput): Promise<t.Policy> {
  const change = put<{ policy: t.Policy }>(`${base()}${owner}/policy`, body);
  const { policy } = await then(change, "policy", "applications", "organizations");
  queryClient.setQueryData(resources.policy(owner).queryKey, policy);
  return policy;
}
export const deletePolicy = (owner: string, body: { basedOn: string | null }) =>
  then(del<void>(`${base()}${owner}/policy`, body), "policy", "applications", "organizations");

/** Asks a provider for its configuration, from the server. */
export const testProvider = (issuerUrl: string) => post<t.ProviderTest>(`${base()}/oidc/test`, { issuerUrl });

export interface KeyInput {
  orgId?: string;
  appId?: string;
  description: string;
  scope: t.ApiKey["scope"];
  expiresIn?: number;
}
export const createKey = (body: KeyInput) =>
  then(post<{ key: t.ApiKey; rawKey: string }>(`${base()}/api-keys`, body), "keys");
export const deleteKey = (id: string) => then(del<void>(`${base()}/api-keys/${id}`), "keys", "tunnels");

/** `path` is the list's path below the portal's prefix, for example `/whitelist` or `/applications/ID/whitelist`. */
export const addWhitelist = (path: string, body: { ipRange: string; description: string }) =>
  then(post<{ warning?: string }>(base() + path, body), "whitelist");
export const removeWhitelist = (path: string, id: string) =>
  then(del<void>(`${base()}${path}/${id}`), "whitelist", "tunnels");

export const disconnectTunnel = (id: string) => then(del<void>(`${base()}/tunnels/${id}`), "tunnels", "applications");
export const clearTunnel = (id: string) => then(post<void>(`${base()}/tunnels/${id}/clear`), "tunnels");
/** Changes nothing but what is known: the list stays as it is. */
export async function checkTunnel(id: string): Promise<{ local?: t.LocalStatus }> {
  const answer = await post<{ local?: t.LocalStatus }>(`${base()}/tunnels/${id}/check`);
  void refresh("tunnels", "audit");
  return answer;
}

/** `currentPassword` is left out only by an account that has none. */
export interface Proof {
  currentPassword?: string;
}
export const changePassword = (body: Proof & { newPassword: string }) =>
  then(put<void>(`${base()}/me/password`, body), "sessions");
export const startTotp = (body: Proof) => post<t.TotpEnrolment>(`${base()}/me/totp/start`, body);
export const finishTotp = (code: string) => post<{ recoveryCodes: string[] }>(`${base()}/me/totp/setup`, { code });
export const removeTotp = (body: Proof & { code: string }) => del<void>(`${base()}/me/totp`, body);
export const newRecoveryCodes = (code: string) => post<{ recoveryCodes: string[] }>("/auth/recovery-codes", { code });
export const endSession = (id: string) => then(del<void>(`/auth/sessions/${id}`), "sessions");
export const newOwnToken = (body: Proof) => then(post<{ token: string }>("/org/me/token", body), "tunnels");

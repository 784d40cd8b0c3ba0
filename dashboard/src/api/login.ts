// Logging in, enrolling in TOTP during a login, and setting up a fresh server.

import { call } from "./client.ts";
import type { TotpEnrolment } from "./types.ts";

export interface LoginAnswer {
  success: boolean;
  needsTotp?: boolean;
  needsSetup?: boolean;
  pendingToken?: string;
  recoveryCodes?: string[];
}

export interface Provider {
  name: string;
  label: string;
}

// A 401 here means "wrong", never "session expired".
const send = <T>(path: string, body: unknown): Promise<T> => call<T>("POST", path, { body, quiet: true });

/** The first of the two steps. The server answers the same for any name: it reveals nothing. */
export const checkAccount = (username: string): Promise<{ next: "password" }> =>
  send("/auth/check-account", { username });
export const logIn = (username: string, password: string): Promise<LoginAnswer> =>
  send("/auth/login", { username, password });
export const verifyTotp = (pendingToken: string, code: string): Promise<LoginAnswer> =>
  send("/auth/totp/verify", { pendingToken, code });
/** Starts enrolment of an account that must have TOTP before anything else. */
export const startEnrolment = (pendingToken: string): Promise<TotpEnrolment> =>
  call("GET", "/auth/totp/setup", { headers: { "x-pending-token": pendingToken }, quiet: true });
export const finishEnrolment = (pendingToken: string, code: string): Promise<LoginAnswer> =>
  send("/auth/totp/setup", { pendingToken, code });

export const setupStatus = (): Promise<{ needsSetup: boolean }> => call("GET", "/setup/status", { quiet: true });
/** The steps of the wizard; a cookie ties them together. */
export const setupInit = (body: { code: string; username: string; password: string }): Promise<TotpEnrolment> =>
  send("/setup/init", body);
export const setupTotp = (code: string): Promise<{ recoveryCodes: string[] }> => send("/setup/totp", { code });
export const setupComplete = (allowCurrentAddress: boolean): Promise<void> =>
  send("/setup/complete", { allowCurrentAddress });

let providersAsked: Promise<Provider[]> | null = null;

/** Sign-in providers that the server has, asked once; none while it does not say. */
export function providers(): Promise<Provider[]> {
  providersAsked ??= askProviders();
  return providersAsked;
}

async function askProviders(): Promise<Provider[]> {
  try {
    const body = await call<{ providers: Provider[] }>("GET", "/auth/oauth", { quiet: true });
    return body.providers;
  } catch {
    // Logging in by password works without them.
    providersAsked = null;
    return [];
  }
}

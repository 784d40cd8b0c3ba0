// Who is logged in, which portal that opens, and the moment when the session ran out.

import { createSignal } from "solid-js";
import { ApiError, call, onSessionExpired, onTotpRequired } from "./client.ts";
import type { Me } from "./types.ts";

const [me, setMe] = createSignal<Me | null>(null);
const [expired, setExpired] = createSignal(false);

export { expired, me };

let waiting: { promise: Promise<boolean>; settle: (loggedIn: boolean) => void } | null = null;

onSessionExpired(() => {
  if (waiting === null) {
    let settle: (loggedIn: boolean) => void = () => {};
    const promise = new Promise<boolean>((resolve) => {
      settle = resolve;
    });
    waiting = { promise, settle };
    setExpired(true);
  }
  return waiting.promise;
});

onTotpRequired(() => {
  // `mustEnrolTotp` then turns every page into the enrolment.
  if (me()?.mustEnrolTotp === false) void loadMe();
});

/** Ends the wait of every call that met an expired session. */
export function settleExpired(loggedIn: boolean): void {
  const current = waiting;
  waiting = null;
  setExpired(false);
  current?.settle(loggedIn);
}

/** Waits until somebody is logged in (asking for it if need be), for what the browser then loads by itself. */
export async function ensureSession(): Promise<void> {
  await call<Me>("GET", "/auth/me");
}

let asking: Promise<Me | null> | null = null;

/** Asks the server who is logged in; null when nobody is. Who asks meanwhile gets the same answer. */
export function loadMe(): Promise<Me | null> {
  asking ??= askWho().finally(() => {
    asking = null;
  });
  return asking;
}

async function askWho(): Promise<Me | null> {
  try {
    setMe(await call<Me>("GET", "/auth/me", { anonymous: true }));
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
    setMe(null);
  }
  return me();
}

/** Ends this session (or all of the account's) and forgets everything that was on screen. */
export async function logOut(everywhere = false): Promise<void> {
  try {
    await call<void>("POST", everywhere ? "/auth/logout-all" : "/auth/logout", { body: {}, anonymous: true });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
  // A full load drops every cached answer of the old session.
  location.assign("/login");
}

export type PortalKind = "admin" | "org" | "none";

/** What the account may open: all of the server, one organization, or only itself. */
export function portal(): PortalKind {
  const account = me()?.account;
  if (!account) return "none";
  if (account.isAdmin) return "admin";
  return account.orgId === null ? "none" : "org";
}

/** The prefix of the API that this account uses. */
export const base = (): "/admin" | "/org" => (portal() === "admin" ? "/admin" : "/org");
export const isAdmin = (): boolean => portal() === "admin";
/** May change things: system admins, and admins of their organization. */
export const canManage = (): boolean => isAdmin() || me()?.account.isOrgAdmin === true;

// Who is logged in, which portal that opens, and the moment when the session ran out.

import { createSignal } from "solid-js";
import { ApiError, call, onSessionExpired, onTotpRequired } from "./client.ts";
import { refetchFailed } from "./query-client.ts";
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
  if (!loggedIn) return;
  tabs.postMessage("in");
  void refetchFailed();
}

/** The other tabs of this browser: they share the session, so each says when somebody logged `in` or `out`. */
const tabs = new BroadcastChannel("digit-link-session");
tabs.onmessage = (event: MessageEvent<"in" | "out">) => {
  if (me() === null) return;
  if (event.data === "out") leave();
  else void loadMe().then((now) => now !== null && (expired() ? settleExpired(true) : refetchFailed()));
};

/** Waits until somebody is logged in (asking for it if need be), for what the browser then loads by itself. */
export async function ensureSession(): Promise<void> {
  setMe(await call<Me>("GET", "/auth/me"));
}

let asking: Promise<Me | null> | null = null;

/**
 * Asks the server who is logged in; null when nobody is, or somebody else than before, to whom this page does not belong. Who asks meanwhile gets the same answer. What is on screen stays
 * when the session is over, forms and all: the next call asks to log in. Somebody else's data does not stay.
 */
export function loadMe(): Promise<Me | null> {
  asking ??= askWho().finally(() => {
    asking = null;
  });
  return asking;
}

async function askWho(): Promise<Me | null> {
  try {
    const now = await call<Me>("GET", "/auth/me", { quiet: true });
    const before = me()?.account.id;
    if (before !== undefined && before !== now.account.id) {
      // What waits for a log-in was meant by whoever was here before.
      location.assign("/dashboard/overview");
      return null;
    }
    setMe(now);
    if (before === undefined) tabs.postMessage("in");
    return now;
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
    return null;
  }
}

/** Ends this session (or all of the account's) and forgets everything that was on screen. */
export async function logOut(everywhere = false): Promise<void> {
  try {
    await call<void>("POST", everywhere ? "/auth/logout-all" : "/auth/logout", { body: {}, quiet: true });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 401)) throw error;
  }
  tabs.postMessage("out");
  leave();
}

/** A full load drops every cached answer of the old session. */
function leave(): void {
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

/** What an agent is given as its server. */
export const serverUrl = (): string => me()?.serverUrl ?? location.origin;

/** What is registered at the identity provider of a policy. */
export const visitorRedirectUri = (): string => me()?.visitorRedirectUri ?? "";

/** What the names of tunnels are below; the dashboard may have a domain of its own. */
export const baseDomain = (): string => new URL(serverUrl()).hostname;

/** The prefix of the API that this account uses. */
export const base = (): "/admin" | "/org" => (portal() === "admin" ? "/admin" : "/org");
export const isAdmin = (): boolean => portal() === "admin";
/** May change things: system admins, and admins of their organization. */
export const canManage = (): boolean => isAdmin() || me()?.account.isOrgAdmin === true;

// Cookies of the dashboard: read strictly, written host-only.

export type CookieKind = "session" | "setup" | "oauth";

/** `__Host-` makes the browser refuse a cookie that another subdomain planted; it needs https. */
export function cookieName(kind: CookieKind, scheme: "http" | "https"): string {
  return scheme === "https" ? `__Host-dl_${kind}` : `dl_${kind}`;
}

/** The value of a cookie; null when it is absent, malformed, or there twice (then somebody planted one of them). */
export function readCookie(header: string | null, name: string): string | null {
  if (header === null) return null;
  const values = header
    .split(";")
    .map((pair) => pair.trim())
    .filter((pair) => pair.startsWith(`${name}=`))
    .map((pair) => pair.slice(name.length + 1));
  const [value, ...others] = values;
  if (value === undefined || others.length > 0) return null;
  return /^[A-Za-z0-9._~-]{1,4096}$/.test(value) ? value : null;
}

/** A `Set-Cookie` value: HttpOnly, SameSite=Lax, host-only, Secure with https. `maxAgeSeconds` 0 deletes it. */
export function writeCookie(kind: CookieKind, scheme: "http" | "https", value: string, maxAgeSeconds: number): string {
  const secure = scheme === "https" ? "; Secure" : "";
  return `${cookieName(kind, scheme)}=${value}; Path=/; Max-Age=${Math.floor(maxAgeSeconds)}; HttpOnly; SameSite=Lax${secure}`;
}

// Our cookies on a tunnel's host: their names, reading them strictly, and keeping them from the local service.

/** Names under both schemes: a cookie planted under the other name must not reach the local service either. */
const visitorNames = ["__Host-dl_visitor", "dl_visitor"] as const;
const stateNames = ["__Host-dl_state", "dl_state"] as const;
const dashboardNames = ["session", "setup", "oauth"].flatMap((kind) => [`__Host-dl_${kind}`, `dl_${kind}`]);
const ours: readonly string[] = [...visitorNames, ...stateNames, ...dashboardNames];
/** What every name above contains: a cheap way to see that a header has nothing of ours. */
const marker = "dl_";

/** The visitor's session. `__Host-` keeps sibling subdomains from planting it. */
export function visitorCookieName(scheme: "http" | "https"): string {
  return visitorNames[scheme === "https" ? 0 : 1];
}

/** What binds a login under way to the browser that began it. */
export function stateCookieName(scheme: "http" | "https"): string {
  return stateNames[scheme === "https" ? 0 : 1];
}

/** `Set-Cookie` of one of our cookies: host-only, invisible to scripts. `maxAgeSeconds` 0 removes it. */
export function setCookie(name: string, value: string, maxAgeSeconds: number): string {
  const secure = name.startsWith("__Host-") ? "; Secure" : "";
  return `${name}=${value}; Path=/; HttpOnly; SameSite=Lax; Max-Age=${maxAgeSeconds}${secure}`;
}

/** The value of the cookie `name` in a `Cookie` header; null when it is missing, empty, or there twice. */
export function readCookie(header: string | null, name: string): string | null {
  if (header === null || !header.includes(name)) return null;
  let found: string | null = null;
  for (const pair of header.split(";")) {
    const at = pair.indexOf("=");
    if (at === -1 || pair.slice(0, at).trim() !== name) continue;
    if (found !== null) return null;
    found = pair.slice(at + 1).trim();
  }
  return found === "" ? null : found;
}

/** A `Cookie` header without ours; null when nothing is left. Others keep their bytes and order. */
export function stripCookies(value: string): string | null {
  if (!value.includes(marker)) return value;
  const kept = value.split(";").filter((pair) => {
    const at = pair.indexOf("=");
    return !ours.includes((at === -1 ? pair : pair.slice(0, at)).trim());
  });
  const rest = kept.join(";").trim();
  return rest === "" ? null : rest;
}

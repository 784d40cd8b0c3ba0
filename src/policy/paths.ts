// The paths of a tunnel's host that are ours, matched exactly, and where a login may lead back to.

/** The only paths that a policy takes from the application; everything else under `/__auth/` is the application's. */
export const authPaths = {
  login: "/__auth/login",
  callback: "/__auth/callback",
  logout: "/__auth/logout",
  basic: "/__auth/basic",
  health: "/__auth/health",
} as const;

/** What all of them begin with. */
export const authPathStart = "/__auth/";
const known: readonly string[] = Object.values(authPaths);
const maxReturnBytes = 2_048;

/** Whether the path part of a raw request target is one of ours: byte for byte, nothing decoded, nothing by prefix. */
export function isAuthPath(target: string): boolean {
  const query = target.indexOf("?");
  return known.includes(query === -1 ? target : target.slice(0, query));
}

/**
 * The path on the same host that a login leads back to, or `/` for anything that a browser might read as another
 * origin, that is ours, or that is oddly written. `input` comes from a query string or form, already decoded once.
 */
export function safeReturnPath(input: string | null): string {
  if (input === null || input.length > maxReturnBytes) return "/";
  // Printable ASCII without backslash, quotes, angle brackets or fragment.
  if (!/^\/[!$-;=?-Z\]^_`a-z{|}~[]*$/.test(input)) return "/";
  // Two slashes name another host; an encoded slash, backslash, control or dot segment is somebody's trick.
  const path = input.split("?", 1)[0] ?? "/";
  if (/%(?:2f|5c|0|1|7f)/i.test(path) || path.includes("//")) return "/";
  if (path.split("/").some((segment) => /^(?:\.|%2e){1,2}$/i.test(segment))) return "/";
  if (isAuthPath(input)) return "/";
  return input;
}

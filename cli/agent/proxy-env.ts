// Which HTTP proxy stands between the agent and its server (never between the agent and the local service).

/**
 * The proxy for `url` by HTTPS_PROXY/HTTP_PROXY/ALL_PROXY and NO_PROXY (either case), or false: straight, also where `fetch`
 * by itself would ask the environment. What has no scheme is meant as http. NO_PROXY entries are hosts, domains with or without a leading dot, `host:port`, or `*`.
 */
export function proxyFor(url: URL, env: Record<string, string | undefined>): string | false {
  const read = (name: string): string | undefined => env[name] || env[name.toLowerCase()] || undefined;
  const secure = url.protocol === "https:" || url.protocol === "wss:";
  const proxy = read(secure ? "HTTPS_PROXY" : "HTTP_PROXY") ?? read("ALL_PROXY");
  if (proxy === undefined || isLoopback(url.hostname)) return false;
  const port = url.port || (secure ? "443" : "80");
  for (const entry of (read("NO_PROXY") ?? "").split(",")) {
    const [host, only] = hostAndPort(entry.trim().toLowerCase());
    if (host === "*") return false;
    if (host === "" || (only !== undefined && only !== port)) continue;
    const bare = host.replace(/^\*?\./, "");
    if (url.hostname === bare || url.hostname.endsWith(`.${bare}`)) return false;
  }
  return proxy.includes("://") ? proxy : `http://${proxy}`;
}

/** The address of a proxy that can be used; null for what is none, has a name and password that are not percent-encoded, or wants TLS or SOCKS itself. */
export function proxyUrl(proxy: string): URL | null {
  const url = URL.parse(proxy);
  try {
    decodeURIComponent(`${url?.username}:${url?.password}`);
  } catch {
    return null;
  }
  return url?.protocol === "http:" ? url : null;
}

/** Of an entry of NO_PROXY. An IPv6 address stands in brackets, as in a URL, or without a port. */
function hostAndPort(entry: string): [host: string, port: string | undefined] {
  if (/^[^[]*:.*:/.test(entry)) return [`[${entry}]`, undefined];
  const [, host = "", port] = /^(\[.*\]|[^:]*)(?::(.*))?$/.exec(entry) ?? [];
  return [host, port];
}

function isLoopback(host: string): boolean {
  return host === "localhost" || host.endsWith(".localhost") || host === "[::1]" || /^127\./.test(host);
}

// Whose request is this: the host of a head, judged before anything else (security: exactly one, well-formed, ours).

/** What a Host header means here. */
export type HostVerdict =
  /** The base domain, or the dashboard's own. */
  | { kind: "base"; host: string }
  /** One label below the base domain: a tunnel's name. */
  | { kind: "tunnel"; name: string; host: string }
  /** An IP address or localhost: only probes are answered. */
  | { kind: "probe"; host: string }
  /** Well-formed, but not served here. */
  | { kind: "foreign" }
  | { kind: "malformed" };

export interface Domains {
  /** Base domain, lower-case, without port. */
  domain: string;
  /** Where the dashboard lives when not on the base domain. */
  dashboardDomain: string;
}

const label = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const hostname = /^(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)(?:\.[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?)*$/;
const ipv4 = /^\d{1,3}(?:\.\d{1,3}){3}$/;
const withPort = /^(\[[0-9a-f:.]{2,45}\]|[^:[\]]*)(?::(\d{1,5}))?$/;

/** Judges a Host value as it arrived: lower-cases it, removes the port and one trailing dot (RFC 9110 7.2). */
export function judgeHost(value: string, domains: Domains): HostVerdict {
  const parts = value.length > 261 ? null : withPort.exec(value.toLowerCase());
  if (parts === null || Number(parts[2] ?? 0) > 65_535) return { kind: "malformed" };
  let host = parts[1]!;
  if (host.startsWith("[")) return { kind: "probe", host };
  if (host.endsWith(".")) host = host.slice(0, -1);
  if (!hostname.test(host)) return { kind: "malformed" };
  if (host === domains.domain || host === domains.dashboardDomain) return { kind: "base", host };
  if (host.endsWith(`.${domains.domain}`)) {
    const name = host.slice(0, -domains.domain.length - 1);
    return label.test(name) ? { kind: "tunnel", name, host } : { kind: "foreign" };
  }
  if (host === "localhost" || ipv4.test(host)) return { kind: "probe", host };
  return { kind: "foreign" };
}

const sessionPath = /^\/_tunnel\/s\/(\d{1,2})(?:\?|$)/;

/** The shard that a session's target (`/_tunnel/s/<k>?ticket=…`) names, or -1. There may be no such shard (any more). */
export function sessionShard(target: string): number {
  const match = sessionPath.exec(target);
  return match === null ? -1 : Number(match[1]);
}

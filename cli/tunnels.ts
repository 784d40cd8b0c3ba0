// From flags to the list of tunnels that the agent opens.

import type { ProxyProtocol } from "./agent/proxy-header.ts";
import type { TunnelSpec } from "./agent/types.ts";
import type { FlagTable, Parsed } from "./command.ts";
import { safe } from "./output/safe.ts";
import { UsageError } from "./usage-error.ts";
import { checkHost, type LocalTarget, parseForward, parseName, parsePort, parseTarget } from "./values.ts";

/** Flags that only HTTP tunnels have. */
export const httpFlags = {
  subdomain: { type: "string", short: "n", value: "NAME", help: "the public name; without it the server picks one" },
  port: { type: "string", short: "p", value: "PORT", help: "the local port (same as the first argument)" },
  forward: {
    type: "string",
    short: "f",
    value: "NAME:PORT",
    multiple: true,
    help: "one more tunnel, also NAME:HOST:PORT; repeatable",
  },
  "local-host": { type: "string", value: "HOST", help: "where the local service is (localhost)" },
  "local-https": { type: "boolean", help: "the local service speaks https" },
  "insecure-local": { type: "boolean", help: "do not verify the local service's certificate" },
  "host-header": {
    type: "string",
    value: "VALUE",
    help: "Host to send: preserve, rewrite (local), or a value",
  },
  inspect: { type: "string", value: "PORT", help: "a page to look at requests and send them again" },
} as const satisfies FlagTable;

/** Flags that only TCP tunnels have. */
export const tcpFlags = {
  "remote-port": {
    ...{ type: "string", short: "r", value: "PORT" },
    help: "the public port; without it the server picks one",
  },
  "local-host": { type: "string", value: "HOST", help: "where the local service is (localhost)" },
  "proxy-protocol": {
    type: "string",
    value: "v1|v2",
    help: "begin each connection with its visitor's address",
  },
} as const satisfies FlagTable;

/** The tunnels of `digit-link http` and of the flag form. Throws UsageError. */
export function resolveHttpTunnels(parsed: Parsed, positionals: readonly string[]): TunnelSpec[] {
  if (positionals.length > 1)
    throw new UsageError(
      `One port is enough here, and ${safe(positionals[1] ?? "")} follows; use --forward NAME:PORT for more tunnels.`,
    );
  const portFlag = parsed.text("port");
  const first = positionals[0];
  if (first !== undefined && portFlag !== undefined)
    throw new UsageError("The port is given twice, as argument and by --port; give it once.");
  const subdomain = parsed.text("subdomain");
  const forwards = parsed.list("forward").map(parseForward);
  const main =
    first !== undefined ? parseTarget(first) : portFlag !== undefined ? toTarget(parsePort(portFlag, "--port")) : null;
  if (main === null && subdomain !== undefined)
    throw new UsageError("--subdomain needs a port to go with it: digit-link http 3000 --subdomain NAME.");
  if (main === null && forwards.length === 0)
    throw new UsageError("Say what to serve: digit-link http 3000, or --forward NAME:PORT.");

  const targets = [...(main === null ? [] : [main]), ...forwards.map((forward) => forward.target)];
  const https = parsed.on("local-https");
  if (https && [first ?? "", ...parsed.list("forward")].some((text) => /^([^:]+:)?http:\/\//i.test(text)))
    throw new UsageError("--local-https and an http:// address are both given; give one.");
  const insecureLocal = parsed.on("insecure-local");
  const base = {
    localHost: localHost(parsed, targets),
    hostHeader: parseHostHeader(parsed.text("host-header") ?? "preserve"),
    insecureLocal,
    https,
  };
  const tunnels = [
    ...(main === null ? [] : [toSpec(subdomain === undefined ? null : parseName(subdomain), main, base)]),
    ...forwards.map(({ name, target }) => toSpec(name, target, base)),
  ];
  const names = tunnels.flatMap((tunnel) => (tunnel.subdomain === null ? [] : [tunnel.subdomain]));
  const twice = names.find((name, index) => names.indexOf(name) !== index);
  if (twice !== undefined) throw new UsageError(`The name ${twice} is given twice; each tunnel needs its own.`);
  if (insecureLocal && !tunnels.some((tunnel) => tunnel.localHttps))
    throw new UsageError("--insecure-local only makes sense with --local-https (or an https:// address).");
  return tunnels;
}

/** The tunnels of `digit-link tcp`. Throws UsageError. */
export function resolveTcpTunnels(parsed: Parsed, positionals: readonly string[]): TunnelSpec[] {
  if (positionals.length === 0) throw new UsageError("Say which port to serve: digit-link tcp 5432.");
  const wanted = parsed.text("remote-port");
  if (wanted !== undefined && positionals.length > 1)
    throw new UsageError("--remote-port goes with one local port; start digit-link once for each port you want.");
  // Without one, each agent would be given a port of its own. What goes for a name only the server knows: an API key may bring one.
  if (wanted === undefined && parsed.on("pool"))
    throw new UsageError("--pool needs --remote-port PORT: the port that the agents share.");
  const remotePort = wanted === undefined ? {} : { remotePort: parsePort(wanted, "--remote-port") };
  const version = parsed.text("proxy-protocol");
  const proxyProtocol = version === undefined ? {} : { proxyProtocol: parseProxyProtocol(version) };
  const targets = positionals.map((text) => {
    if (text.includes("://"))
      throw new UsageError(`"${safe(text)}" is a URL; a TCP tunnel takes a port (5432) or host:port.`);
    return parseTarget(text);
  });
  const host = localHost(parsed, targets);
  return targets.map((target) => ({
    ...toSpec(null, target, { localHost: host, hostHeader: "preserve", insecureLocal: false, https: false }),
    protocol: "tcp",
    ...remotePort,
    ...proxyProtocol,
  }));
}

function toSpec(
  subdomain: string | null,
  target: LocalTarget,
  base: { localHost: string; hostHeader: string; insecureLocal: boolean; https: boolean },
): TunnelSpec {
  return {
    protocol: "http",
    subdomain,
    localHost: target.host ?? base.localHost,
    localPort: target.port,
    localHttps: target.https || base.https,
    insecureLocal: base.insecureLocal,
    hostHeader: base.hostHeader,
  };
}

function toTarget(port: number): LocalTarget {
  return { host: null, port, https: false };
}

function localHost(parsed: Parsed, targets: readonly LocalTarget[]): string {
  const host = parsed.text("local-host");
  if (host === undefined) return "localhost";
  if (targets.every((target) => target.host !== null))
    throw new UsageError("--local-host and an address with a host are both given; give one.");
  return checkHost(host);
}

function parseProxyProtocol(text: string): ProxyProtocol {
  if (text === "v1" || text === "v2") return text;
  throw new UsageError(`--proxy-protocol takes v1 (text) or v2 (binary), whichever the local service reads.`);
}

function parseHostHeader(text: string): string {
  if (text.length > 255 || !/^(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$/.test(text)) {
    throw new UsageError(
      `--host-header "${safe(text)}" is not possible; it takes preserve, rewrite or a host like app.test:3000.`,
    );
  }
  return text;
}

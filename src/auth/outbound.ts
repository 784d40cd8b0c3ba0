// Fetches URLs that tenants configured (identity providers, webhooks) without letting them reach the inside of our network.

import { lookup as dnsLookup } from "node:dns/promises";
import { createCidrList, type CidrList } from "../lib/cidr.ts";

/** The URL, or what it leads to, is not one we talk to. `message` is safe to show to whoever configured it. */
export class OutboundRefused extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "OutboundRefused";
  }
}

export interface OutboundRequest {
  method?: string;
  headers?: Record<string, string>;
  body?: string | null;
}

/** Rejects with OutboundRefused, or with a network error. The response's body is complete and at most `maxBytes`. */
export type OutboundFetch = (url: string | URL, request?: OutboundRequest) => Promise<Response>;

export interface OutboundOptions {
  /** Private or reserved ranges that may be dialled all the same (`OIDC_ALLOW_PRIVATE`). */
  allowPrivate: readonly string[];
  /** In development (SCHEME=http): loopback may be dialled, by plain http too. */
  allowLoopback: boolean;
  timeoutMs?: number;
  maxBytes?: number;
  /** All addresses of a host name. */
  resolve?: (host: string) => Promise<string[]>;
}

interface Rules {
  allowLoopback: boolean;
  opened: CidrList;
}

const loopback = createCidrList(["127.0.0.0/8", "::1/128"]);
/** Everything that is not the public internet: IANA's special-purpose registries, translations of IPv4 included. */
const special = createCidrList(
  [
    "0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24",
    "192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24",
    "224.0.0.0/4 240.0.0.0/4 ::/96 64:ff9b::/96 64:ff9b:1::/48 100::/64 2001::/23 2001:db8::/32",
    "2002::/16 3fff::/20 5f00::/16 fc00::/7 fe80::/10 fec0::/10 ff00::/8",
  ].flatMap((line) => line.split(" ")),
);
/**
 * Creates a fetch that resolves a host, checks every address it has, and dials the checked address itself, so that a
 * second look-up can't lead elsewhere. https only; no redirects, no proxy, 10 s and 1 MiB in all.
 */
export function createOutboundFetch(options: OutboundOptions): OutboundFetch {
  const { timeoutMs = 10_000, maxBytes = 1_048_576, resolve = resolveAll } = options;
  const rules: Rules = { allowLoopback: options.allowLoopback, opened: createCidrList(options.allowPrivate) };
  return async (input, request = {}) => {
    const url = checkUrl(input, rules);
    const signal = AbortSignal.timeout(timeoutMs);
    const address = await pickAddress(url, rules, resolve, signal);
    const target = new URL(url);
    target.hostname = address.includes(":") ? `[${address}]` : address;
    const init: BunFetchRequestInit = {
      method: request.method ?? "GET",
      headers: { "accept-encoding": "identity", ...request.headers, host: url.host },
      body: request.body ?? null,
      redirect: "manual",
      proxy: false,
      keepalive: false,
      signal,
    };
    if (url.protocol === "https:" && !isAddress(url.hostname)) init.tls = { serverName: url.hostname };
    const response = await fetch(target, init);
    if (response.status >= 300 && response.status < 400) {
      await response.body?.cancel();
      throw new OutboundRefused(`${url.origin} answered with a redirect, which is not followed.`);
    }
    const body = await readBounded(response, maxBytes, url);
    const empty = response.status === 204 || response.status === 205;
    return new Response(empty ? null : body, { status: response.status, headers: response.headers });
  };
}

function checkUrl(input: string | URL, rules: Rules): URL {
  const url = URL.parse(String(input));
  if (url === null) throw new OutboundRefused("This is not a valid URL.");
  if (url.username !== "" || url.password !== "") throw new OutboundRefused("A URL must not hold a user or password.");
  if (url.protocol !== "https:" && !(url.protocol === "http:" && rules.allowLoopback)) {
    throw new OutboundRefused("The URL must begin with https://.");
  }
  return url;
}

async function pickAddress(
  url: URL,
  rules: Rules,
  resolve: (host: string) => Promise<string[]>,
  signal: AbortSignal,
): Promise<string> {
  const host = url.hostname.replace(/^\[|\]$/g, "");
  const addresses = isAddress(url.hostname) ? [host] : await withDeadline(resolve(host), signal, host);
  const [first] = addresses;
  if (first === undefined) throw new OutboundRefused(`${host} has no address.`);
  // One address that is not allowed is enough: a name that points both outside and inside is an attempt.
  for (const address of addresses) checkAddress(address, host, url, rules);
  return first;
}

function checkAddress(address: string, host: string, url: URL, rules: Rules): void {
  if (rules.allowLoopback && loopback.matches(address)) return;
  if (url.protocol !== "https:")
    throw new OutboundRefused("The URL must begin with https:// unless it is on loopback.");
  if (!special.matches(address) || rules.opened.matches(address)) return;
  throw new OutboundRefused(
    `${host} is ${address === host ? "" : `at ${address}, `}an address inside a private or reserved network (see OIDC_ALLOW_PRIVATE).`,
  );
}

async function readBounded(response: Response, maxBytes: number, url: URL): Promise<Uint8Array<ArrayBuffer>> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  if (response.body !== null) {
    for await (const chunk of response.body) {
      length += chunk.byteLength;
      if (length > maxBytes) throw new OutboundRefused(`The answer of ${url.origin} is longer than ${maxBytes} bytes.`);
      chunks.push(chunk);
    }
  }
  const body = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    body.set(chunk, at);
    at += chunk.byteLength;
  }
  return body;
}

async function withDeadline(work: Promise<string[]>, signal: AbortSignal, host: string): Promise<string[]> {
  const late = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(new OutboundRefused(`${host} was not resolved in time.`)), {
      once: true,
    });
  });
  return await Promise.race([work, late]);
}

async function resolveAll(host: string): Promise<string[]> {
  try {
    return (await dnsLookup(host, { all: true })).map((entry) => entry.address);
  } catch (cause) {
    throw new OutboundRefused(`${host} can't be resolved.`, { cause });
  }
}

/** Whether a URL's host is an address (the URL parser has already turned octal, hex and short forms into one). */
function isAddress(hostname: string): boolean {
  return hostname.startsWith("[") || /^\d+\.\d+\.\d+\.\d+$/.test(hostname);
}

// Who the visitor is when proxies stand in between, and the forwarding headers that we write.

import { FORWARDED, X_DIGIT_LINK_HOPS, X_FORWARDED_FOR, X_FORWARDED_PROTO } from "../http1/fields.ts";
import type { Head } from "../http1/head.ts";
import { latin1 } from "../lib/bytes.ts";
import { type CidrList, canonicalAddress, networkOf } from "../lib/cidr.ts";

/** A visitor as everything behind the ingress sees it. */
export interface Visitor {
  address: string;
  /**
   * What limits per address count for this visitor; null when the address is a trusted proxy's own, which named nobody
   * (or nobody readable): it stands for everybody behind that proxy, and counts nowhere.
   */
  network: string | null;
  scheme: "http" | "https";
}

/**
 * The visitor behind `peer`. Forwarding headers count only when the peer is a trusted proxy: then the right-most
 * address that isn't one itself (RFC 7239 5.2), and the scheme the proxy says. `scheme` is what holds otherwise.
 */
export function resolveVisitor(head: Head, peer: string, scheme: "http" | "https", trusted: CidrList): Visitor {
  if (!trusted.matches(peer)) return { address: peer, network: networkOf(peer), scheme };
  const forwarded = readForwarded(head);
  let address = peer;
  let isProxy = true;
  for (let i = forwarded.addresses.length - 1; i >= 0; i--) {
    const hop = parseHop(forwarded.addresses[i]!);
    // What can't be read isn't an address somebody trusted wrote: stop at the last good one.
    if (hop === null) break;
    address = hop;
    // The first of the chain is who everybody after it spoke for, even where whole private ranges are trusted.
    isProxy = i > 0 && trusted.matches(hop);
    if (!isProxy) break;
  }
  return { address, network: isProxy ? null : networkOf(address), scheme: forwarded.scheme ?? scheme };
}

/** Whether a head carries forwarding headers at all (to warn an operator about an untrusted proxy). */
export function carriesForwarding(head: Head): boolean {
  return head.has(X_FORWARDED_FOR) || head.has(FORWARDED);
}

/** A request that was forwarded so often has come back: its way has no end. */
export const mostHops = 3;

/**
 * How often a request was forwarded through tunnels before it came here, as far as it shows: 0 for one of a visitor. What has our `Forwarded`
 * line, or anybody's, counts as once; from then on we write how often. A visitor can say a higher number than is true, and is refused
 * sooner; a lower one ends with the first turn, as only what we write comes back.
 */
export function hopsOf(head: Head): number {
  const { id, count } = head;
  let hops = 0;
  for (let i = 0; i < count; i++) {
    if (id[i] === FORWARDED) hops = Math.max(hops, 1);
    else if (id[i] === X_DIGIT_LINK_HOPS) hops = Math.max(hops, Number(head.value(i)) || 0);
  }
  return hops;
}

/** The lines that go to the local service in place of whatever the visitor sent under these names. */
export function forwardedLines(visitor: Pick<Visitor, "address" | "scheme">, host: string): string {
  const { address, scheme } = visitor;
  const node = address.includes(":") ? `"[${address}]"` : address;
  // A Host value that passed the gate needs quoting only for its colon.
  const quoted = host.includes(":") ? `"${host}"` : host;
  return (
    `X-Forwarded-For: ${address}\r\nX-Forwarded-Proto: ${scheme}\r\nX-Forwarded-Host: ${host}\r\n` +
    `Forwarded: for=${node};host=${quoted};proto=${scheme}\r\n`
  );
}

function readForwarded(head: Head): { addresses: string[]; scheme: "http" | "https" | null } {
  const lists: string[] = [];
  const standard: string[] = [];
  let scheme: "http" | "https" | null = null;
  for (let i = 0; i < head.count; i++) {
    const id = head.id[i];
    if (id !== X_FORWARDED_FOR && id !== FORWARDED && id !== X_FORWARDED_PROTO) continue;
    // Proxies write theirs with `-`, and let the other spelling through, perhaps behind it.
    if (latin1(head.bytes, head.nameStart[i]!, head.nameEnd[i]!).includes("_")) continue;
    if (id === X_FORWARDED_FOR) lists.push(head.value(i));
    else if (id === FORWARDED) standard.push(head.value(i));
    else scheme = readScheme(head.value(i).split(",").at(-1)!) ?? scheme;
  }
  if (lists.length > 0) return { addresses: lists.join(",").split(","), scheme };
  const elements = standard.join(",").split(",");
  const part = (element: string, name: string): string =>
    element
      .split(";")
      .map((pair) => pair.trim())
      .find((pair) => pair.toLowerCase().startsWith(`${name}=`))
      ?.slice(name.length + 1) ?? "";
  scheme ??= readScheme(part(elements.at(-1)!, "proto"));
  return { addresses: elements.map((element) => part(element, "for")), scheme };
}

function readScheme(text: string): "http" | "https" | null {
  const scheme = text.trim().replaceAll('"', "").toLowerCase();
  return scheme === "http" || scheme === "https" ? scheme : null;
}

/** One hop: an address, perhaps quoted, bracketed or with a port; null for anything else (`unknown`, names, rubbish). */
function parseHop(text: string): string | null {
  const bare = text.trim().replace(/^"(.*)"$/, "$1");
  const bracketed = /^\[([0-9a-fA-F:.]+)\](?::\d{1,5})?$/.exec(bare);
  const withPort = /^(\d{1,3}(?:\.\d{1,3}){3}):\d{1,5}$/.exec(bare);
  return canonicalAddress(bracketed?.[1] ?? withPort?.[1] ?? bare);
}

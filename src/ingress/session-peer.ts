// The address behind a session's upgrade request, on the internal socket and on a shard's own port.

import { canonicalAddress, type CidrList } from "../lib/cidr.ts";

/** The header by which our own ingress names the agent's address on internal sockets; no visitor can send it there. */
export const peerHeader = "x-digit-link-address";

/**
 * `peer` null: the request came through our ingress, which says the address. Otherwise the socket's own peer, or, when that
 * is a trusted proxy, the right-most untrusted address of X-Forwarded-For. Null when there is no valid address.
 */
export function resolvePeer(request: Request, peer: string | null, trusted: CidrList): string | null {
  if (peer === null) return canonicalAddress(request.headers.get(peerHeader) ?? "");
  let address = canonicalAddress(peer);
  if (address === null || !trusted.matches(address)) return address;
  for (const hop of (request.headers.get("x-forwarded-for") ?? "").split(",").reverse()) {
    const next = canonicalAddress(hop.trim());
    if (next === null) return address;
    address = next;
    if (!trusted.matches(address)) return address;
  }
  return address;
}

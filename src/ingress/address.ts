// The address of a socket's peer in the one form that everything else compares.

import { canonicalAddress } from "../lib/cidr.ts";

/** Canonical text of a peer address (`::ffff:` removed); `0.0.0.0` for a peer that is already gone. */
export function networkAddress(remoteAddress: string | undefined): string {
  if (remoteAddress === undefined || remoteAddress === "") return "0.0.0.0";
  // The common case costs nothing: a dotted quad as the kernel prints it is canonical.
  return remoteAddress.includes(":") ? (canonicalAddress(remoteAddress) ?? remoteAddress) : remoteAddress;
}

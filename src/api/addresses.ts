// Whether a client's address is a private one.

import { createCidrList, privateRanges } from "../lib/cidr.ts";

const privates = createCidrList(privateRanges);

/** Loopback, link-local and private addresses; anything else, `unknown` included, is not. */
export function isPrivateAddress(address: string): boolean {
  return privates.matches(address);
}

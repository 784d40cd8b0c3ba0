// Questions about a client's address that the API asks: is it private, and which part of it is one customer.

import { createCidrList, parseAddress, privateRanges } from "../lib/cidr.ts";

const privates = createCidrList(privateRanges);

/** Loopback, link-local and private addresses; anything else, `unknown` included, is not. */
export function isPrivateAddress(address: string): boolean {
  return privates.matches(address);
}

/**
 * What a limiter counts for an address: all of an IPv4 address, the /64 of an IPv6 one (a customer has at least that
 * many addresses to himself).
 */
export function limiterSubject(address: string): string {
  const parsed = parseAddress(address);
  if (parsed === null || parsed.version === 4) return address;
  return `${(parsed.value >> 64n).toString(16).padStart(16, "0")}/64`;
}

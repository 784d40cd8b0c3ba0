// Questions about a client's address that the API asks: is it private, and which part of it is one customer.

import { isIP } from "node:net";

const privateRanges = /^(127\.|10\.|192\.168\.|169\.254\.|172\.(1[6-9]|2\d|3[01])\.)/;

/** Loopback, link-local and private addresses; anything else, `unknown` included, is not. */
export function isPrivateAddress(address: string): boolean {
  if (isIP(address) === 4) return privateRanges.test(address);
  return isIP(address) === 6 && /^(::1$|f[cd][0-9a-f]{2}:|fe[89ab][0-9a-f]:)/i.test(address);
}

/**
 * What a limiter counts for an address: all of an IPv4 address, the /64 of an IPv6 one (a customer has at least that
 * many addresses to himself).
 */
export function limiterSubject(address: string): string {
  if (isIP(address) !== 6) return address;
  const [left = "", right] = address.toLowerCase().split("%")[0]!.split("::");
  const head = left === "" ? [] : left.split(":");
  const tail = right === undefined || right === "" ? [] : right.split(":");
  const missing = right === undefined ? 0 : Math.max(0, 8 - head.length - tail.length);
  const groups = [...head, ...Array.from({ length: missing }, () => "0"), ...tail];
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(":")}::/64`;
}

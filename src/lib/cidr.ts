// IP addresses and ranges: strict parsing, one canonical spelling, and lists that are quick to ask.

/** An address as a number; an IPv4-mapped IPv6 address (`::ffff:a.b.c.d`) is IPv4. */
export interface Address {
  readonly version: 4 | 6;
  readonly value: bigint;
}

/** A range: `value` has no bits beyond `prefix`. */
export interface Cidr extends Address {
  readonly prefix: number;
}

/** A list that answers whether it contains an address; text that is no address is never contained. */
export interface CidrList {
  readonly size: number;
  matches(address: string): boolean;
}

const widthOf = (version: 4 | 6): number => (version === 4 ? 32 : 128);
const mappedPrefix = 0xffffn << 32n;

/** Reads `1.2.3.4` or an IPv6 address (RFC 4291 text, a zone `%eth0` ignored); null for anything else. */
export function parseAddress(text: string): Address | null {
  if (!text.includes(":")) {
    const value = parseIpv4(text);
    return value === null ? null : { version: 4, value };
  }
  const zone = text.indexOf("%");
  const value = parseIpv6(zone < 0 ? text : text.slice(0, zone));
  if (value === null) return null;
  return value >> 32n === 0xffffn ? { version: 4, value: value - mappedPrefix } : { version: 6, value };
}

/** Reads `address` or `address/prefix`; bits beyond the prefix are cleared. Null for anything else. */
export function parseCidr(text: string): Cidr | null {
  const slash = text.indexOf("/");
  if (text.includes("%")) return null;
  const address = parseAddress(slash < 0 ? text : text.slice(0, slash));
  if (address === null) return null;
  if (slash < 0) return { ...address, prefix: widthOf(address.version) };
  const digits = text.slice(slash + 1);
  if (!/^(0|[1-9]\d{0,2})$/.test(digits)) return null;
  // A mapped range is written with IPv6's prefix: ::ffff:10.0.0.0/104 is 10.0.0.0/8.
  const prefix = Number(digits) - (address.version === 4 && text.includes(":") ? 96 : 0);
  if (prefix < 0 || prefix > widthOf(address.version)) return null;
  return { version: address.version, value: clearBeyond(address, prefix), prefix };
}

/** The one spelling of an address (RFC 5952), or null. */
export function canonicalAddress(text: string): string | null {
  const address = parseAddress(text);
  return address === null ? null : formatAddress(address);
}

/** The one spelling of a range; a single address has no `/32` or `/128`. Null when `text` is no range. */
export function canonicalCidr(text: string): string | null {
  const cidr = parseCidr(text);
  return cidr === null ? null : formatCidr(cidr);
}

function formatCidr(cidr: Cidr): string {
  return cidr.prefix === widthOf(cidr.version) ? formatAddress(cidr) : `${formatAddress(cidr)}/${cidr.prefix}`;
}

/** Every range that contains this address or range, itself included, in the one spelling; none when it is neither. */
export function rangesAround(text: string): string[] {
  const inner = parseCidr(text);
  if (inner === null) return [];
  return Array.from({ length: inner.prefix + 1 }, (_, prefix) =>
    formatCidr({ version: inner.version, value: clearBeyond(inner, prefix), prefix }),
  );
}

/**
 * What one limit per address counts as one: an IPv4 address itself, the /64 of an IPv6 one (whoever has one address of a /64
 * has all of them), any other text as it is. The one rule for connections, logins and visitors, on main and in the shards.
 */
export function networkOf(address: string): string {
  if (!address.includes(":")) return address;
  const parsed = parseAddress(address);
  if (parsed === null) return address;
  return parsed.version === 4 ? formatAddress(parsed) : `${(parsed.value >> 64n).toString(16).padStart(16, "0")}/64`;
}

/** Whether every address passes (`0.0.0.0/0` or `::/0`). */
export function isEverything(text: string): boolean {
  return parseCidr(text)?.prefix === 0;
}

/**
 * Compiles ranges for many questions: one set look-up per distinct prefix length. Entries that are no ranges throw,
 * because a list that silently lost an entry would allow or deny the wrong addresses.
 */
export function createCidrList(list: readonly string[]): CidrList {
  const byPrefix: Record<4 | 6, Map<number, Set<bigint>>> = { 4: new Map(), 6: new Map() };
  for (const text of list) {
    const cidr = parseCidr(text);
    if (cidr === null) throw new RangeError(`${JSON.stringify(text)} is not an IP address or range`);
    const sets = byPrefix[cidr.version];
    const set = sets.get(cidr.prefix) ?? new Set<bigint>();
    sets.set(cidr.prefix, set.add(cidr.value));
  }
  return {
    size: list.length,
    matches(text) {
      const address = parseAddress(text);
      if (address === null) return false;
      for (const [prefix, values] of byPrefix[address.version])
        if (values.has(clearBeyond(address, prefix))) return true;
      return false;
    },
  };
}

const loopbackRanges = ["127.0.0.0/8", "::1"] as const;

/** Loopback, private, link-local, shared and unique local ranges: what `private` means in a setting. */
export const privateRanges = [
  ...loopbackRanges,
  "10.0.0.0/8",
  "172.16.0.0/12",
  "192.168.0.0/16",
  "169.254.0.0/16",
  "100.64.0.0/10",
  "fc00::/7",
  "fe80::/10",
] as const;

function clearBeyond(address: Address, prefix: number): bigint {
  const shift = BigInt(widthOf(address.version) - prefix);
  return (address.value >> shift) << shift;
}

function parseIpv4(text: string): bigint | null {
  const parts = text.split(".");
  if (parts.length !== 4) return null;
  let value = 0;
  for (const part of parts) {
    if (!/^(0|[1-9]\d{0,2})$/.test(part) || Number(part) > 255) return null;
    value = value * 256 + Number(part);
  }
  return BigInt(value);
}

function parseIpv6(text: string): bigint | null {
  const halves = text.split("::");
  if (halves.length > 2) return null;
  const head = parseGroups(halves[0] ?? "", halves.length === 1);
  const tail = parseGroups(halves[1] ?? "", true);
  if (head === null || tail === null) return null;
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...Array.from<number>({ length: missing }).fill(0), ...tail];
  return groups.reduce((value, group) => (value << 16n) | BigInt(group), 0n);
}

function parseGroups(text: string, mayEndInIpv4: boolean): number[] | null {
  if (text === "") return [];
  const parts = text.split(":");
  const groups: number[] = [];
  for (const [index, part] of parts.entries()) {
    if (part.includes(".")) {
      const ipv4 = mayEndInIpv4 && index === parts.length - 1 ? parseIpv4(part) : null;
      if (ipv4 === null) return null;
      groups.push(Number(ipv4 >> 16n), Number(ipv4 & 0xffffn));
    } else {
      if (!/^[0-9a-fA-F]{1,4}$/.test(part)) return null;
      groups.push(Number.parseInt(part, 16));
    }
  }
  return groups;
}

function formatAddress({ version, value }: Address): string {
  if (version === 4) return [24n, 16n, 8n, 0n].map((shift) => (value >> shift) & 255n).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => ((value >> BigInt(112 - 16 * i)) & 0xffffn).toString(16));
  let longest = { start: -1, length: 1 };
  for (let start = 0; start < 8; start++) {
    let length = 0;
    while (groups[start + length] === "0") length++;
    if (length > longest.length) longest = { start, length };
  }
  if (longest.start < 0) return groups.join(":");
  return `${groups.slice(0, longest.start).join(":")}::${groups.slice(longest.start + longest.length).join(":")}`;
}

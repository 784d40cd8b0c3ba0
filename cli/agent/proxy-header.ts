// `--proxy-protocol`: tells a local TCP service who its visitor is, ahead of the visitor's first byte (the PROXY protocol of HAProxy, versions 1 and 2).

import { type Address, canonicalAddress, parseAddress } from "../../src/lib/cidr.ts";
import { latin1 } from "../../src/lib/bytes.ts";

export type ProxyProtocol = "v1" | "v2";

interface Endpoint {
  /** Canonical. */
  text: string;
  address: Address;
  port: number;
}

const none = Buffer.alloc(0);
const signature = Buffer.from("\r\n\r\n\0\r\nQUIT\n", "latin1");
/** Version 2, command PROXY; then TCP over IPv4 or IPv6. */
const versionAndCommand = 0x21;
const family = { 4: 0x11, 6: 0x21 } as const;

/**
 * The header for a connection that the head of a RAW stream describes: visitor, space, the address it connected to. Null when it names no such
 * two: then the service must hear nothing at all, or it takes the visitor for a program of this machine. Empty where no header is wanted.
 */
export function proxyHeader(
  version: ProxyProtocol | undefined,
  bytes: Uint8Array,
  start: number,
  end: number,
): Buffer | null {
  if (version === undefined) return none;
  const ends = parseEnds(bytes, start, end);
  if (ends === null) return null;
  return version === "v1" ? textHeader(...ends) : binaryHeader(...ends);
}

/** The two ends that the head of a RAW stream names: the visitor's, and the one it connected to. Null when it names no such two. */
export function parseEnds(bytes: Uint8Array, start: number, end: number): [Endpoint, Endpoint] | null {
  const [visitor, server, more] = latin1(bytes, start, end).split(" ").map(parseEndpoint);
  if (!visitor || !server || more !== undefined || visitor.address.version !== server.address.version) return null;
  return [visitor, server];
}

function textHeader(visitor: Endpoint, server: Endpoint): Buffer {
  const protocol = `TCP${visitor.address.version}`;
  return Buffer.from(`PROXY ${protocol} ${visitor.text} ${server.text} ${visitor.port} ${server.port}\r\n`, "latin1");
}

function binaryHeader(visitor: Endpoint, server: Endpoint): Buffer {
  const { version } = visitor.address;
  const addressBytes = version === 4 ? 4 : 16;
  const header = Buffer.alloc(signature.length + 4 + 2 * addressBytes + 4);
  signature.copy(header);
  let at = header.writeUInt8(versionAndCommand, signature.length);
  at = header.writeUInt8(family[version], at);
  at = header.writeUInt16BE(2 * addressBytes + 4, at);
  for (const { address } of [visitor, server]) {
    header.write(address.value.toString(16).padStart(2 * addressBytes, "0"), at, "hex");
    at += addressBytes;
  }
  for (const { port } of [visitor, server]) at = header.writeUInt16BE(port, at);
  return header;
}

/** Reads `1.2.3.4:5` or `[::1]:5`; null for anything else. */
function parseEndpoint(text: string): Endpoint | null {
  const parts = /^(?:\[([0-9a-f:.]+)\]|([0-9.]+)):([0-9]{1,5})$/.exec(text);
  const host = parts?.[1] ?? parts?.[2] ?? "";
  const [address, canonical, port] = [parseAddress(host), canonicalAddress(host), Number(parts?.[3])];
  if (address === null || canonical === null || !(port >= 1 && port <= 65_535)) return null;
  return { text: canonical, address, port };
}

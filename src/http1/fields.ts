// Byte tables and the few field names the data path must know, recognised without making a string.

/** Lower-cased token bytes (RFC 9110 tchar), with `_` as `-`; 0 where a byte is not allowed in a token. */
export const canonicalToken = new Uint8Array(256);
for (const c of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")
  canonicalToken[c.charCodeAt(0)] = c.charCodeAt(0);
for (let c = 65; c <= 90; c++) canonicalToken[c] = c + 32;
canonicalToken[95] = 45;

/** 1 for bytes allowed in a method: a token without lower-case letters, as llhttp and nginx want it. */
export const methodByte = canonicalToken.map((byte) => (byte === 0 ? 0 : 1));
for (let c = 97; c <= 122; c++) methodByte[c] = 0;

/** 1 for bytes allowed inside a field value: HTAB, SP, visible ASCII and obs-text (RFC 9110 5.5). */
export const valueByte = new Uint8Array(256).fill(1, 0x20);
valueByte[0x7f] = 0;
valueByte[0x09] = 1;

/** 1 for bytes allowed in a request target: visible ASCII without `#` and `\`. */
export const targetByte = new Uint8Array(256).fill(1, 0x21, 0x7f);
targetByte[0x23] = 0;
targetByte[0x5c] = 0;

// Ids of the names below; everything else is OTHER. Ids of one group are contiguous so that a group is a range check.
export const OTHER = 0;
export const HOST = 1;
export const CONTENT_LENGTH = 2;
export const TRANSFER_ENCODING = 3;
export const CONNECTION = 4;
export const UPGRADE = 5;
export const KEEP_ALIVE = 6;
export const PROXY_CONNECTION = 7;
export const PROXY_AUTHENTICATE = 8;
export const PROXY_AUTHORIZATION = 9;
export const TE = 10;
/** Last of the hop-by-hop names (RFC 9110 7.6.1); CONNECTION is the first. */
export const LAST_HOP = TE;
export const FORWARDED = 11;
/** `x-forwarded-*`, `x-real-ip`, `x-request-id` and `x-digit-link-*`: ours to say, never a visitor's. */
export const X_FORWARDED_FOR = 12;
export const X_FORWARDED_PROTO = 13;
/** How often a request that comes back was forwarded: see `hopsOf`. */
export const X_DIGIT_LINK_HOPS = 14;
export const IDENTITY = 15;
export const EXPECT = 16;
export const ACCEPT = 17;
export const COOKIE = 18;
export const SET_COOKIE = 19;
export const AUTHORIZATION = 20;
export const X_API_KEY = 21;
export const SEC_WEBSOCKET_KEY = 22;
export const SEC_WEBSOCKET_VERSION = 23;
export const ORIGIN = 24;
export const TRAILER = 25;
export const ACCESS_CONTROL_REQUEST_METHOD = 26;

const names: Record<string, number> = {
  host: HOST,
  "content-length": CONTENT_LENGTH,
  "transfer-encoding": TRANSFER_ENCODING,
  connection: CONNECTION,
  upgrade: UPGRADE,
  "keep-alive": KEEP_ALIVE,
  "proxy-connection": PROXY_CONNECTION,
  "proxy-authenticate": PROXY_AUTHENTICATE,
  "proxy-authorization": PROXY_AUTHORIZATION,
  te: TE,
  forwarded: FORWARDED,
  "x-forwarded-for": X_FORWARDED_FOR,
  "x-forwarded-proto": X_FORWARDED_PROTO,
  "x-digit-link-hops": X_DIGIT_LINK_HOPS,
  "x-real-ip": IDENTITY,
  "x-request-id": IDENTITY,
  expect: EXPECT,
  accept: ACCEPT,
  cookie: COOKIE,
  "set-cookie": SET_COOKIE,
  authorization: AUTHORIZATION,
  "x-api-key": X_API_KEY,
  "sec-websocket-key": SEC_WEBSOCKET_KEY,
  "sec-websocket-version": SEC_WEBSOCKET_VERSION,
  origin: ORIGIN,
  trailer: TRAILER,
  "access-control-request-method": ACCESS_CONTROL_REQUEST_METHOD,
};

const tableMask = 0x3ff;
const tableId = new Uint8Array(tableMask + 1);
const spelled: Uint8Array[] = [];

/** One step of the hash that a parser runs over canonical bytes; start at 0. */
export function hashStep(hash: number, canonicalByte: number): number {
  return (Math.imul(hash, 33) ^ canonicalByte) & 0x3fffffff;
}

for (const name of Object.keys(names)) {
  let hash = 0;
  for (let i = 0; i < name.length; i++) hash = hashStep(hash, name.charCodeAt(i));
  let slot = (hash ^ (hash >>> 10)) & tableMask;
  while (tableId[slot] !== 0) slot = (slot + 1) & tableMask;
  spelled.push(Uint8Array.from(name, (c) => c.charCodeAt(0)));
  tableId[slot] = spelled.length;
}
const idOfSpelling = Uint8Array.from(Object.values(names));
const ourPrefixes = ["x-forwarded-", "x-digit-link-"].map((p) => Uint8Array.from(p, (c) => c.charCodeAt(0)));

/** The id of the name at `bytes[start..end)` whose canonical hash is `hash`; OTHER when it is none of ours. */
export function fieldId(bytes: Uint8Array, start: number, end: number, hash: number): number {
  for (let slot = (hash ^ (hash >>> 10)) & tableMask; tableId[slot] !== 0; slot = (slot + 1) & tableMask) {
    const index = tableId[slot]! - 1;
    if (spelled[index]!.length === end - start && startsWith(bytes, start, end, spelled[index]!))
      return idOfSpelling[index]!;
  }
  if ((bytes[start]! | 0x20) === 0x78 && end - start > 12) {
    for (const prefix of ourPrefixes) if (startsWith(bytes, start, end, prefix)) return IDENTITY;
  }
  return OTHER;
}

/** Whether the canonical form of `bytes[start..end)` starts with `prefix` (canonical itself). */
function startsWith(bytes: Uint8Array, start: number, end: number, prefix: Uint8Array): boolean {
  if (end - start < prefix.length) return false;
  for (let i = 0; i < prefix.length; i++) if (canonicalToken[bytes[start + i]!] !== prefix[i]) return false;
  return true;
}

/** Whether two names are the same canonically (`_` = `-`, case folded). */
export function sameName(
  a: Uint8Array,
  aStart: number,
  aEnd: number,
  b: Uint8Array,
  bStart: number,
  bEnd: number,
): boolean {
  if (aEnd - aStart !== bEnd - bStart) return false;
  for (let i = 0; i < aEnd - aStart; i++)
    if (canonicalToken[a[aStart + i]!] !== canonicalToken[b[bStart + i]!]) return false;
  return true;
}

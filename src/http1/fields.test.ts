// Byte tables and name recognition, against plain string code.

import { describe, expect, test } from "bun:test";
import * as fields from "./fields.ts";

const byte = (c: number): string => String.fromCharCode(c);

/** The id of `name` as the parser finds it. */
function idOf(name: string): number {
  const bytes = Buffer.from(`..${name}..`, "latin1");
  let hash = 0;
  for (const c of name) hash = fields.hashStep(hash, fields.canonicalToken[c.charCodeAt(0)]!);
  return fields.fieldId(bytes, 2, 2 + name.length, hash);
}

describe("byte tables", () => {
  test("each byte is in exactly the classes that the RFCs say", () => {
    for (let c = 0; c < 256; c++) {
      const token = /^[!#$%&'*+.^_`|~0-9A-Za-z-]$/.test(byte(c));
      expect([c, fields.canonicalToken[c]]).toEqual([
        c,
        token ? byte(c).toLowerCase().replace("_", "-").charCodeAt(0) : 0,
      ]);
      expect([c, fields.methodByte[c]]).toEqual([c, token && !/[a-z]/.test(byte(c)) ? 1 : 0]);
      expect([c, fields.valueByte[c]]).toEqual([c, c === 9 || (c >= 32 && c !== 127) ? 1 : 0]);
      expect([c, fields.targetByte[c]]).toEqual([c, c > 32 && c < 127 && c !== 35 && c !== 92 ? 1 : 0]);
    }
  });
});

describe("names", () => {
  const known: [string, number][] = [
    ["Host", fields.HOST],
    ["Content-Length", fields.CONTENT_LENGTH],
    ["Transfer-Encoding", fields.TRANSFER_ENCODING],
    ["Connection", fields.CONNECTION],
    ["Upgrade", fields.UPGRADE],
    ["Keep-Alive", fields.KEEP_ALIVE],
    ["Proxy-Connection", fields.PROXY_CONNECTION],
    ["Proxy-Authenticate", fields.PROXY_AUTHENTICATE],
    ["Proxy-Authorization", fields.PROXY_AUTHORIZATION],
    ["TE", fields.TE],
    ["Forwarded", fields.FORWARDED],
    ["X-Forwarded-For", fields.X_FORWARDED_FOR],
    ["X-Forwarded-Proto", fields.X_FORWARDED_PROTO],
    ["X-Digit-Link-Hops", fields.X_DIGIT_LINK_HOPS],
    ["X-Forwarded-Host", fields.IDENTITY],
    ["X-Real-IP", fields.IDENTITY],
    ["X-Request-Id", fields.IDENTITY],
    ["X-Forwarded-A", fields.IDENTITY],
    ["X-Digit-Link-A", fields.IDENTITY],
    ["X-Digit-Link-User", fields.IDENTITY],
    ["Expect", fields.EXPECT],
    ["Accept", fields.ACCEPT],
    ["Cookie", fields.COOKIE],
    ["Set-Cookie", fields.SET_COOKIE],
    ["Authorization", fields.AUTHORIZATION],
    ["X-Api-Key", fields.X_API_KEY],
    ["Sec-WebSocket-Key", fields.SEC_WEBSOCKET_KEY],
    ["Sec-WebSocket-Version", fields.SEC_WEBSOCKET_VERSION],
    ["Origin", fields.ORIGIN],
    ["Trailer", fields.TRAILER],
    ["Access-Control-Request-Method", fields.ACCESS_CONTROL_REQUEST_METHOD],
  ];

  test.each(known)("%s in any spelling", (name, id) => {
    for (const spelling of [name, name.toLowerCase(), name.toUpperCase(), name.replaceAll("-", "_")])
      expect([spelling, idOf(spelling)]).toEqual([spelling, id]);
  });

  test.each(known)("nothing that only resembles %s", (name) => {
    if (!/^x-(forwarded|digit-link)-/i.test(name))
      expect([idOf(`${name}x`), idOf(name.slice(0, -1))]).toEqual([fields.OTHER, fields.OTHER]);
    expect([idOf(`x${name}`), idOf(name.slice(1))]).toEqual([fields.OTHER, fields.OTHER]);
  });

  test("groups are contiguous: hop-by-hop from CONNECTION to LAST_HOP, identity from FORWARDED to IDENTITY", () => {
    const ids = known.map(([, id]) => id);
    for (let id = fields.CONNECTION; id <= fields.IDENTITY; id++) expect(ids).toContain(id);
    expect(fields.LAST_HOP + 1).toBe(fields.FORWARDED);
  });
});

test("sameName folds case and _", () => {
  const same = (a: string, b: string): boolean =>
    fields.sameName(Buffer.from(a), 0, a.length, Buffer.from(`.${b}`), 1, 1 + b.length);
  expect([same("X-A", "x_a"), same("X-A", "x-ab"), same("X-A", "x-b"), same("", "")]).toEqual([
    true,
    false,
    false,
    true,
  ]);
});

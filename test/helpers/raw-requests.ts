// The raw-request matrix: what a visitor may send byte for byte, what it gets, and what the local service sees of it.

import {
  badBodies,
  badHeads,
  badMethods,
  endlessHeads,
  foreignHosts,
  largeBodies,
  largeHeads,
  unknownNames,
} from "./raw-refusals.ts";
import type { Field } from "./strict-http.ts";

export type Refusal = "400" | "404" | "405" | "408" | "413" | "421" | "431";

/** One request that must reach the local service. */
export interface Forwarded {
  method: string;
  target: string;
  /** Latin1. */
  body: string;
  framing: "none" | "length" | "chunked";
  /** Whole lines, without CRLF, that its head must hold byte for byte; with placeholders. */
  has?: string[];
  /** Texts that its head must not hold anywhere, in any case. */
  lacks?: string[];
  trailers?: Field[];
}

export interface RawRequestCase {
  name: string;
  /** Latin1 with placeholders: {HOST} the tunnel's host without port, {HOST_UPPER} the same in capitals, {DOMAIN} the base domain. */
  bytes: string;
  expect: Refusal | { forwarded: Forwarded; next?: Forwarded | Refusal };
  /** Refused in its body: the local service may see the request begin, but never complete. */
  begins: boolean;
  /** The server closes the connection behind its last answer; otherwise it serves one more request. */
  closes: boolean;
}

/** The settings that the matrix is written for. */
export const rawRequestLimits = { maxBodyBytes: 1024 * 1024, headTimeoutMs: 1_000 };

/** Puts names in place of the placeholders. `host` is `NAME.DOMAIN` without a port. */
export function renderRawRequest(bytes: string, host: string): string {
  return bytes
    .replaceAll("{HOST}", host)
    .replaceAll("{HOST_UPPER}", host.toUpperCase())
    .replaceAll("{DOMAIN}", host.slice(host.indexOf(".") + 1));
}

const H = "Host: {HOST}\r\n";

const refusals = (table: Record<string, string>, expect: Refusal, closes: boolean, begins = false): RawRequestCase[] =>
  Object.entries(table).map(([name, bytes]) => ({ name: `${expect}: ${name}`, bytes, expect, closes, begins }));

type Extra = Pick<Forwarded, "has" | "lacks" | "trailers">;

const passes = (name: string, bytes: string, forwarded: Forwarded, closes = false): RawRequestCase => ({
  name: `forwarded: ${name}`,
  bytes,
  expect: { forwarded },
  closes,
  begins: false,
});

const get = (target: string, extra: Extra = {}): Forwarded => ({
  method: "GET",
  target,
  body: "",
  framing: "none",
  ...extra,
});
const post = (body: string, framing: "length" | "chunked", extra: Extra = {}): Forwarded => ({
  method: "POST",
  target: "/m",
  body,
  framing,
  ...extra,
});

/** A target that must arrive byte for byte. */
const target = (path: string): RawRequestCase =>
  passes(`target ${path}`, `GET ${path} HTTP/1.1\r\n${H}\r\n`, get(path));
/** A GET with `lines` behind its Host. */
const lines = (name: string, text: string, extra: Extra, closes = false): RawRequestCase =>
  passes(name, `GET /m HTTP/1.1\r\n${H}${text}\r\n`, get("/m", extra), closes);
const host = (name: string, value: string): RawRequestCase =>
  passes(name, `GET /m HTTP/1.1\r\nHost:${value}\r\n\r\n`, get("/m"));
const sized = (name: string, text: string, body: string): RawRequestCase =>
  passes(
    name,
    `POST /m HTTP/1.1\r\n${H}${text}\r\n\r\n${body}`,
    post(body, "length", { has: [`Content-Length: ${body.length}`] }),
  );
const chunked = (name: string, wire: string, body: string, extra: Extra = {}): RawRequestCase =>
  passes(
    name,
    `POST /m HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n${wire}`,
    post(body, "chunked", { has: ["Transfer-Encoding: chunked"], ...extra }),
  );

const inner = `GET /smuggled HTTP/1.1\r\nHost: {HOST}\r\n\r\n`;
const simple = `GET /m HTTP/1.1\r\n${H}\r\n`;
const identityNames = [
  "X-Forwarded-For",
  "x_forwarded_for",
  "X-FORWARDED_FOR",
  "X-Forwarded-Proto",
  "X-Forwarded-Host",
  "X-Forwarded-User",
  "X-Real-IP",
  "X_Real_IP",
  "Forwarded",
  "X-Request-Id",
  "X-Digit-Link-User",
  "x_digit_link_email",
];

const forwarded: RawRequestCase[] = [
  ...[
    "/",
    "//",
    "//evil.example/x",
    "/a//b",
    "/a/../b",
    "/%2e%2e/x",
    "/a%2Fb",
    "/%00",
    "/a;b=c",
    "/?",
    "/m?a=b?c=/../",
    "/~!$&'()*+,;=:@",
    '/[]{}<>|^`"',
    "/%",
  ].map(target),
  host("Host with a port", " {HOST}:8080"),
  host("Host in capitals", " {HOST_UPPER}"),
  host("Host with a dot behind", " {HOST}."),
  host("Host with a dot and a port", " {HOST}.:80"),
  host("Host without a space", "{HOST}"),
  host("Host with spaces and tabs", "\t {HOST} \t"),
  lines("spaces, order and duplicates stay", "x-B:  2 \t\r\nX-A:1\r\nx-b: 3\r\nX-Empty:\r\n", {
    has: ["x-B:  2 \t", "X-A:1", "x-b: 3", "X-Empty:"],
  }),
  lines("8-bit values stay", "X-A: \xe9\xff\x80\r\n", { has: ["X-A: \xe9\xff\x80"] }),
  lines("token characters in names", "!#$%&'*+-.^_`|~1: x\r\n", { has: ["!#$%&'*+-.^_`|~1: x"] }),
  lines(
    "hop-by-hop fields are dropped",
    "Keep-Alive: evil\r\nkeep_alive: evil\r\nPROXY-connection: evil\r\nProxy-Authorization: evil\r\nTE: evil\r\n",
    { lacks: ["evil"] },
  ),
  lines(
    "fields named in Connection are dropped",
    "x-One: evil\r\nConnection: X-ONE,\tx_two\r\nX-Two: evil\r\nX_Two: evil\r\nX-Three: 3\r\n",
    { has: ["X-Three: 3"], lacks: ["evil", "connection"] },
  ),
  lines("Connection cannot name Host away", "Connection: host\r\n", { has: ["Host: {HOST}"] }),
  lines("Connection: close", "Connection: close\r\n", {}, true),
  lines("Connection: CLOSE in a list", "Connection: x-a, CLOSE\r\nX-A: evil\r\n", { lacks: ["evil"] }, true),
  lines(
    "an upgrade to h2c is stripped",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: evil\r\n",
    { lacks: ["upgrade", "h2c", "evil"] },
  ),
  lines("Upgrade without Connection is stripped", "Upgrade: websocket\r\n", { lacks: ["upgrade"] }),
  lines("200 fields", "X-A: b\r\n".repeat(199), { has: ["X-A: b"] }),
  lines("a head of 60 KiB", `X-A: ${"a".repeat(60_000)}\r\n`, { has: [`X-A: ${"a".repeat(60_000)}`] }),
  ...identityNames.map((name) =>
    lines(`a visitor's ${name} is dropped`, `${name}: evil\r\nX-A: 1\r\n${name}:evil2\r\n`, {
      has: ["X-A: 1"],
      lacks: ["evil"],
    }),
  ),
  passes("HTTP/1.0", `GET /m HTTP/1.0\r\n${H}\r\n`, get("/m"), true),
  passes("HTTP/1.0 with keep-alive", `GET /m HTTP/1.0\r\n${H}Connection: keep-alive\r\n\r\n`, get("/m")),
  passes(
    "HTTP/1.0 with Expect",
    `POST /m HTTP/1.0\r\n${H}Content-Length: 2\r\nExpect: 100-continue\r\n\r\nhi`,
    post("hi", "length", { lacks: ["expect"] }),
    true,
  ),
  passes("another method", `PURGE /m HTTP/1.1\r\n${H}\r\n`, { ...get("/m"), method: "PURGE" }),
  passes("OPTIONS with a path", `OPTIONS /m HTTP/1.1\r\n${H}\r\n`, { ...get("/m"), method: "OPTIONS" }),
  passes("a GET with a body", `GET /m HTTP/1.1\r\n${H}Content-Length: 5\r\n\r\nhello`, {
    ...get("/m"),
    body: "hello",
    framing: "length",
  }),
  sized("a length", "Content-Length: 5", "hello"),
  sized("a length of 0", "Content-Length: 0", ""),
  sized("leading zeros are written anew", "Content-Length: 0005", "hello"),
  sized("a length without a space", "Content-Length:5", "hello"),
  sized(
    "a body that looks like a request",
    `Content-Length: ${`GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`.length}`,
    `GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`,
  ),
  chunked("chunks", "5\r\nhello\r\n1\r\n!\r\n0\r\n\r\n", "hello!"),
  chunked("no chunk", "0\r\n\r\n", ""),
  chunked("sizes with zeros and capitals", "00A\r\n0123456789\r\n000\r\n\r\n", "0123456789"),
  chunked("extensions are dropped", '5;evil;a=b;c="d e"\r\nhello\r\n0;evil\r\n\r\n', "hello", { lacks: ["evil"] }),
  chunked("chunk data that looks like framing", "7\r\n\r\n0\r\n\r\n\r\n0\r\n\r\n", "\r\n0\r\n\r\n"),
  chunked("trailers", "0\r\nX-T: 1\r\ngrpc-status:0\r\n\r\n", "", {
    trailers: [
      ["X-T", "1"],
      ["grpc-status", "0"],
    ],
  }),
  chunked(
    "forbidden trailers are dropped",
    "0\r\nHost: evil\r\nX-T: 1\r\nx_forwarded_for: evil\r\nAuthorization: evil\r\nConnection: evil\r\n\r\n",
    "",
    { trailers: [["X-T", "1"]] },
  ),
];

const pipelined: RawRequestCase[] = [
  {
    name: "pipelined: two requests",
    bytes: `${simple}GET /n HTTP/1.1\r\n${H}\r\n`,
    expect: { forwarded: get("/m"), next: get("/n") },
    begins: false,
    closes: false,
  },
  {
    name: "pipelined: a chunked body, then a request",
    bytes: `POST /m HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n${inner}`,
    expect: { forwarded: post("hi", "chunked"), next: get("/smuggled") },
    begins: false,
    closes: false,
  },
  {
    name: "pipelined: a request, then rubbish",
    bytes: `${simple}\0\0\0\0`,
    expect: { forwarded: get("/m"), next: "400" },
    begins: false,
    closes: true,
  },
  {
    name: "pipelined: a length that is too short",
    bytes: `POST /m HTTP/1.1\r\n${H}Content-Length: 2\r\n\r\nhi there\r\n\r\n`,
    expect: { forwarded: post("hi", "length"), next: "400" },
    begins: false,
    closes: true,
  },
  {
    name: "pipelined: two empty lines between",
    bytes: `${simple}\r\n\r\n${simple}`,
    expect: { forwarded: get("/m"), next: "400" },
    begins: false,
    closes: true,
  },
  {
    name: "pipelined: behind Connection: close nothing is read",
    bytes: `GET /m HTTP/1.1\r\n${H}Connection: close\r\n\r\n${inner}`,
    expect: { forwarded: get("/m") },
    begins: false,
    closes: true,
  },
  {
    name: "pipelined: behind HTTP/1.0 nothing is read",
    bytes: `GET /m HTTP/1.0\r\n${H}\r\n${inner}`,
    expect: { forwarded: get("/m") },
    begins: false,
    closes: true,
  },
  {
    name: "pipelined: an unknown host second",
    bytes: `${simple}GET /m HTTP/1.1\r\nHost: evil.example\r\n\r\n`,
    expect: { forwarded: get("/m"), next: "421" },
    begins: false,
    closes: true,
  },
];

/** The whole matrix. Names are unique. */
export const rawRequests: readonly RawRequestCase[] = [
  ...refusals(badHeads, "400", true),
  ...refusals(badBodies, "400", true, true),
  ...refusals(badMethods, "405", true),
  ...refusals(endlessHeads, "408", true),
  ...refusals(largeBodies, "413", true),
  ...refusals(foreignHosts, "421", true),
  ...refusals(largeHeads, "431", true),
  ...refusals(unknownNames, "404", false),
  {
    name: "413: chunks above the limit",
    bytes: `POST /m HTTP/1.1\r\n${H}Transfer-Encoding: chunked\r\n\r\n100001\r\n${"a".repeat(0x100001)}\r\n0\r\n\r\n`,
    expect: "413",
    begins: true,
    closes: true,
  },
  ...forwarded,
  ...pipelined,
];

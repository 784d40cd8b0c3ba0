// Answers of a broken or hostile local service, and what a visitor must see instead.

export interface GarbageAnswer {
  bytes: string;
  /** The service closes its connection behind it. */
  thenCloses: boolean;
  /** "502": an error of ours. "broken": a head may have passed, but the connection visibly breaks. */
  visitor: "502" | "broken";
}

const refused = (bytes: string, thenCloses = false): GarbageAnswer => ({ bytes, thenCloses, visitor: "502" });
const broken = (bytes: string, thenCloses = false): GarbageAnswer => ({ bytes, thenCloses, visitor: "broken" });

const ok = "HTTP/1.1 200 OK\r\n";
const chunked = `${ok}Transfer-Encoding: chunked\r\n\r\n`;

/** By name; `/garbage/NAME` of the local service sends one. */
export const garbageAnswers: Record<string, GarbageAnswer> = {
  "not-http": refused("220 mail.example ESMTP\r\n", true),
  binary: refused("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", true),
  html: refused("<!doctype html><p>hi</p>\r\n\r\n", true),
  "empty-line-first": refused(`\r\n${ok}Content-Length: 0\r\n\r\n`, true),
  "http-0.9": refused("hello", true),
  "http-2": refused("HTTP/2 200 OK\r\nContent-Length: 0\r\n\r\n", true),
  "http-1.2": refused("HTTP/1.2 200 OK\r\nContent-Length: 0\r\n\r\n", true),
  "status-99": refused("HTTP/1.1 099 Low\r\nContent-Length: 0\r\n\r\n", true),
  "status-600": refused("HTTP/1.1 600 High\r\nContent-Length: 0\r\n\r\n", true),
  "status-letters": refused("HTTP/1.1 2O0 OK\r\nContent-Length: 0\r\n\r\n", true),
  "status-missing": refused("HTTP/1.1 OK\r\nContent-Length: 0\r\n\r\n", true),
  "status-four-digits": refused("HTTP/1.1 2000 OK\r\nContent-Length: 0\r\n\r\n", true),
  "reason-nul": refused("HTTP/1.1 200 O\0K\r\nContent-Length: 0\r\n\r\n", true),
  "reason-bare-cr": refused("HTTP/1.1 200 OK\rX-Evil: 1\r\nContent-Length: 0\r\n\r\n", true),
  "bare-lf": refused("HTTP/1.1 200 OK\nContent-Length: 0\n\n", true),
  "value-nul": refused(`${ok}X-A: a\0b\r\nContent-Length: 0\r\n\r\n`, true),
  "value-bare-lf": refused(`${ok}X-A: a\nSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n`, true),
  "value-bare-cr": refused(`${ok}X-A: a\rSet-Cookie: evil=1\r\nContent-Length: 0\r\n\r\n`, true),
  "name-space": refused(`${ok}X A: b\r\nContent-Length: 0\r\n\r\n`, true),
  "name-space-colon": refused(`${ok}X-A : b\r\nContent-Length: 0\r\n\r\n`, true),
  "name-empty": refused(`${ok}: b\r\nContent-Length: 0\r\n\r\n`, true),
  "name-8-bit": refused(`${ok}X-\xe9: b\r\nContent-Length: 0\r\n\r\n`, true),
  "no-colon": refused(`${ok}X-A\r\nContent-Length: 0\r\n\r\n`, true),
  "obs-fold": refused(`${ok}X-A: b\r\n c\r\nContent-Length: 0\r\n\r\n`, true),
  "cl-te": refused(`${ok}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, true),
  "cl-cl": refused(`${ok}Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!`, true),
  "cl-same-twice": refused(`${ok}Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello`, true),
  "cl-list": refused(`${ok}Content-Length: 5, 5\r\n\r\nhello`, true),
  "cl-negative": refused(`${ok}Content-Length: -1\r\n\r\n`, true),
  "cl-plus": refused(`${ok}Content-Length: +5\r\n\r\nhello`, true),
  "te-gzip": refused(`${ok}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n`, true),
  "te-1.0": refused("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", true),
  "head-too-large": refused(`${ok}X-A: ${"a".repeat(70_000)}\r\nContent-Length: 0\r\n\r\n`, true),
  "too-many-fields": refused(`${ok}${"X-A: b\r\n".repeat(201)}Content-Length: 0\r\n\r\n`, true),
  "101-unasked": refused("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", true),
  "head-cut": refused(`${ok}Content-Le`, true),
  "body-short": broken(`${ok}Content-Length: 100\r\n\r\nshort`, true),
  "chunk-size": broken(`${chunked}zz\r\nhello\r\n0\r\n\r\n`, true),
  "chunk-size-0x": broken(`${chunked}0x5\r\nhello\r\n0\r\n\r\n`, true),
  "chunk-too-long": broken(`${chunked}3\r\nhello\r\n0\r\n\r\n`, true),
  "chunk-lf": broken(`${chunked}5\nhello\n0\n\n`, true),
  "chunk-cut": broken(`${chunked}5\r\nhel`, true),
  "chunk-no-end": broken(`${chunked}5\r\nhello\r\n`, true),
  "trailer-malformed": broken(`${chunked}5\r\nhello\r\n0\r\nbad trailer\r\n\r\n`, true),
  "trailer-framing": broken(`${chunked}5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n`, true),
};

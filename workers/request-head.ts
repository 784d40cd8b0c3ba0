// Writes the head that the local service gets: the visitor's bytes without what may not pass, ours added.

import { SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION } from "../src/http1/fields.ts";
import {
  copyFields,
  FRAMED_CHUNKED,
  FRAMED_NOT,
  putCrlf,
  putText,
  request10Rules,
  requestRules,
} from "../src/http1/copy.ts";
import type { Head } from "../src/http1/head.ts";
import { maxHeadBytes } from "../src/http1/parsing.ts";
import { copyBytes, latin1 } from "../src/lib/bytes.ts";
import { putRequestId } from "../src/lib/request-id.ts";
import { type Shown, stripOurs } from "./policy/shown.ts";
import type { Pass } from "./policy/verdict.ts";

/** Where the last head was written. Valid until the next one. */
export const requestScratch = Buffer.allocUnsafeSlow(maxHeadBytes + 8 * 1024);

/** Whether the local service is to be asked for a WebSocket (RFC 6455 4.2.1); any other Upgrade is stripped. */
export function isWebSocketUpgrade(head: Head): boolean {
  return (
    head.upgrade >= 0 &&
    head.minor === 1 &&
    head.contentLength <= 0 &&
    !head.chunked &&
    head.methodEnd - head.start === 3 &&
    head.wantsWebSocket &&
    latin1(head.bytes, head.start, head.methodEnd) === "GET" &&
    head.only(SEC_WEBSOCKET_VERSION) === "13" &&
    head.only(SEC_WEBSOCKET_KEY) !== null
  );
}

/**
 * Writes the head of `head`'s request into `requestScratch`; returns its length. `shown`: what it shows, null where that was not asked for. What
 * we add: `lines`, whole header lines the last of which ends with the name of the request's id, that id, who passed, an upgrade, and for a request
 * that has been here `hops` times that it is here once more.
 */
export function writeRequestHead(
  head: Head,
  shown: Shown | null,
  lines: Buffer,
  request: number,
  pass: Pass,
  upgrade: boolean,
  hops: number,
): number {
  const out = requestScratch;
  let extra = shown === null ? stripOurs(head, pass.strip) : shown.strip(head, pass.strip);
  const framing = head.chunked ? FRAMED_CHUNKED : head.contentLength >= 0 ? head.contentLength : FRAMED_NOT;
  let at = 0;
  if (head.minor === 1) at = copyFields(head, requestRules, framing, out, at, head.start);
  else {
    at = copyBytes(head.bytes, head.start, head.targetEnd, out, at);
    at = putText(" HTTP/1.1\r\n", out, at);
    at = copyFields(head, request10Rules, framing, out, at);
  }
  const { user, email } = pass;
  if (user !== null) extra += `X-Digit-Link-User: ${user}\r\n`;
  if (email !== null) extra += `X-Digit-Link-Email: ${email}\r\n`;
  if (upgrade) extra += "Connection: Upgrade\r\nUpgrade: websocket\r\n";
  if (hops > 0) extra += `X-Digit-Link-Hops: ${hops + 1}\r\n`;
  if (extra !== "") at = putText(extra, out, at);
  at = putRequestId(request, out, copyBytes(lines, 0, lines.length, out, at));
  return putCrlf(out, putCrlf(out, at));
}

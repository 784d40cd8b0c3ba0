// One response on its way to a visitor: somebody's head copied and re-framed, the body in that framing.

import { cleanTrailers } from "../http1/body.ts";
import { writeLastChunk } from "../http1/chunks.ts";
import {
  copyFields,
  FRAMED_CHUNKED,
  FRAMED_NOT,
  putChunkSize,
  putCrlf,
  putText,
  responseRules,
} from "../http1/copy.ts";
import { SET_COOKIE, TRAILER } from "../http1/fields.ts";
import type { Head } from "../http1/head.ts";
import { copyBytes } from "../lib/bytes.ts";
import type { VisitorConnection } from "./connection.ts";
import { corkBuffer, corkCommit, corkReserve } from "./cork.ts";

const crlf = Buffer.from("\r\n");

/** Writes one final response (and the interim ones before it). Whoever uses it ends the exchange itself. */
export class ResponseWriter {
  /** Whether the connection can go on after this response, as far as its framing is concerned. */
  keepAlive = true;
  private framing: "none" | "length" | "chunked" | "close" = "none";
  private remaining = 0;

  constructor(private readonly connection: VisitorConnection) {}

  /** Writes a 1xx as it came, hop-by-hop fields removed; left out for HTTP/1.0. `upgrade`: the 101 of a WebSocket. */
  interim(head: Head, upgrade = false): void {
    if (this.connection.minor === 0) return;
    let at = corkReserve(this.connection, head.end - head.start + 128);
    at = copyHead(head, FRAMED_NOT, at);
    if (upgrade) this.connection.status = 101;
    if (upgrade) at = putText("Connection: Upgrade\r\nUpgrade: websocket\r\n", corkBuffer, at);
    corkCommit(putCrlf(corkBuffer, at));
  }

  /**
   * Writes the final head. `lines[0..linesBytes)`: header lines of ours, each ending in CRLF, used during the call.
   * `mayKeepAlive`: the server wants to go on.
   */
  begin(head: Head, mayKeepAlive: boolean, lines: Buffer, linesBytes: number): void {
    const { connection } = this;
    const { status, contentLength } = head;
    connection.isAnswering = true;
    connection.status = status;
    // RFC 9112 6.3: what has no body, what says its length, and what must be delimited by us.
    if (connection.isHead || status === 204 || status === 304) this.framing = "none";
    else if (contentLength >= 0) this.framing = "length";
    else this.framing = connection.minor === 1 ? "chunked" : "close";
    this.remaining = this.framing === "length" ? contentLength : 0;
    if (this.framing === "close") connection.endsByClose();
    // An answer that begins before its request has ended may well end before it, too: then the connection closes.
    this.keepAlive = mayKeepAlive && connection.mayKeepAlive && this.framing !== "close" && connection.body.done;
    const hasLength = this.framing === "length" || (this.framing === "none" && contentLength >= 0 && status !== 204);
    const framed = this.framing === "chunked" ? FRAMED_CHUNKED : hasLength ? contentLength : FRAMED_NOT;
    let at = corkReserve(connection, head.end - head.start + linesBytes + 160);
    at = copyHead(head, framed, at);
    if (!this.keepAlive) at = putText("Connection: close\r\n", corkBuffer, at);
    else if (connection.minor === 0) at = putText("Connection: keep-alive\r\n", corkBuffer, at);
    if (linesBytes > 0) at = copyBytes(lines, 0, linesBytes, corkBuffer, at);
    corkCommit(putCrlf(corkBuffer, at));
  }

  /** Writes body bytes. False: more than was declared, or none are allowed; nothing was written then. */
  data(bytes: Uint8Array, start: number, end: number): boolean {
    const length = end - start;
    const { connection } = this;
    if (this.framing === "none" || (this.framing === "length" && length > this.remaining)) return false;
    if (this.framing === "length") this.remaining -= length;
    if (this.framing === "chunked") corkCommit(putChunkSize(length, corkBuffer, corkReserve(connection, 10)));
    connection.write(bytes, start, end);
    if (this.framing === "chunked") connection.write(crlf, 0, 2);
    return true;
  }

  /** Ends the body. False: it is shorter than declared, or the trailers are no fields. */
  end(trailers: Uint8Array | null): boolean {
    if (this.framing === "length") return this.remaining === 0;
    if (this.framing !== "chunked") return true;
    const lines = trailers === null ? null : cleanTrailers(trailers);
    if (lines === undefined) return false;
    writeLastChunk(this.connection, lines);
    return true;
  }

  /** Whether a response that ends right behind `head` is complete for this visitor. */
  isComplete(head: Head): boolean {
    const { status } = head;
    return this.connection.isHead || status === 204 || status === 304 || head.contentLength <= 0;
  }
}

/** Status line and fields of a response, into the cork. Our version is 1.1 whatever the other side speaks. */
function copyHead(head: Head, framed: number, at: number): number {
  // A status line needs its second space even without a reason (RFC 9112 4).
  const hasSpace = head.fieldsStart - head.start > 14;
  if (head.minor === 1 && hasSpace) return copyFields(head, responseRules, framed, corkBuffer, at, head.start);
  at = putText("HTTP/1.1 ", corkBuffer, at);
  at = copyBytes(head.bytes, head.start + 9, head.fieldsStart - 2, corkBuffer, at);
  at = putText(hasSpace ? "\r\n" : " \r\n", corkBuffer, at);
  return copyFields(head, responseRules, framed, corkBuffer, at);
}

/** Removes what a tenant's service may not say to a visitor: cookies under our names, a Trailer that announces nothing. */
export function dropReserved(head: Head): void {
  for (let i = 0; i < head.count; i++) {
    const id = head.id[i];
    // `=dl_x=y` sets a cookie without a name, which comes back as `dl_x=y`.
    if (id === SET_COOKIE && /^\s*(?:=\s*)?(?:__Host-|__Secure-)?dl_/i.test(head.value(i))) head.hop[i] = 1;
    else if (id === TRAILER && !head.chunked) head.hop[i] = 1;
  }
}

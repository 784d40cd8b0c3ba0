// Relays one exchange to the control plane's unix socket, with what we know of the visitor in headers of ours.

import { writeChunk, writeLastChunk } from "../http1/chunks.ts";
import { copyFields, FRAMED_CHUNKED, FRAMED_NOT, putCrlf, putText, requestRules } from "../http1/copy.ts";
import type { ClientConnection, ClientHandler } from "../http1/client-connection.ts";
import { EXPECT } from "../http1/fields.ts";
import type { Head } from "../http1/head.ts";
import { maxHeadBytes } from "../http1/parsing.ts";
import { copyBytes } from "../lib/bytes.ts";
import { type BodyRoom, type Collected, freeBodyBytes } from "./body-room.ts";
import type { VisitorConnection } from "./connection.ts";
import type { ControlPool } from "./control-pool.ts";
import { flushCork } from "./cork.ts";
import type { Exchange } from "./exchange.ts";
import type { Visitor } from "./forwarded.ts";

const scratch = Buffer.allocUnsafeSlow(maxHeadBytes + 4 * 1024);
const goOn = Buffer.from("HTTP/1.1 100 Continue\r\n\r\n");
const noLines = Buffer.alloc(0);
const maxBacklogBytes = 256 * 1024;

/** Begins the exchange on `connection` (being routed), or refuses it when `pool` is full. The Host value has passed the gate. */
export function relay(connection: VisitorConnection, head: Head, pool: ControlPool, visitor: Visitor): void {
  if (pool.isFull) return connection.answer("unavailable", { retryAfterSeconds: 1 });
  const exchange = new RelayExchange(connection, head.chunked, pool.bodies);
  connection.begin(exchange);
  if (head.minor === 1 && head.has(EXPECT)) connection.write(goOn, 0, goOn.length);
  for (let i = 0; i < head.count; i++) if (head.id[i] === EXPECT) head.hop[i] = 1;
  let at = copyBytes(head.bytes, head.start, head.targetEnd, scratch, 0);
  at = putText(" HTTP/1.1\r\n", scratch, at);
  const framing = head.chunked ? FRAMED_CHUNKED : head.contentLength >= 0 ? head.contentLength : FRAMED_NOT;
  at = copyFields(head, requestRules, framing, scratch, at);
  at = putText(
    `X-Digit-Link-Address: ${visitor.address}\r\nX-Digit-Link-Network: ${visitor.network ?? "-"}\r\n` +
      `X-Digit-Link-Host: ${head.value(head.host).toLowerCase()}\r\nX-Digit-Link-Scheme: ${visitor.scheme}\r\n` +
      `X-Digit-Link-Request-Id: ${connection.requestId}\r\n`,
    scratch,
    at,
  );
  at = putCrlf(scratch, at);
  exchange.start(pool, scratch, 0, at);
}

/** The visitor's half: request bytes on their way to whoever answers. */
class RelayExchange implements Exchange, Collected {
  private client: ClientConnection | null = null;

  /** `bodies`: the control plane collects a body first. */
  constructor(
    private readonly connection: VisitorConnection,
    private readonly chunked: boolean,
    private readonly bodies: BodyRoom,
  ) {}

  /** Once, after `connection.begin`: writes the head. */
  start(pool: ControlPool, head: Uint8Array, start: number, end: number): void {
    const { connection } = this;
    const client = pool.begin(new RelayAnswer(connection, () => this.over()), connection.isHead);
    this.client = client;
    client.write(head, start, end);
    if (connection.body.done) client.requestEnd();
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    const { client } = this;
    if (client === null) return;
    if (this.chunked) writeChunk(client, bytes, start, end);
    else client.write(bytes, start, end);
    if (client.backlogBytes > maxBacklogBytes) this.connection.pauseReading();
    const beyond = Math.min(end - start, this.connection.body.received - freeBodyBytes);
    if (beyond > 0) this.bodies.add(this, beyond);
  }

  makeRoom(): void {
    this.abort();
    if (this.connection.isAnswering) this.connection.destroy();
    else this.connection.answer("unavailable", { retryAfterSeconds: 1 });
    flushCork();
  }

  bodyEnd(): void {
    if (this.client === null) return;
    if (this.chunked) writeLastChunk(this.client, null);
    this.client.requestEnd();
  }

  abort(): void {
    this.client?.destroy();
    this.over();
  }

  private over(): void {
    this.client = null;
    this.bodies.remove(this);
  }

  drained(): void {
    if (this.connection.backlogBytes < maxBacklogBytes) this.client?.resumeReading();
  }

  /** The answering side's socket has taken something. */
  clientDrained(): void {
    if (this.client === null || this.client.backlogBytes < maxBacklogBytes) this.connection.resumeReading();
  }

  pauseAnswer(): void {
    this.client?.pauseReading();
  }
}

/** The other half: the answer on its way to the visitor. */
class RelayAnswer implements ClientHandler {
  private begun = false;

  constructor(
    private readonly connection: VisitorConnection,
    private readonly over: () => void,
  ) {}

  head(head: Head): void {
    if (head.status < 200) {
      this.connection.response.interim(head);
      return this.pauseIfMuch();
    }
    this.begun = true;
    this.connection.response.begin(head, true, noLines, 0);
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.connection.response.data(bytes, start, end);
    this.pauseIfMuch();
    flushCork();
  }

  bodyEnd(trailers: Uint8Array | null): void {
    if (!this.connection.response.end(trailers)) this.failed();
  }

  finished(): void {
    this.over();
    if (this.connection.exchange === null) return;
    this.connection.finish(this.connection.response.keepAlive);
    flushCork();
  }

  failed(): void {
    this.over();
    if (this.connection.exchange === null) return;
    if (this.begun) this.connection.destroy();
    else this.connection.answer("unavailable", { retryAfterSeconds: 2 });
    flushCork();
  }

  drained(): void {
    const { exchange } = this.connection;
    if (exchange instanceof RelayExchange) exchange.clientDrained();
  }

  /** The visitor takes less than comes. */
  private pauseIfMuch(): void {
    const { exchange, backlogBytes } = this.connection;
    if (backlogBytes > maxBacklogBytes && exchange instanceof RelayExchange) exchange.pauseAnswer();
  }
}

// One visitor request through a session: from the routed head to the last byte of the answer.

import { Head } from "../src/http1/head.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import { flushCork } from "../src/ingress/cork.ts";
import type { Exchange } from "../src/ingress/exchange.ts";
import { dropReserved, ResponseWriter } from "../src/ingress/response.ts";
import { type ErrorCode, errorCatalogue } from "../src/lib/errors.ts";
import { errorOfReset, resetCode } from "../src/protocol/frames.ts";
import type { CaptureEntry } from "./capture.ts";
import type { Admitted, Shown } from "./policy/again.ts";
import { type Leaving, StreamFlow } from "./stream-flow.ts";
import { timingLine, writeServerTiming } from "./server-timing.ts";
import type { Tunnel } from "./tunnel.ts";
import { goingAway, WebSocketLeave } from "./websocket-leave.ts";

// One parser for all streams of a thread: parsing never yields.
const head = new Head();
const maxInterimBacklogBytes = 256 * 1024;
/** How often a request is given to an agent: it may be what the agents die of. */
const maxSent = 3;
/** Who waited so long for an answer and leaves has seen enough to doubt that somebody is there. */
const doubtAfterMs = 2_000;

/** What the stream's owner fixed before it was opened. */
export interface HttpStreamOptions {
  tunnel: Tunnel;
  connection: VisitorConnection;
  /** Flags of its OPEN frame. */
  openFlags: number;
  upgrade: boolean;
  hasBody: boolean;
  capture: CaptureEntry;
  /** `performance.now()` when the head was routed, and when the policy had judged. */
  startedAt: number;
  judgedAt: number;
  /** What the visitor passed with. */
  shown: Shown;
  requestTimeoutMs: number;
  serverTiming: boolean;
}

type State = "waiting" | "head" | "body" | "raw" | "done";

/** The Exchange of a tunnelled request. Ends by itself; `tunnel.streamEnded` hears about it exactly once. */
export class HttpStream extends StreamFlow implements Exchange, Admitted {
  private state: State = "waiting";
  private readonly response: ResponseWriter;
  private openedAt = 0;
  private sent = 0;
  private requestEnded: boolean;
  private agentEnded = false;
  /** Of an upgraded connection. */
  private webSocket: WebSocketLeave | null = null;
  /** What the visitor got; 0: nothing, or nothing yet. */
  status = 0;

  constructor(readonly options: HttpStreamOptions) {
    super(options.connection);
    this.response = new ResponseWriter(options.connection);
    this.requestEnded = !options.hasBody;
  }

  get openFlags(): number {
    return this.options.openFlags;
  }

  get orgId(): string | null {
    return this.options.capture.meta.orgId;
  }

  get address(): string {
    return this.options.capture.meta.address;
  }

  get shown(): Shown {
    return this.options.shown;
  }

  /** The policy changed, and this visitor does not pass any more. */
  expel(): void {
    if (this.state === "done") return;
    this.session?.reset(this, errorCatalogue.policy_denied.status, "the policy changed");
    this.fail("policy_denied", "the policy changed");
  }

  /** Nothing of the request's body has left, and asking twice is harmless (RFC 9110 9.2.1). */
  get mayRepeat(): boolean {
    return this.state === "head" && this.sent < maxSent && !this.options.upgrade && this.options.capture.repeatable;
  }

  opened(): void {
    this.state = "head";
    this.sent++;
    this.openedAt = this.movedAt;
    this.options.capture.openedAt = this.movedAt;
    if (this.hasQueued) this.flushRequest();
  }

  /** Back to the tunnel's waiting room. */
  waitAgain(): void {
    this.state = "waiting";
  }

  // The visitor's side.

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    if (!this.requestEnded) this.sendRequest(bytes, start, end);
  }

  override room(): number {
    return this.requestEnded ? Infinity : super.room();
  }

  bodyEnd(trailers: Uint8Array | null): void {
    // A visitor may close after we did it for it.
    if (this.requestEnded) return;
    this.requestEnded = true;
    this.sendRequestEnd(trailers);
  }

  protected requestSent(): void {
    if (this.state === "raw" && this.agentEnded) this.finishRaw();
  }

  abort(reason: string, answer?: ErrorCode): void {
    if (this.state === "done") return;
    if (this.state === "head" && performance.now() - this.movedAt >= doubtAfterMs) this.options.tunnel.health.doubted();
    if (answer !== undefined) this.answered(answer);
    this.end(reason);
    this.session?.reset(this, answer === undefined ? resetCode.cancel : errorCatalogue[answer].status, reason);
  }

  drained(): void {
    this.visitorDrained();
  }

  // The agent's side.

  onHead(bytes: Buffer, start: number, end: number, localMicros: number, fin: boolean): void {
    if (head.parseResponse(bytes, start, end) !== end)
      return this.broken(head.detail || "a response head has the wrong length");
    if (this.state !== "head") return this.broken("a second response head");
    const { tunnel, capture } = this.options;
    if (head.status < 200) {
      if (head.status === 101) this.switchProtocols();
      else this.interim();
      if (fin && this.session !== null) this.onEnd(null);
      return;
    }
    if (fin && !this.response.isComplete(head)) return this.broken("a body that was announced never came");
    const now = this.session!.heardAt;
    this.status = head.status;
    this.state = "body";
    tunnel.health.hasAnswered();
    capture.head(bytes, start, end, head.status, now, localMicros);
    dropReserved(head);
    const timingBytes = this.options.serverTiming ? this.writeTiming(now, localMicros) : 0;
    this.response.begin(head, !tunnel.draining, timingLine, timingBytes);
    if (fin) this.finish(null);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.state === "raw") this.toWebSocket(bytes, start, end);
    else if (this.state !== "body") return this.broken("body bytes without a head");
    else if (!this.response.data(bytes, start, end)) return this.broken("the body is longer than announced");
    this.received(end - start);
  }

  onEnd(trailers: Buffer | null): void {
    if (this.state === "raw") {
      this.agentEnded = true;
      if (this.requestEnded && !this.hasQueued) return this.finishRaw();
      return this.options.connection.shutdown();
    }
    if (this.state !== "body") return this.broken("the answer ended before its head");
    this.finish(trailers);
  }

  onReset(code: number, reason: string): void {
    const { tunnel } = this.options;
    if (code === resetCode.unreachable) tunnel.health.failed(reason);
    else if (code === resetCode.localFailed) tunnel.health.doubted();
    this.fail(errorOfReset(code), reason);
  }

  onSessionLost(): void {
    if (this.mayRepeat && this.options.tunnel.repeat(this)) return;
    this.fail("tunnel_offline", "the agent's connection was lost");
  }

  onTick(now: number): void {
    const { requestTimeoutMs } = this.options;
    if (this.state !== "head" || now - this.movedAt < requestTimeoutMs) return;
    const reason = `no answer within ${requestTimeoutMs / 1_000} s`;
    this.session?.reset(this, resetCode.timeout, reason);
    this.options.tunnel.health.doubted();
    this.fail("local_timeout", reason);
  }

  endIfQuiet({ now, isLast }: Leaving): void {
    const { webSocket } = this;
    if (webSocket === null || this.state !== "raw") return;
    const { connection } = this.options;
    switch (webSocket.step(now, this.silentMs(now), isLast)) {
      case "say":
        connection.write(goingAway, 0, goingAway.length);
        return flushCork();
      case "half-close":
        connection.shutdown();
        return this.bodyEnd(null);
      case "break":
        this.session?.reset(this, resetCode.cancel, "the server is leaving");
        this.end("the server is leaving");
        connection.close();
    }
  }

  /** Ends the exchange with an error of ours, or, once a head was sent, by breaking the connection. */
  fail(code: ErrorCode, reason: string): void {
    if (this.state === "done") return;
    const { connection } = this.options;
    const sent = this.state === "body" || this.state === "raw";
    this.answered(code);
    this.end(reason);
    if (sent) return connection.destroy();
    const retryAfterSeconds = code === "tunnel_offline" || code === "tunnel_overloaded" ? 2 : undefined;
    connection.answer(code, retryAfterSeconds === undefined ? {} : { retryAfterSeconds });
    flushCork();
  }

  /** The visitor gets this answer of ours, unless a head was sent before. */
  private answered(code: ErrorCode): void {
    if (this.status === 0) this.status = errorCatalogue[code].status;
  }

  /** The agent (or the local service through it) broke the rules of HTTP on this stream. */
  private broken(detail: string): void {
    this.session?.reset(this, resetCode.protocol, detail);
    this.fail("local_failed", detail);
  }

  private toWebSocket(bytes: Buffer, start: number, end: number): void {
    const { webSocket } = this;
    if (webSocket === null || webSocket.said) return;
    webSocket.passed(bytes, start, end);
    this.options.connection.write(bytes, start, end);
  }

  /** Interim heads use no credit, so a visitor that doesn't take them ends the stream. */
  private interim(): void {
    if (this.options.connection.backlogBytes > maxInterimBacklogBytes)
      return this.broken("more interim answers than the visitor takes");
    this.response.interim(head);
  }

  private switchProtocols(): void {
    if (!this.options.upgrade || !head.wantsWebSocket) return this.broken("a 101 nobody asked for");
    const { connection, tunnel, capture } = this.options;
    tunnel.health.hasAnswered();
    this.status = 101;
    this.state = "raw";
    this.webSocket = new WebSocketLeave();
    this.requestEnded = false;
    capture.head(head.bytes as Buffer, head.start, head.end, 101, performance.now(), 0);
    this.response.interim(head, true);
    connection.goRaw();
  }

  private finish(trailers: Buffer | null): void {
    if (!this.response.end(trailers))
      return this.broken("the body is shorter than announced, or its trailers are malformed");
    // An answer that came before the upload ended: what is left of it interests nobody.
    if (this.requestEnded && !this.hasQueued) this.session?.remove(this);
    else this.session?.reset(this, resetCode.cancel, "the answer is complete");
    this.end(null);
    this.options.connection.finish(this.response.keepAlive);
  }

  private finishRaw(): void {
    const { connection } = this.options;
    this.session?.remove(this);
    this.end(null);
    connection.close();
  }

  private end(error: string | null): void {
    if (this.state === "done") return;
    this.state = "done";
    this.options.tunnel.streamEnded(this, error);
  }

  private writeTiming(now: number, localMicros: number): number {
    const { startedAt, judgedAt } = this.options;
    const { openedAt } = this;
    const local = Math.min(localMicros / 1_000, now - openedAt);
    return writeServerTiming(now - startedAt, judgedAt - startedAt, openedAt - judgedAt, now - openedAt - local, local);
  }
}

// One visitor request through a session: from the routed head to the last byte of the answer.

import { Head } from "../src/http1/head.ts";
import { REFUSED } from "../src/http1/parsing.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import { flushCork } from "../src/ingress/cork.ts";
import type { Exchange } from "../src/ingress/exchange.ts";
import { dropReserved } from "../src/ingress/response.ts";
import { type ErrorCode, errorCatalogue } from "../src/lib/errors.ts";
import { errorOfReset, FIN, initialWindowBytes, resetCode, UPGRADE } from "../src/protocol/frames.ts";
import type { CaptureEntry } from "./capture.ts";
import type { Admitted } from "./policy/again.ts";
import type { Shown } from "./policy/shown.ts";
import { type Leaving, StreamFlow } from "./stream-flow.ts";
import { timingLine, writeServerTiming } from "./server-timing.ts";
import type { Tunnel } from "./tunnel.ts";
import { goingAway, WebSocketLeave } from "./websocket-leave.ts";

// One parser for all streams of a thread: parsing never yields.
const head = new Head();
const noWholeHead = "a response head must end with an empty line, and hold nothing behind it";
const maxInterimBacklogBytes = 256 * 1024;
/** How often a request is given to an agent: it may be what the agents die of. */
const maxSent = 3;
/** Who waited so long for an answer and leaves has seen enough to doubt that somebody is there. */
const doubtAfterMs = 2_000;

/** `left`: the agent is done, and the visitor still has much to take. */
type State = "waiting" | "head" | "body" | "raw" | "left" | "done";

/** The Exchange of a tunnelled request. Ends by itself; `tunnel.streamEnded` hears about it exactly once. */
export class HttpStream extends StreamFlow implements Exchange, Admitted {
  private state: State = "waiting";
  private openedAt = 0;
  private sent = 0;
  private requestEnded: boolean;
  private agentEnded = false;
  /** Of an upgraded connection. */
  private webSocket: WebSocketLeave | null = null;
  /** What the visitor got; 0: nothing, or nothing yet. */
  status = 0;

  /** `openFlags`: of its OPEN frame. `shown`: what the visitor passed with. */
  constructor(
    private readonly tunnel: Tunnel,
    private readonly connection: VisitorConnection,
    readonly capture: CaptureEntry,
    readonly openFlags: number,
    readonly shown: Shown | null,
  ) {
    super(connection);
    this.requestEnded = (openFlags & FIN) !== 0;
  }

  get orgId(): string | null {
    return this.capture.visit.entry.orgId;
  }

  get address(): string {
    return this.capture.address;
  }

  private get isUpgrade(): boolean {
    return (this.openFlags & UPGRADE) !== 0;
  }

  /** The policy changed, and this visitor does not pass any more. */
  expel(): void {
    if (this.state === "done") return;
    this.session?.reset(this, errorCatalogue.policy_denied.status, "the policy changed");
    this.fail("policy_denied", "the policy changed");
  }

  /** Nothing of the request's body has left, and asking twice is harmless (RFC 9110 9.2.1). */
  get mayRepeat(): boolean {
    return this.state === "head" && this.sent < maxSent && !this.isUpgrade && this.capture.repeatable;
  }

  opened(): void {
    this.state = "head";
    this.sent++;
    this.openedAt = this.movedAt;
    this.capture.openedAt = this.movedAt;
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
    if (this.state === "raw" && this.agentEnded) this.endWhenTaken();
  }

  abort(reason: string, answer?: ErrorCode): void {
    if (this.state === "done") return;
    if (this.state === "head" && performance.now() - this.movedAt >= doubtAfterMs) this.tunnel.health.doubted();
    if (answer !== undefined) this.answered(answer);
    this.end(reason);
    this.session?.reset(this, answer === undefined ? resetCode.cancel : errorCatalogue[answer].status, reason);
  }

  drained(): void {
    if (this.state === "left") this.endWhenTaken();
    else this.visitorDrained();
  }

  // The agent's side.

  onHead(bytes: Buffer, start: number, end: number, localMicros: number, fin: boolean): void {
    const parsed = head.parseResponse(bytes, start, end);
    if (parsed !== end) return this.broken(parsed === REFUSED ? head.detail : noWholeHead);
    if (this.state !== "head") return this.broken("a second response head");
    const { tunnel, capture } = this;
    const { response } = this.connection;
    if (head.status < 200) {
      if (head.status === 101) this.switchProtocols();
      else this.interim();
      if (fin && this.session !== null) this.onEnd(null);
      return;
    }
    if (fin && !response.isComplete(head)) return this.broken("a body that was announced never came");
    const now = this.session!.heardAt;
    this.status = head.status;
    this.state = "body";
    tunnel.health.hasAnswered();
    capture.head(bytes, start, end, head.status, now, localMicros);
    dropReserved(head);
    const timingBytes = tunnel.serverTiming ? this.writeTiming(now, localMicros) : 0;
    response.begin(head, !tunnel.draining, timingLine, timingBytes);
    if (fin) this.finish(null);
  }

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.state === "raw") this.toWebSocket(bytes, start, end);
    else if (this.state !== "body") return this.broken("body bytes without a head");
    else if (!this.connection.response.data(bytes, start, end)) return this.broken("the body is longer than announced");
    this.received(end - start);
  }

  onEnd(trailers: Buffer | null): void {
    if (this.state === "raw") {
      this.agentEnded = true;
      if (this.requestEnded && !this.hasQueued) return this.endWhenTaken();
      return this.connection.shutdown();
    }
    if (this.state !== "body") return this.broken("the answer ended before its head");
    this.finish(trailers);
  }

  onReset(code: number, reason: string): void {
    if (this.state === "left") return this.complete();
    if (code === resetCode.unreachable) this.tunnel.health.failed(reason);
    else if (code === resetCode.localFailed) this.tunnel.health.doubted();
    this.fail(errorOfReset(code), reason);
  }

  onSessionLost(): void {
    if (this.state === "left") return this.complete();
    if (this.mayRepeat && this.tunnel.repeat(this)) return;
    this.fail("tunnel_offline", "the agent's connection was lost");
  }

  onTick(now: number): void {
    const { requestTimeoutMs } = this.tunnel;
    if (this.state !== "head" || now - this.movedAt < requestTimeoutMs) return;
    const reason = `no answer within ${requestTimeoutMs / 1_000} s`;
    this.session?.reset(this, resetCode.timeout, reason);
    this.tunnel.health.doubted();
    this.fail("local_timeout", reason);
  }

  endIfQuiet({ now, isLast }: Leaving): void {
    const { webSocket } = this;
    if (webSocket === null || this.state !== "raw") return;
    const { connection } = this;
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
    const { connection } = this;
    const sent = this.state !== "waiting" && this.state !== "head";
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
    // As when its stream is over.
    if (this.state === "left") return;
    this.session?.reset(this, resetCode.protocol, detail);
    this.fail("local_failed", detail);
  }

  private toWebSocket(bytes: Buffer, start: number, end: number): void {
    const { webSocket } = this;
    if (webSocket === null || webSocket.said) return;
    webSocket.passed(bytes, start, end);
    this.connection.write(bytes, start, end);
  }

  /** Interim heads use no credit, and none may be left out (RFC 9110 15.2), so a visitor that doesn't take them ends the stream. */
  private interim(): void {
    if (this.connection.backlogBytes <= maxInterimBacklogBytes) return this.connection.response.interim(head);
    const reason = "the visitor reads less interim (1xx) answers than come";
    this.session?.reset(this, errorCatalogue.interim_unread.status, reason);
    this.fail("interim_unread", reason);
  }

  private switchProtocols(): void {
    if (!this.isUpgrade || !head.wantsWebSocket) return this.broken("a 101 nobody asked for");
    const { connection, tunnel, capture } = this;
    tunnel.health.hasAnswered();
    this.status = 101;
    this.state = "raw";
    this.webSocket = new WebSocketLeave();
    this.requestEnded = false;
    capture.head(head.bytes as Buffer, head.start, head.end, 101, performance.now(), 0);
    connection.response.interim(head, true);
    connection.goRaw();
  }

  private finish(trailers: Buffer | null): void {
    const { connection, session } = this;
    if (!connection.response.end(trailers)) return this.broken("the body is too short, or its trailers are malformed");
    if (!this.requestEnded || this.hasQueued) {
      // An answer that came before the upload ended: what is left of it interests nobody.
      session!.outbox.reset(this.id, resetCode.cancel, "the answer is complete");
      this.requestEnded = true;
      this.dropRequest();
    }
    this.endWhenTaken(session!.heardAt);
  }

  /** What the visitor has not taken counts as its session's, but for as much as a fresh stream may hold: else slow visitors could have us keep any number of windows. */
  private endWhenTaken(now = performance.now()): void {
    if (this.connection.backlogBytes > initialWindowBytes) this.state = "left";
    else this.complete(now);
  }

  private complete(now = performance.now()): void {
    this.session?.remove(this);
    this.end(null, now);
    if (this.webSocket === null) this.connection.finish(this.connection.response.keepAlive, now);
    else this.connection.close();
  }

  private end(error: string | null, now = performance.now()): void {
    if (this.state === "done") return;
    this.state = "done";
    this.tunnel.streamEnded(this, error, now);
  }

  private writeTiming(now: number, localMicros: number): number {
    const { startedAt, judgedAt } = this.capture.visit;
    const { openedAt } = this;
    const local = Math.min(localMicros / 1_000, now - openedAt);
    return writeServerTiming(now - startedAt, judgedAt - startedAt, openedAt - judgedAt, now - openedAt - local, local);
  }
}

// Opens the WebSocket of one session (RFC 6455 4.1): dials the server, straight or through an HTTP proxy, asks for the upgrade, and reads the answer.

import type { Socket } from "bun";
import { BodyReader, type BodySink } from "../../src/http1/body.ts";
import { Head } from "../../src/http1/head.ts";
import { INCOMPLETE, REFUSED } from "../../src/http1/parsing.ts";
import { SendQueue } from "../../src/lib/send-queue.ts";
import { SessionSocket } from "../../src/protocol/session-socket.ts";
import { proxyUrl } from "./proxy-env.ts";
import { connectRequest, isLoopbackAddress, UpgradeRequest } from "./upgrade-request.ts";
import { type Refusal, refusedUpgrade } from "./refusal.ts";

/** Hears what became of it: one of the two, once. */
export interface DialEvents {
  /** The server agreed. */
  opened(socket: SessionSocket): void;
  /** No session; `refusal` when the server said why. */
  failed(reason: string, refusal: Refusal | null): void;
}

/** Whoever hears the events of an agent's socket: the dial, then the session's socket. */
interface LinkOwner {
  opened?(socket: Socket<LinkOwner>): void;
  secured?(socket: Socket<LinkOwner>, error: Error | null): void;
  received(chunk: Buffer): void;
  drain(): void;
  ended(): void;
  closed(): void;
}

const handlers = {
  open: (socket: Socket<LinkOwner>) => socket.data.opened?.(socket),
  handshake: (socket: Socket<LinkOwner>, _isDone: boolean, error: Error | null) => socket.data.secured?.(socket, error),
  data: (socket: Socket<LinkOwner>, chunk: Buffer) => socket.data.received(chunk),
  drain: (socket: Socket<LinkOwner>) => socket.data.drain(),
  end: (socket: Socket<LinkOwner>) => socket.data.ended(),
  close: (socket: Socket<LinkOwner>) => socket.data.closed(),
  error: (socket: Socket<LinkOwner>) => socket.terminate(),
};

/** Of TLS; without the verification where the environment says so, as everything else in Node and Bun. */
const rejectUnauthorized = (): boolean => process.env["NODE_TLS_REJECT_UNAUTHORIZED"] !== "0";

/** The plain socket under a TLS that began on it. */
const covered: LinkOwner = { received() {}, drain() {}, ended() {}, closed() {} };

const maxAnswerBytes = 64 * 1024;

export class SessionDial implements LinkOwner, BodySink {
  private readonly secure: boolean;
  private readonly request: UpgradeRequest;
  private readonly out = new SendQueue();
  private readonly head = new Head();
  private readonly body = new BodyReader();
  private socket: Socket<LinkOwner> | null = null;
  private step: "proxy" | "upgrade" | "refusal" = "upgrade";
  private unread = Buffer.alloc(0);
  private refusalBody = Buffer.alloc(0);
  private events: DialEvents | null;

  private readonly proxy: URL | null;

  /** Begins at once. `url`: ws: or wss:, whose certificate must be right for its host. `proxy`: of an http: proxy, with the name and password to show it; null: straight. */
  constructor(
    private readonly url: URL,
    proxy: string | null,
    events: DialEvents,
  ) {
    this.events = events;
    this.proxy = proxy === null ? null : proxyUrl(proxy);
    this.secure = url.protocol === "wss:";
    this.request = new UpgradeRequest(url);
    if (proxy !== null && this.proxy === null) {
      const why =
        "the proxy in the environment is not given as http://host:port (TLS to the proxy itself is not supported)";
      queueMicrotask(() => this.fail(why));
      return;
    }
    this.step = proxy === null ? "upgrade" : "proxy";
    const { hostname, port } = addressOf(this.proxy ?? url);
    const tls = this.secure && proxy === null ? { tls: { rejectUnauthorized: rejectUnauthorized() } } : {};
    Bun.connect<LinkOwner>({ hostname, port, data: this, socket: handlers, allowHalfOpen: true, ...tls }).catch(
      (error: unknown) => {
        const why = error instanceof Error ? error.message : String(error);
        this.fail(`${(this.proxy ?? url).host} can't be reached (${why})`);
      },
    );
  }

  /** Gives up; nobody hears of it. */
  abort(): void {
    this.events = null;
    this.socket?.terminate();
  }

  // Events of the socket.

  opened(socket: Socket<LinkOwner>): void {
    if (this.events === null) return void socket.terminate();
    // TLS that begins on a socket opens once more.
    const isFirst = this.socket === null;
    this.socket = socket;
    if (!isFirst) return;
    socket.setNoDelay(true);
    if (this.proxy !== null) this.write(connectRequest(this.url, this.proxy));
    else if (!this.secure) this.write(this.request.bytes);
  }

  secured(socket: Socket<LinkOwner>, error: Error | null): void {
    if (error !== null && rejectUnauthorized())
      return this.fail(`the certificate of ${this.url.host} is not accepted: ${error.message}`);
    this.socket = socket;
    this.write(this.request.bytes);
  }

  received(chunk: Buffer): void {
    if (this.events === null) return;
    if (this.step === "refusal") return this.readRefusal(chunk, 0);
    const { head } = this;
    const bytes = this.unread.length === 0 ? chunk : Buffer.concat([this.unread, chunk]);
    let at = 0;
    let next = head.parseResponse(bytes, at, bytes.length);
    // Interim answers (RFC 9110 15.2) are passed over.
    while (next > 0 && this.step === "upgrade" && head.status < 200 && head.status !== 101) {
      at = next;
      next = head.parseResponse(bytes, at, bytes.length);
    }
    if (next === INCOMPLETE) {
      this.unread = Buffer.from(bytes.subarray(at));
      return;
    }
    this.unread = Buffer.alloc(0);
    const who = (this.step === "proxy" ? this.proxy! : this.url).host;
    if (next === REFUSED) return this.fail(`${who} doesn't answer in HTTP: ${head.detail}`);
    if (this.step === "proxy") return this.throughProxy(bytes.length - next);
    if (head.status === 101) return this.upgraded(bytes.subarray(next));
    this.step = "refusal";
    if (head.chunked) this.body.startChunked();
    else if (head.contentLength >= 0) this.body.startLength(head.contentLength);
    else this.body.startUntilClose();
    this.readRefusal(bytes, next);
  }

  drain(): void {
    if (this.socket !== null) this.out.flush(this.socket);
  }

  ended(): void {
    if (this.step === "refusal" && this.body.closed()) return this.refused();
    this.fail(`${this.url.host} closed the connection before it answered`);
  }

  closed(): void {
    this.ended();
  }

  // The body of an answer that isn't a 101.

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    const room = Math.min(end, start + maxAnswerBytes - this.refusalBody.length);
    if (room > start) this.refusalBody = Buffer.concat([this.refusalBody, bytes.subarray(start, room)]);
  }

  bodyEnd(): void {}

  private readRefusal(bytes: Buffer, start: number): void {
    const at = this.body.read(bytes, start, bytes.length, this);
    if (at < 0 || this.body.done || this.body.received > maxAnswerBytes) this.refused();
  }

  private refused(): void {
    const { status } = this.head;
    const retryAfter = this.request.retryAfter(this.head);
    const refusal = refusedUpgrade({ status, retryAfter, body: this.refusalBody });
    // Somebody else's: the server itself has just taken the registration.
    const advice =
      refusal === null ? ` to the session at ${this.url.pathname}; does the proxy before it pass that on?` : "";
    this.fail(`${this.url.host} answered ${status}${advice}`, refusal);
  }

  private throughProxy(surplusBytes: number): void {
    const { status } = this.head;
    const { host } = this.proxy!;
    if (status === 407) return this.fail(`the proxy ${host} wants a name and a password: http://user:password@${host}`);
    if (status < 200 || status > 299 || surplusBytes > 0)
      return this.fail(`the proxy ${host} answered ${status} instead of a connection to ${this.url.host}`);
    this.step = "upgrade";
    if (!this.secure) return this.write(this.request.bytes);
    const socket = this.socket!;
    socket.data = covered;
    socket.upgradeTLS<LinkOwner>({
      data: this,
      socket: handlers,
      tls: { rejectUnauthorized: rejectUnauthorized(), serverName: addressOf(this.url).hostname },
    });
  }

  private upgraded(rest: Buffer): void {
    const wrong = this.request.mistakeIn(this.head);
    if (wrong !== null) return this.fail(`${this.url.host} answered 101, but ${wrong}`);
    const { events } = this;
    const socket = this.socket!;
    this.events = null;
    // A proxy on this machine leads elsewhere.
    const isPrivate = this.secure || (this.proxy === null && isLoopbackAddress(socket.remoteAddress));
    const session = new SessionSocket(socket, isPrivate ? "zero" : "random", !this.secure);
    socket.data = session;
    events?.opened(session);
    if (rest.length > 0) session.received(rest);
  }

  private write(bytes: Buffer): void {
    this.out.write(this.socket, bytes, 0, bytes.length);
  }

  private fail(reason: string, refusal: Refusal | null = null): void {
    const { events } = this;
    this.events = null;
    this.socket?.terminate();
    events?.failed(reason, refusal);
  }
}

function addressOf(url: URL): { hostname: string; port: number } {
  const secure = url.protocol === "wss:" || url.protocol === "https:";
  return { hostname: url.hostname.replace(/^\[|\]$/g, ""), port: Number(url.port) || (secure ? 443 : 80) };
}

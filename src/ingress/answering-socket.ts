// What a connection knows of the request at hand, and the answers of ours that follow from it.

import type { Head } from "../http1/head.ts";
import { type ErrorCode, errorCatalogue } from "../lib/errors.ts";
import { nextRequest, requestIdOf } from "../lib/request-id.ts";
import { ClosingSocket } from "./closing-socket.ts";
import { acceptsHtml, type AnswerOptions, type ConnectionWord, errorAnswer, redirectAnswer } from "./error-page.ts";
import type { IngressHost } from "./exchange.ts";
import type { ConnectionMeta } from "./visitor-socket.ts";

/** Plain fields, set once per request: nothing is allocated to hold them. */
export abstract class AnsweringSocket extends ClosingSocket {
  /** Of the request being handled. */
  requestNumber = 0;
  minor = 1;
  isHead = false;
  keepAlive = true;
  wantsHtml = false;
  /** Something of the final response has been written: an error of ours can't be told any more. */
  isAnswering = false;
  /** The host asked for is known not to be the base domain: a tenant's or a stranger's, who decides about its transport. */
  protected isOthersHost = false;
  /** The server is leaving: no request after the present one. */
  leaving = false;

  constructor(
    host: IngressHost,
    readonly meta: ConnectionMeta,
  ) {
    super(host);
    this.out.endMark = meta.endMark ?? null;
  }

  /** What the visitor, the local service and the operator know the request by. */
  get requestId(): string {
    return requestIdOf(this.requestNumber);
  }

  /** Answers the request being routed or handled with an error of ours, if no response has begun. The exchange is over. */
  answer(code: ErrorCode, options: AnswerOptions = {}): void {
    const { requestId, wantsHtml: html, isHead: headOnly, hsts, connectionWord: connection } = this;
    const bytes = errorAnswer({ ...options, code, requestId, html, headOnly, connection, hsts });
    this.respond(errorCatalogue[code].status, bytes, connection !== "close");
  }

  /** Sends a browser elsewhere on this host (302). The exchange is over. */
  redirect(location: string): void {
    const connection = this.connectionWord;
    this.respond(302, redirectAnswer(location, this.requestId, connection), connection !== "close");
  }

  /** The response is complete. `keepAlive` false, or a request body still under way, closes the connection. */
  abstract finish(keepAlive: boolean): void;

  private get hsts(): boolean {
    return !this.isOthersHost && this.host.settings.scheme === "https";
  }

  private get connectionWord(): ConnectionWord {
    if (!this.mayKeepAlive || !this.body.done) return "close";
    return this.minor === 0 ? "keep-alive" : null;
  }

  private respond(status: number, bytes: Buffer, keepAlive: boolean): void {
    this.status = status;
    this.write(bytes, 0, bytes.length);
    this.finish(keepAlive);
  }

  /** Whether this connection may serve another request after the present one, as far as the visitor is concerned. */
  get mayKeepAlive(): boolean {
    return this.keepAlive && !this.meta.last && !this.leaving;
  }

  /** Notes what the answer to `head` depends on, and how its body is framed. */
  protected startRequest(head: Head): void {
    this.requestNumber = nextRequest();
    this.minor = head.minor;
    this.isHead = head.isHead;
    this.keepAlive = head.minor === 1 ? !head.close : head.keepAlive && !head.close;
    this.visitorCloses = !this.keepAlive;
    this.wantsHtml = acceptsHtml(head);
    if (head.chunked) this.body.startChunked();
    else if (head.contentLength > 0) this.body.startLength(head.contentLength);
    else this.body.startNone();
  }

  /** There is no head to tell anything: the answer is a plain one. */
  protected forgetRequest(): void {
    this.requestNumber = nextRequest();
    this.wantsHtml = false;
    this.isHead = false;
    this.body.startNone();
    this.startAccess(this.host.accessLog?.unread(this.meta.address) ?? null);
  }

  /** Says why and closes, whatever else the visitor sent. Behind the beginning of an answer only the broken connection says it. */
  protected refuse(code: ErrorCode, detail: string): void {
    this.exchange = null;
    const { requestId, wantsHtml: html, isHead: headOnly, hsts } = this;
    this.host.refused(code, detail, this.meta.address, requestId);
    if (this.isAnswering) return this.destroy();
    const message = code === "bad_request" ? `The request is malformed: ${detail}.` : errorCatalogue[code].message;
    const bytes = errorAnswer({ code, message, requestId, html, headOnly, connection: "close", hsts });
    this.status = errorCatalogue[code].status;
    this.write(bytes, 0, bytes.length);
    this.endAccess(true);
    this.closeGracefully();
  }
}

// The access log as each thread writes it: one line of JSON per request or TCP connection, when it is over; sent on in batches.

import type { Head } from "../http1/head.ts";
import { latin1 } from "../lib/bytes.ts";
import type { CidrList } from "../lib/cidr.ts";
import { escapeControls } from "../lib/log.ts";
import type { VisitorConnection } from "./connection.ts";
import { resolveVisitor } from "./forwarded.ts";

const batchMs = 250;
const batchChars = 64 * 1024;
/** Of what a visitor says of itself; a head may be 64 KiB long. */
const maxTextChars = 1_024;
const userAgent = "user-agent";

/** A request that is under way. */
export interface Access {
  /** `performance.now()` when its head was there. */
  startedAt: number;
  /** Who it comes from, whatever trusted proxies stand in between. */
  address: string;
  /** Whom the policy admitted it as; null: nobody was asked. */
  user: string | null;
  host: string;
  method: string;
  path: string;
  userAgent: string;
}

/** What came of it. `whole` is false when its connection broke, or was broken by us, in the middle. */
export interface Accessed extends Access {
  /** Of the answer, 0 without one; 101 for a WebSocket, whose line comes when it is closed. */
  status: number;
  /** The body, and everything behind a 101. */
  bytesIn: number;
  /** Everything that was said, heads included. */
  bytesOut: number;
  requestId: string;
  whole: boolean;
}

export interface AccessLogOptions {
  trusted: CidrList;
  /** Whether query strings are kept. */
  logQuery: boolean;
  /** Takes `count` lines, each with its end. */
  send(lines: string, count: number): void;
}

/** Made only where ACCESS_LOG is set. */
export class AccessLog {
  private lines = "";
  private count = 0;
  private timer: Timer | undefined;

  constructor(private readonly options: AccessLogOptions) {}

  /** A request's head is there. */
  begin(connection: VisitorConnection, head: Head): Access {
    const visitor = resolveVisitor(head, connection.meta.address, "http", this.options.trusted);
    const { target } = head;
    const path = this.options.logQuery ? target : target.split("?", 1)[0]!;
    return {
      ...{ startedAt: performance.now(), address: visitor.address, user: null },
      ...{ host: connection.hostValue, method: head.method, path, userAgent: userAgentOf(head) },
    };
  }

  /** What came was no request: only its address is known. */
  unread(address: string): Access {
    const nothing = { host: "", method: "", path: "", userAgent: "" };
    return { startedAt: performance.now(), address, user: null, ...nothing };
  }

  /** A connection to a TCP port ended. */
  tcp(access: Pick<Accessed, "startedAt" | "address" | "host" | "bytesIn" | "bytesOut">): void {
    const none = { user: null, path: "", userAgent: "", status: 0, requestId: "", whole: true };
    this.ended({ ...none, ...access, method: "TCP" });
  }

  /** Sends what waits. */
  flush(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    const { lines, count } = this;
    this.lines = "";
    this.count = 0;
    if (count > 0) this.options.send(lines, count);
  }

  /** It is over. */
  ended(access: Accessed): void {
    const { startedAt, address, user, status, bytesIn, bytesOut, requestId, whole } = access;
    const durationMs = Math.round((performance.now() - startedAt) * 100) / 100;
    const [host, method, path, userAgent] = [access.host, access.method, access.path, access.userAgent].map(cut);
    const line = JSON.stringify({
      ...{ time: new Date().toISOString(), address, user, host, method, path, status, whole },
      ...{ bytesIn, bytesOut, durationMs, requestId, userAgent },
    });
    this.lines += `${escapeControls(line)}\n`;
    this.count++;
    if (this.lines.length >= batchChars) this.flush();
    else this.timer ??= setTimeout(() => this.flush(), batchMs);
  }
}

function cut(text: string): string {
  return text.slice(0, maxTextChars);
}

function userAgentOf(head: Head): string {
  for (let i = 0; i < head.count; i++) {
    const [start, end] = [head.nameStart[i]!, head.nameEnd[i]!];
    if (end - start === userAgent.length && latin1(head.bytes, start, end).toLowerCase() === userAgent)
      return head.value(i);
  }
  return "";
}

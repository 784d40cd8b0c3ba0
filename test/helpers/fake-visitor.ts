// A visitor without a socket: what it sends goes into a VisitorConnection, what it gets is text.

import type { Socket } from "bun";
import type { Head } from "../../src/http1/head.ts";
import type { AccessLog } from "../../src/ingress/access-log.ts";
import { VisitorConnection } from "../../src/ingress/connection.ts";
import { flushCork } from "../../src/ingress/cork.ts";
import { Deadlines } from "../../src/ingress/deadlines.ts";
import type { Exchange, IngressHost, IngressSettings } from "../../src/ingress/exchange.ts";
import { judgeHost } from "../../src/ingress/gate.ts";
import type { SocketOwner } from "../../src/ingress/visitor-socket.ts";

/** An exchange that writes down what it hears. */
export class HeardExchange implements Exchange {
  body = "";
  ended = false;
  aborted: string | null = null;
  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.body += Buffer.from(bytes.subarray(start, end)).toString("latin1");
  }
  bodyEnd(): void {
    this.ended = true;
  }
  abort(reason: string): void {
    this.aborted = reason;
  }
  drained(): void {}
}

export interface FakeVisitor {
  connection: VisitorConnection;
  /** Sends bytes to the server. */
  send(text: string): void;
  /** Everything received since the last call. */
  take(): string;
  /** What was done to the socket: `shutdown`, `end`, `terminate`, `pause`, `resume`. */
  did: string[];
  refused: string[];
  released: number;
  /** Places that were given back with it. */
  freed: number[];
  /** How many bytes the kernel takes from now on. */
  room: number;
}

export const ingressLimits = {
  scheme: "http" as "http" | "https",
  headTimeoutMs: 1_000,
  idleTimeoutMs: 2_000,
  bodyProgressTimeoutMs: 3_000,
  writeProgressTimeoutMs: 4_000,
  maxBodyBytes: 1_000,
};

/** `route` decides about every complete head. The base domain is `tunnel.test`. */
export function fakeVisitor(
  route: (connection: VisitorConnection, head: Head) => void,
  settings: IngressSettings = ingressLimits,
  accessLog: AccessLog | null = null,
): FakeVisitor {
  let received = "";
  const visitor: FakeVisitor = {
    connection: null as unknown as VisitorConnection,
    send: (text) => visitor.connection.received(Buffer.from(text, "latin1")),
    take() {
      flushCork();
      const taken = received;
      received = "";
      return taken;
    },
    did: [],
    refused: [],
    released: 0,
    freed: [],
    room: Infinity,
  };
  const host: IngressHost = {
    settings,
    accessLog,
    judgeHost: (value) => judgeHost(value, { domain: "tunnel.test", dashboardDomain: "tunnel.test" }),
    route,
    refused: (code, detail) => visitor.refused.push(`${code}: ${detail}`),
    released(counted) {
      visitor.released++;
      if (counted.countBucket >= 0) visitor.freed.push(counted.countBucket);
    },
  };
  const note = (what: string) => () => void visitor.did.push(what);
  const socket = {
    setNoDelay() {},
    write(bytes: Uint8Array, offset: number, length: number) {
      const taken = Math.min(length, visitor.room);
      visitor.room -= taken;
      received += Buffer.from(bytes.subarray(offset, offset + taken)).toString("latin1");
      return taken;
    },
    ...{ shutdown: note("shutdown"), end: note("end"), terminate: note("terminate") },
    ...{ pause: note("pause"), resume: note("resume") },
  };
  // Nothing ticks here: tests call `expired` themselves.
  const deadlines = new Deadlines(1e9);
  const meta = { address: "192.0.2.1", secure: false, acceptedAtMs: 0, last: false, moves: 0, lent: false };
  visitor.connection = new VisitorConnection(host, deadlines, meta);
  visitor.connection.opened(socket as unknown as Socket<SocketOwner>);
  deadlines.close();
  return visitor;
}

/** A request's bytes: a Host of our own unless `lines` begin with one. */
export function requestText(start: string, ...lines: string[]): string {
  const hosted = lines[0]?.startsWith("Host:") === true ? lines : ["Host: app.tunnel.test", ...lines];
  return [`${start} HTTP/1.1`, ...hosted, "", ""].join("\r\n");
}

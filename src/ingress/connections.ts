// All visitor connections of one thread: accepted or adopted, counted, watched, and given to other threads.

import type { MovedConnection } from "../handover/moved-connection.ts";
import type { Socket } from "bun";
import { createAdopter } from "../handover/adopt.ts";
import type { ConnectionCounts } from "../handover/counts.ts";
import { giveAway, type PostConnection } from "../handover/give.ts";
import type { Ledger } from "../handover/ledger.ts";
import { isHolding, pipeThrough } from "../handover/pipe.ts";
import { lineHandlers, LoanLine, type LoanMeta } from "../lending/loan-line.ts";
import { LoanSocket } from "../lending/loan-socket.ts";
import { VisitorConnection } from "./connection.ts";
import type { ConnectionMeta, MoveMeta, SocketOwner } from "./visitor-socket.ts";
import { Deadlines } from "./deadlines.ts";
import type { IngressHost } from "./exchange.ts";
import type { Counted } from "./movable-socket.ts";
import { ownerHandlers, pipeOwner } from "./handlers.ts";

/** A visitor that is silent for so long is asked by the kernel: one that vanished would stay on a quiet stream for ever. */
export const keepAliveMs = 300_000;
/** What other threads have posted comes in one turn, and what is unread is copied and parsed: from so much on it waits for the next. */
const muchUnread = 16 * 1024;
/** So long a turn is lengthened by those. */
const crowdMs = 20;

export interface ConnectionsOptions {
  ledger: Ledger;
  counts: ConnectionCounts;
  host: IngressHost;
  /** How often deadlines are looked at. */
  tickMs: number;
}

export class Connections {
  readonly deadlines: Deadlines;
  /** Sockets whose bytes this thread must go on pumping when they move. */
  private readonly pumped = new WeakSet<object>();
  /** The server is leaving. */
  private isLeaving = false;
  /** Given to us, and not adopted yet. */
  private readonly crowd: (() => void)[] = [];
  private readonly adopter: (fd: number, data: SocketOwner) => void;
  private readonly adoptLine: (fd: number, data: LoanLine) => void;
  /** On which other threads lend us requests. */
  private readonly lines = new Set<LoanLine>();

  constructor(private readonly options: ConnectionsOptions) {
    this.deadlines = new Deadlines(options.tickMs);
    const handlers = {
      ...ownerHandlers,
      open: (socket: Socket<SocketOwner>) => (socket.data as VisitorConnection).opened(socket),
    };
    this.adopter = createAdopter<SocketOwner>(handlers, options.ledger, (owner) => owner.closed());
    const closed = (line: LoanLine): void => {
      this.lines.delete(line);
      line.closed();
    };
    const close = (socket: Socket<LoanLine>): void => closed(socket.data);
    this.adoptLine = createAdopter<LoanLine>({ ...lineHandlers, close }, options.ledger, closed);
  }

  /** A socket of our own listener. `pump`: it can't be moved (TLS ends here), or shall not. */
  accept(socket: Socket<SocketOwner>, meta: ConnectionMeta, pump: boolean): void {
    const connection = this.create(meta);
    connection.isFresh = true;
    socket.data = connection;
    if (pump) this.pumped.add(socket);
    socket.setKeepAlive(true, keepAliveMs);
    connection.opened(socket);
  }

  /** A connection that another thread gave us, or the line on which it lends us requests. */
  adopt(moved: MovedConnection): void {
    const { fd, unread, ...meta } = moved;
    if (meta.lent) {
      const line = new LoanLine((lent, on, id) => this.borrow(lent, on, id));
      this.lines.add(line);
      return this.adoptLine(fd, line);
    }
    const connection = this.create(meta);
    connection.isPlain = true;
    if (unread.length < muchUnread) return this.take(connection, fd, unread);
    const adopt = (): void => {
      connection.leaving = this.isLeaving;
      this.take(connection, fd, unread);
    };
    if (this.crowd.push(adopt) === 1) setImmediate(() => this.takeCrowd());
  }

  /** For `VisitorConnection.move`: gives the socket to whoever `post` reaches. */
  give(socket: Socket<SocketOwner>, meta: MoveMeta, post: PostConnection): boolean | SocketOwner {
    if (!this.pumped.has(socket)) return giveAway(socket, meta, this.options.ledger, post);
    const { counts } = this.options;
    let bucket = -1;
    // Its place went along, and is free again when its owner is gone: what the pipe still holds for it takes one here.
    const end = pipeThrough(socket, meta, this.options.ledger, post, () => (bucket = counts.opened(meta.address)));
    if (end === null) return false;
    return pipeOwner(end, () => {
      if (bucket >= 0) counts.closed(bucket);
    });
  }

  /** For `IngressHost.released`. */
  released(connection: Counted): void {
    if (connection.countBucket < 0) return;
    this.options.counts.closed(connection.countBucket);
    connection.countBucket = -1;
  }

  /** Closes what is idle and lets the rest finish its request, as does what still comes. */
  closeIdle(): void {
    this.isLeaving = true;
    for (const member of this.deadlines.all()) (member as VisitorConnection).closeIfIdle();
  }

  /** Whether some connection is in the middle of a request, or has not taken all of an answer. */
  get isBusy(): boolean {
    return (
      this.crowd.length > 0 || isHolding() || this.deadlines.some((member) => (member as VisitorConnection).isBusy)
    );
  }

  /** Ends every connection. */
  close(): void {
    for (const member of this.deadlines.all()) (member as VisitorConnection).cease();
    this.deadlines.close();
    for (const line of this.lines) line.close();
  }

  /** Requests of a visitor whose connection another thread has. */
  private borrow(meta: LoanMeta, line: LoanLine, id: number): LoanSocket {
    const connection = this.create({ ...meta, last: false, moves: 0, lent: true });
    const loan = new LoanSocket(line, id, connection);
    connection.loan = loan;
    connection.opened(loan as unknown as Socket<SocketOwner>);
    return loan;
  }

  private takeCrowd(): void {
    const { crowd } = this;
    const until = performance.now() + crowdMs;
    let taken = 0;
    do crowd[taken++]!();
    while (taken < crowd.length && performance.now() < until);
    crowd.splice(0, taken);
    if (crowd.length > 0) setImmediate(() => this.takeCrowd());
  }

  private take(connection: VisitorConnection, fd: number, unread: string): void {
    this.adopter(fd, connection);
    if (unread !== "") connection.received(Buffer.from(unread, "latin1"));
  }

  private create(meta: ConnectionMeta): VisitorConnection {
    const connection = new VisitorConnection(this.options.host, this.deadlines, meta);
    connection.leaving = this.isLeaving;
    // The visitor's connection has its place where it is.
    if (!meta.lent) connection.countBucket = this.options.counts.opened(meta.address);
    return connection;
  }
}

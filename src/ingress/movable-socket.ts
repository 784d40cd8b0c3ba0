// A visitor's connection leaves this thread's hands: moved to another thread, piped, or put off until somebody can take it.

import type { Socket } from "bun";
import { AnsweringSocket } from "./answering-socket.ts";
import type { Deadlines, Expiring } from "./deadlines.ts";
import type { IngressHost } from "./exchange.ts";
import { type ConnectionMeta, type MoveMeta, pausedByPipeline, type SocketOwner } from "./visitor-socket.ts";

const maxMoveBytes = 16 * 1024;

/** Who is counted as a connection of this thread, until `IngressHost.released`. */
export interface Counted {
  /** What it is counted under; -1 = not here. */
  countBucket: number;
}

/** The ways that `IngressHost.route` has besides an exchange and an answer. */
export abstract class MovableSocket extends AnsweringSocket implements SocketOwner, Expiring, Counted {
  /** Accepted by this thread, and no request of it served yet. */
  isFresh = false;
  // The request being routed: its head stands in `routed` from `routedAt` to `routedEnd`.
  private routed: Buffer | null = null;
  private routedAt = 0;
  private routedEnd = 0;

  constructor(
    host: IngressHost,
    protected readonly deadlines: Deadlines,
    meta: ConnectionMeta,
  ) {
    super(host, meta);
  }

  abstract countBucket: number;
  abstract expired(now: number): void;
  abstract override received(chunk: Buffer): void;
  abstract drain(): void;
  abstract ended(): void;
  abstract closed(error?: Error): void;

  /** Notes the request that is about to be routed; null when it has been. */
  protected routing(bytes: Buffer | null, start: number, end: number): void {
    this.routed = bytes;
    this.routedAt = start;
    this.routedEnd = end;
  }

  /**
   * Hands the connection on with everything unread from the routed head on. `give` gets the socket and what travels with it; it
   * answers false when the receiver isn't there (answer the request then), or who hears the socket from now on when this
   * thread goes on pumping bytes. Only from `route`.
   */
  move(give: (socket: Socket<SocketOwner>, meta: MoveMeta) => boolean | SocketOwner): boolean {
    const { socket, routed } = this;
    if (socket === null || routed === null) return false;
    const unread = routed.toString("latin1", this.routedAt);
    // The first move is never for nothing; later ones of much data would make pipelines over several hosts quadratic.
    const last = this.meta.last || (!this.isFresh && unread.length - (this.routedEnd - this.routedAt) > maxMoveBytes);
    this.letGo();
    const { access } = this;
    // Whoever takes it sees how it ends.
    this.access = null;
    const given = give(socket, { ...this.meta, unread, last, moves: this.meta.moves + 1 });
    if (given === false) {
      this.access = access;
      return false;
    }
    this.phase = "closed";
    if (given !== true) {
      socket.data = given;
      // Bun says it once. Who adopts the socket itself reads it again.
      if (this.halfClosed) given.ended();
      this.closed();
    }
    return true;
  }

  /**
   * Nobody can take the request being routed yet: `retry` routes it again, `holdMs` later it is refused; at once, when the server is
   * leaving. Only from `route`.
   */
  postpone(holdMs: number): void {
    if (this.leaving) return this.refuse("unavailable", "the server is leaving");
    this.phase = "waiting";
    this.deadline = performance.now() + holdMs;
    this.pause(pausedByPipeline);
  }

  /** Turns the connection into a raw pipe that `open` makes of its socket and of the bytes behind the routed head, which it may keep. Only from `route`. */
  pipe(open: (socket: Socket<SocketOwner>, rest: Buffer) => SocketOwner): void {
    const { socket, routed } = this;
    if (socket === null || routed === null) return;
    this.phase = "closed";
    // An agent's session: no visitor's request.
    this.access = null;
    this.letGo();
    const owner = open(socket, Buffer.from(routed.subarray(this.routedEnd)));
    socket.data = new PipedSocket(owner, this.host, this.countBucket);
    // Its place goes along, and nothing else: there may be thousands of pipes that idle for days.
    this.countBucket = -1;
    this.closed();
  }
}

/** What is left of a visitor connection that became a pipe. */
class PipedSocket implements SocketOwner, Counted {
  constructor(
    private readonly owner: SocketOwner,
    private readonly host: IngressHost,
    public countBucket: number,
  ) {}

  received(chunk: Buffer): void {
    this.owner.received(chunk);
  }

  drain(): void {
    this.owner.drain();
  }

  ended(): void {
    this.owner.ended();
  }

  threw(): void {
    this.owner.threw();
  }

  closed(error?: Error): void {
    this.owner.closed(error);
    this.host.released(this);
  }
}

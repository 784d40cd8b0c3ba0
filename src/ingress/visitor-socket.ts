// The socket of one visitor: joined writes, what the kernel hasn't taken, and reasons not to read.

import type { Socket } from "bun";
import { hasHungUp } from "../lib/descriptor.ts";
import { Reads } from "../lib/large-reads.ts";
import { Lookout, type Waiting } from "../handover/lookout.ts";
import type { LoanSocket } from "../lending/loan-socket.ts";
import { SendQueue } from "../lib/send-queue.ts";
import { type CorkOwner, corkWrite, flushCork } from "./cork.ts";

/** What is known of a connection before its first request. */
export interface ConnectionMeta {
  address: string;
  secure: boolean;
  acceptedAtMs: number;
  /** Answer one request, then close. */
  last: boolean;
  /** How often it has moved so far. */
  moves: number;
  /** Its requests come from another thread, which has the visitor's connection. */
  lent: boolean;
  /** Its bytes pass a pipe, which reads here what their end means (`SendQueue.endMark`). */
  endMark?: Int32Array;
}

/** What moves to another thread besides the descriptor. */
export interface MoveMeta extends ConnectionMeta {
  unread: string;
}

/** Who hears the events of a visitor's socket. */
export interface SocketOwner {
  /** The chunk's memory is gone after the call (`freeLarge`): keep copies, not views. */
  received(chunk: Buffer): void;
  drain(): void;
  /** The peer half-closed. */
  ended(): void;
  /** A handler threw; `closed` follows. */
  threw(): void;
  closed(error?: Error): void;
}

/** Why a visitor isn't read at the moment. */
export const pausedByExchange = 2;
export const pausedByPipeline = 4;
const pausedByUs = pausedByExchange | pausedByPipeline;

/** Visitors that aren't read: in a pipe nothing tells when such a one resets its connection. */
const paused = new Lookout();

/** The writing half of a visitor connection, and the switch of its reading half. */
export abstract class VisitorSocket extends Reads implements CorkOwner, Waiting {
  protected socket: Socket<SocketOwner> | null = null;
  protected readonly out = new SendQueue();
  /** Its requests are lent: another thread has the visitor's connection. */
  loan: LoanSocket | null = null;
  /** Bytes that the kernel took, ever. */
  protected sentBytes = 0;

  /** Writes response bytes; a view is only used during the call. */
  write(bytes: Uint8Array, start: number, end: number): void {
    if (this.socket !== null) corkWrite(this, bytes, start, end);
  }

  /** For the cork. */
  sendNow(bytes: Uint8Array, start: number, end: number): void {
    if (this.socket !== null) this.sentBytes += this.out.write(this.socket, bytes, start, end);
  }

  /** Response bytes that the visitor's kernel hasn't taken yet. */
  get backlogBytes(): number {
    return this.out.bytes;
  }

  /** Whoever lent us a request doesn't read where its answer ends. Called when that may have left. */
  protected completeLoan(loan: LoanSocket): void {
    flushCork();
    if (this.out.bytes === 0) loan.complete();
  }

  /** Raw only: half-closes towards the visitor after the last byte. */
  shutdown(): void {
    flushCork();
    this.out.shutdown(this.socket);
  }

  /** The answer ends with the connection. */
  endsByClose(): void {
    if (this.socket !== null) this.out.unfinished(this.socket);
  }

  /** The exchange can take no more of the request for now. */
  pauseReading(): void {
    this.pause(pausedByExchange);
  }

  resumeReading(): void {
    this.unpause(pausedByExchange);
  }

  /** For the look-out. */
  lookAgain(): void {
    if (this.socket !== null && this.mayBeGone && hasHungUp(this.socket)) this.socket.terminate();
  }

  /** Whether a visitor whose connection is gone has nothing more to say that matters. */
  protected abstract readonly mayBeGone: boolean;

  protected override pause(reason: number): void {
    if ((reason & pausedByUs) !== 0) paused.add(this);
    super.pause(reason);
  }

  protected override unpause(reasons: number): void {
    if (this.pausedBy !== 0 && (this.pausedBy & pausedByUs & ~reasons) === 0) paused.delete(this);
    super.unpause(reasons);
  }

  /** Sends what waits; true when nothing is left. */
  protected flushOut(): boolean {
    const before = this.out.bytes;
    const done = this.socket !== null && this.out.flush(this.socket);
    this.sentBytes += before - this.out.bytes;
    return done;
  }
}

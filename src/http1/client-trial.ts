// Whether a target can be reached, by the dial that requests use: with all that one needs before its first byte, TLS included.

import type { Socket } from "bun";
import type { ClientFailure } from "./client-connection.ts";
import { brokenHandshake, dial, type Dialled, isPlain, type Target } from "./client-dial.ts";

/** How long a connection took, or why a request would have none. `isStuck`: it was taken, but nobody there seems to look after it. */
export type TrialResult = { ok: true; ms: number; isStuck: boolean } | { ok: false; why: string };

/** Why a target can't be reached that doesn't even refuse. */
export const tookTooLong = "the connection took too long";

/** What accepts everybody and has nothing behind it (a forwarder of a container's port) hangs up within this time. */
const lingerMs = 100;

/**
 * Connects, says nothing, looks whether that stands for a moment, and closes. Never rejects. A kernel takes connections for a process that is
 * stopped, too: the other side of a plain one is stuck if it neither says anything nor closes within `stuckAfterMs` of our FIN (0: nobody looks).
 */
export function tryTarget(target: Target, timeoutMs: number, stuckAfterMs = 0): Promise<TrialResult> {
  return new Promise((resolve) => dial(new Trial(isPlain(target), timeoutMs, stuckAfterMs, resolve), target));
}

class Trial implements Dialled {
  private readonly startedAt = performance.now();
  private socket: Socket<Dialled> | null = null;
  /** How long it took until a request could have been sent; null before. */
  private ms: number | null = null;
  private hasShut = false;
  private isOver = false;
  private timer: ReturnType<typeof setTimeout>;

  constructor(
    private readonly isPlain: boolean,
    timeoutMs: number,
    private readonly stuckAfterMs: number,
    private readonly done: (result: TrialResult) => void,
  ) {
    this.timer = setTimeout(() => this.failed(tookTooLong), timeoutMs);
  }

  opened(socket: Socket<Dialled>): void {
    if (this.isOver) return void socket.terminate();
    this.socket = socket;
    if (this.isPlain) this.secured();
  }

  secured(): void {
    if (this.isOver) return;
    this.ms = performance.now() - this.startedAt;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.lingered(), lingerMs);
  }

  /** It speaks first, so it is there. */
  received(): void {
    if (this.ms !== null) this.stood();
  }

  drain(): void {}

  end(): void {
    this.closedBySocket();
  }

  closedBySocket(error?: Error): void {
    if (this.hasShut && error === undefined) this.stood();
    else this.failed(this.ms === null ? brokenHandshake : "the connection was closed at once, before a word was said");
  }

  fail(_failure: ClientFailure, detail: string): void {
    this.failed(detail);
  }

  private lingered(): void {
    // A handshake shows as much.
    if (!this.isPlain || this.stuckAfterMs === 0) return this.stood();
    this.hasShut = true;
    this.timer = setTimeout(() => this.stood(true), this.stuckAfterMs);
    this.socket?.shutdown();
  }

  private stood(isStuck = false): void {
    if (!this.isFirst()) return;
    // Not a reset, which a service may log.
    this.socket?.end();
    this.done({ ok: true, ms: this.ms ?? 0, isStuck });
  }

  private failed(why: string): void {
    if (!this.isFirst()) return;
    this.socket?.terminate();
    this.done({ ok: false, why });
  }

  private isFirst(): boolean {
    if (this.isOver) return false;
    clearTimeout(this.timer);
    return (this.isOver = true);
  }
}

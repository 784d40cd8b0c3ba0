// The end of a loan at the owner of what is asked for: what a connection needs of a Bun socket, without a descriptor.

import { type LoanEnd, type LoanLine, loanWindowBytes } from "./loan-line.ts";

/** Who hears the events, as of a Bun socket. */
export interface LoanOwner {
  received(chunk: Buffer): void;
  drain(): void;
  threw(): void;
  /** Within `end` and `terminate`, too. */
  closed(error?: Error): void;
}

/** Between the requests of a loan it is idle; there is no half-close, as requests are lent whole. */
export class LoanSocket implements LoanEnd {
  private credit = loanWindowBytes;
  private isPaused = false;
  private isShort = false;
  private isClosed = false;
  /** What came while it was paused: of one request at most. */
  private kept: Buffer[] = [];

  constructor(
    private readonly line: LoanLine,
    private readonly id: number,
    readonly data: LoanOwner,
  ) {}

  /** Returns how many bytes were taken; `drain` follows when more can be. */
  write(bytes: Uint8Array, offset: number, length: number): number {
    if (this.isClosed) return -1;
    const taken = this.line.isCongested ? 0 : Math.min(length, this.credit);
    if (taken > 0) this.line.write(this.id, bytes, offset, offset + taken);
    this.credit -= taken;
    this.isShort = taken < length;
    return taken;
  }

  /** The answer is complete: all of it was written, and another request may come. */
  complete(): void {
    if (!this.isClosed) this.line.complete(this.id);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
    // Not now: whoever resumes is in the middle of something.
    if (this.kept.length > 0) setImmediate(() => this.goOn());
  }

  /** The answer that was written is the last. */
  end(): void {
    this.close(true);
  }

  shutdown(): void {
    this.close(true);
  }

  terminate(): void {
    this.close(false);
  }

  /** The line joins what leaves. */
  setNoDelay(): void {}

  received(bytes: Buffer, start: number, end: number): void {
    const chunk = bytes.subarray(start, end);
    if (this.isPaused || this.kept.length > 0) this.kept.push(Buffer.from(chunk));
    else this.data.received(chunk);
  }

  answered(): void {}

  granted(bytes: number): void {
    this.credit += bytes;
    this.drain();
  }

  drain(): void {
    if (!this.isShort || this.credit === 0 || this.line.isCongested) return;
    this.isShort = false;
    this.data.drain();
  }

  closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.kept = [];
    this.data.closed(new Error("whoever lent it has gone"));
  }

  threw(): void {
    this.data.threw();
    this.terminate();
  }

  private goOn(): void {
    try {
      while (!this.isPaused && this.kept.length > 0) this.data.received(this.kept.shift()!);
    } catch {
      this.threw();
    }
  }

  private close(isWhole: boolean): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.kept = [];
    this.line.end(this.id, isWhole);
    this.data.closed();
  }
}

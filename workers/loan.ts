// One visitor's connection's way to one owner, and the exchange of the request that is there: its bytes go, and the answer's come, as they are.

import type { Head } from "../src/http1/head.ts";
import type { Access } from "../src/ingress/access-log.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import { flushCork } from "../src/ingress/cork.ts";
import type { Exchange } from "../src/ingress/exchange.ts";
import { type LoanEnd, type LoanLine, loanWindowBytes } from "../src/lending/loan-line.ts";

/** A connection that asked for one owner so often probably belongs there. */
const requestsPerLoan = 128;

/** Serves one request after the other; over when either end closes it. */
export class Loan implements LoanEnd, Exchange {
  private readonly id: number;
  private left = requestsPerLoan;
  private idleSince = performance.now();
  private isClosed = false;
  private isBusy = false;
  /** Bytes of answers that are not granted again yet: the visitor has not taken them, or they are few. */
  private owed = 0;
  private access: Access | null = null;

  constructor(
    private readonly line: LoanLine,
    private readonly connection: VisitorConnection,
  ) {
    const { address, secure, acceptedAtMs } = connection.meta;
    this.id = line.lend({ address, secure, acceptedAtMs }, this);
  }

  /** Whether the owner surely still listens: it closes what is idle for `idleTimeoutMs`. */
  isUsable(idleTimeoutMs: number): boolean {
    return !this.isClosed && !this.isBusy && performance.now() - this.idleSince < idleTimeoutMs / 2;
  }

  /** Takes one of the requests that this loan has; false: it has none left. */
  take(): boolean {
    return this.left-- > 0;
  }

  start(head: Head): void {
    this.isBusy = true;
    // Its owner has a line for it.
    this.access = this.connection.access;
    this.connection.access = null;
    this.line.write(this.id, head.bytes, head.start, head.end);
  }

  // Exchange

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.line.write(this.id, bytes, start, end);
  }

  bodyEnd(): void {}

  abort(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.isBusy = false;
    this.line.end(this.id, false);
  }

  /** However little it is: a slow visitor may take long for more. */
  drained(): void {
    this.grant(1);
  }

  private grant(least: number): void {
    const taken = this.owed - this.connection.backlogBytes;
    if (taken < least) return;
    this.line.grant(this.id, taken);
    this.owed -= taken;
  }

  // LoanEnd

  received(bytes: Buffer, start: number, end: number): void {
    if (!this.isBusy) return;
    const { connection } = this;
    connection.isAnswering = true;
    connection.write(bytes, start, end);
    this.owed += end - start;
    this.grant(loanWindowBytes / 4);
  }

  answered(): void {
    if (!this.isBusy) return;
    this.isBusy = false;
    const now = performance.now();
    this.idleSince = now;
    this.connection.finish(true, now);
    flushCork();
  }

  granted(): void {}

  drain(): void {}

  closed(isWhole: boolean): void {
    this.isClosed = true;
    if (!this.isBusy) return;
    this.isBusy = false;
    const { connection } = this;
    if (!connection.isAnswering) {
      // One that died, or closed when the request was on its way, has no line for it.
      if (isWhole || this.line.isClosed) connection.access = this.access;
      connection.answer("unavailable", { retryAfterSeconds: 2 });
    } else if (isWhole) connection.finish(false);
    else connection.destroy();
    flushCork();
  }

  threw(): void {
    this.abort();
    this.connection.destroy();
  }
}

// Requests for names of other threads on a connection that keeps changing host (proxies pool theirs): the request goes, the connection stays.

import { connectDescriptor } from "../src/handover/adopt.ts";
import { givePair, type PostConnection } from "../src/handover/give.ts";
import type { Ledger } from "../src/handover/ledger.ts";
import type { MovedConnection } from "../src/handover/moved-connection.ts";
import { EXPECT } from "../src/http1/fields.ts";
import type { Head } from "../src/http1/head.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import type { Counted } from "../src/ingress/movable-socket.ts";
import { closeDescriptor } from "../src/lib/descriptor.ts";
import { lineHandlers, LoanLine } from "../src/lending/loan-line.ts";
import type { ShardSettings } from "../src/link/messages.ts";
import { Loan } from "./loan.ts";

/** Who owns a host that is not ours. */
export type Owner = number | "main";

/** A larger upload is worth a move: its bytes would pass two threads. */
const maxLentBodyBytes = 64 * 1024;

export interface LenderOptions {
  settings: Pick<ShardSettings, "lendAfterMoves" | "idleTimeoutMs">;
  ledger: Ledger;
  post(owner: Owner, line: MovedConnection): ReturnType<PostConnection>;
}

/**
 * Each visitor's connection that lends has a loan per owner, on our line to that thread. There it is a connection like one that was moved, with the same
 * visitor behind it: what a lent request may and gets is decided there, as ever.
 */
export class Lender {
  private readonly loans = new Map<Counted, Map<Owner, Loan>>();
  private readonly lines = new Map<Owner, LoanLine>();

  constructor(private readonly options: LenderOptions) {}

  /** Begins the exchange on `connection` (being routed), or answers false: then it moves. */
  lend(connection: VisitorConnection, head: Head, owner: Owner): boolean {
    const { meta } = connection;
    if (meta.moves < this.options.settings.lendAfterMoves || meta.last || connection.leaving) return false;
    if (!isLendable(head)) return false;
    const loan = this.loanOf(connection, owner);
    if (loan === null) return false;
    connection.begin(loan);
    loan.start(head);
    return true;
  }

  /** For `IngressHost.released`. */
  released(connection: Counted): void {
    const loans = this.loans.get(connection);
    if (loans === undefined) return;
    this.loans.delete(connection);
    for (const loan of loans.values()) loan.abort();
  }

  private loanOf(connection: VisitorConnection, owner: Owner): Loan | null {
    const known = this.loans.get(connection)?.get(owner);
    if (known !== undefined && known.isUsable(this.options.settings.idleTimeoutMs)) return known.take() ? known : null;
    known?.abort();
    const line = this.lineTo(owner);
    if (line === null) return null;
    const loan = new Loan(line, connection);
    const loans = this.loans.get(connection) ?? new Map<Owner, Loan>();
    this.loans.set(connection, loans.set(owner, loan));
    return loan;
  }

  private lineTo(owner: Owner): LoanLine | null {
    const known = this.lines.get(owner);
    if (known?.isClosed === false) return known;
    const { ledger, post } = this.options;
    const line = new LoanLine(null);
    const keep = (fd: number): void =>
      void connectDescriptor({ fd, allowHalfOpen: true, data: line, socket: lineHandlers }).catch(() => {
        closeDescriptor(fd);
        line.closed();
      });
    const none = { address: "", secure: false, acceptedAtMs: 0, unread: "", last: false, moves: 0, lent: true };
    if (!givePair(ledger, keep, (fd) => post(owner, { ...none, fd }))) {
      line.close();
      return null;
    }
    this.lines.set(owner, line);
    return line;
  }
}

/** What is small and framed by a length, and can't become anything but an answer that is framed, too. */
function isLendable(head: Head): boolean {
  return (
    head.minor === 1 && !head.chunked && head.contentLength <= maxLentBodyBytes && head.upgrade < 0 && !head.has(EXPECT)
  );
}

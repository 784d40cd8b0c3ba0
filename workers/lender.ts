// Requests for names of other threads on a connection that keeps changing host (proxies pool theirs): the request goes, the connection stays.

import { connectDescriptor } from "../src/handover/adopt.ts";
import { closeDescriptor } from "../src/lib/descriptor.ts";
import { givePair, type PostConnection } from "../src/handover/give.ts";
import type { Ledger } from "../src/handover/ledger.ts";
import type { MovedConnection } from "../src/handover/moved-connection.ts";
import { ClientConnection, type ClientHandler, type ConnectionKeeper } from "../src/http1/client-connection.ts";
import { clientHandlers } from "../src/http1/client-dial.ts";
import { EXPECT } from "../src/http1/fields.ts";
import type { Head } from "../src/http1/head.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import type { Counted } from "../src/ingress/movable-socket.ts";
import { RelayExchange } from "../src/ingress/relay.ts";
import type { ShardSettings } from "../src/link/messages.ts";

/** Who owns a host that is not ours. */
export type Owner = number | "main";

/** A larger upload is worth a move: its bytes would pass two threads. */
const maxLentBodyBytes = 64 * 1024;
/** A connection that asked for one owner so often probably belongs there. */
const requestsPerLoan = 128;

export interface LenderOptions {
  settings: Pick<ShardSettings, "lendAfterMoves" | "idleTimeoutMs">;
  ledger: Ledger;
  /** Whether there are as many connections as may be. */
  isFull(): boolean;
  post(owner: Owner, lent: MovedConnection): ReturnType<PostConnection>;
}

/**
 * Each visitor's connection that lends has a pair of sockets per owner, whose other end its owner adopted like a connection that was
 * moved, with the same visitor behind it: what a lent request may and gets is decided there, as ever.
 */
export class Lender {
  private readonly loans = new Map<Counted, Map<Owner, Loan>>();

  constructor(private readonly options: LenderOptions) {}

  /** Begins the exchange on `connection` (being routed), or answers false: then it moves. */
  lend(connection: VisitorConnection, head: Head, owner: Owner): boolean {
    if (connection.meta.moves < this.options.settings.lendAfterMoves || !isLendable(head)) return false;
    const loan = this.loanOf(connection, owner);
    if (loan === null) return false;
    const exchange = new RelayExchange(connection, false);
    connection.begin(exchange);
    // Its owner has a line for it.
    connection.access = null;
    exchange.start(loan, head.bytes, head.start, head.end);
    return true;
  }

  /** For `IngressHost.released`. */
  released(connection: Counted): void {
    const loans = this.loans.get(connection);
    if (loans === undefined) return;
    this.loans.delete(connection);
    for (const loan of loans.values()) loan.client.destroy();
  }

  private loanOf(connection: VisitorConnection, owner: Owner): Loan | null {
    const known = this.loans.get(connection)?.get(owner);
    if (known !== undefined && known.isUsable(this.options.settings.idleTimeoutMs)) return known.take() ? known : null;
    known?.client.destroy();
    const loan = this.open(connection, owner);
    if (loan === null) return null;
    const loans = this.loans.get(connection) ?? new Map<Owner, Loan>();
    this.loans.set(connection, loans.set(owner, loan));
    return loan;
  }

  private open(connection: VisitorConnection, owner: Owner): Loan | null {
    const { options } = this;
    if (options.isFull()) return null;
    const loan = new Loan();
    const { client } = loan;
    const keep = (fd: number): void =>
      void connectDescriptor({ fd, allowHalfOpen: true, data: client, socket: clientHandlers }).catch(
        (error: Error) => {
          closeDescriptor(fd);
          client.fail("unreachable", error.message);
        },
      );
    const { address, secure, acceptedAtMs } = connection.meta;
    const lent = { address, secure, acceptedAtMs, unread: "", last: false, moves: 0, lent: true };
    if (givePair(options.ledger, keep, (fd) => options.post(owner, { ...lent, fd }))) return loan;
    client.destroy();
    return null;
  }
}

/** One connection's way to one owner. */
class Loan implements ConnectionKeeper {
  readonly client = new ClientConnection(this, true);
  private left = requestsPerLoan;
  /** -Infinity while a request is under way: never to be used then. */
  private idleSince = performance.now();
  private isClosed = false;

  /** For `RelayExchange`: the one connection that there is. */
  begin(handler: ClientHandler, isHead: boolean): ClientConnection {
    this.idleSince = -Infinity;
    this.client.begin(handler, isHead);
    return this.client;
  }

  /** Whether the owner surely still listens: it closes what is idle for `idleTimeoutMs`. */
  isUsable(idleTimeoutMs: number): boolean {
    return !this.isClosed && performance.now() - this.idleSince < idleTimeoutMs / 2;
  }

  /** Takes one of the requests that this loan has; false: it has none left. */
  take(): boolean {
    return this.left-- > 0;
  }

  release(): void {
    this.idleSince = performance.now();
  }

  forget(): void {
    this.isClosed = true;
  }
}

/** What is small, framed by a length, and can't become anything but an answer: an HTTP/1.0 answer may end by a close, which a pair doesn't tell from a break. */
function isLendable(head: Head): boolean {
  return (
    head.minor === 1 && !head.chunked && head.contentLength <= maxLentBodyBytes && head.upgrade < 0 && !head.has(EXPECT)
  );
}

// The line between two threads on which one lends the other requests: a pair of sockets that carries many loans, each with its own bytes and end.

import type { Socket } from "bun";
import { freeLarge } from "../lib/large-reads.ts";
import { SendQueue } from "../lib/send-queue.ts";
import { FrameReader, type FrameSink } from "../protocol/frame-reader.ts";
import { DATA, END, FIN, maxPayloadBytes, OPEN, readU32, RESET, resetCode, WINDOW } from "../protocol/frames.ts";
import { Outbox, type OutboxSink } from "../protocol/outbox.ts";

/** Of whose connection the requests of a loan are. */
export interface LoanMeta {
  address: string;
  secure: boolean;
  acceptedAtMs: number;
}

/** Who has one end of a loan. */
export interface LoanEnd {
  /** `bytes[start..end)`, valid during the call. */
  received(bytes: Buffer, start: number, end: number): void;
  /** The answer is complete, and the loan serves another request. Only who lends hears it. */
  answered(): void;
  /** Whoever lends takes so much more. */
  granted(bytes: number): void;
  /** The line takes more again. */
  drain(): void;
  /** The loan is over. `isWhole`: the other end closed it behind its last answer. */
  closed(isWhole: boolean): void;
  /** One of these threw. */
  threw(): void;
}

/** What the owner of a lent request may send before whoever lends has taken some. Requests are small, and need no credit. */
export const loanWindowBytes = 256 * 1024;
/** From here on what answers has to wait for the other thread. */
const congestedBytes = 512 * 1024;
/** Code of a RESET behind the last answer. */
const closedWhole = 0;

/**
 * Frames as a session's (protocol/frames.ts), without messages around them, and what is lent in one turn of the event loop leaves in one system call. OPEN begins a loan, DATA are
 * a request's bytes or an answer's, FIN or END completes an answer, WINDOW is credit for answers, RESET ends a loan. Both ends are threads of this process.
 */
export class LoanLine implements FrameSink, OutboxSink {
  /** What an answer has to say now would only be kept. */
  isCongested = false;
  /** Nothing can be lent on it any more. */
  isClosed = false;
  private socket: Socket<LoanLine> | null = null;
  private readonly outbox = new Outbox(this);
  private readonly out = new SendQueue();
  private readonly frames = new FrameReader(this);
  private readonly loans = new Map<number, LoanEnd>();
  private lastId = 0;

  /** `borrow`: makes the other end of a loan that was opened; null at the end that lends. */
  constructor(private readonly borrow: ((meta: LoanMeta, line: LoanLine, id: number) => LoanEnd) | null) {}

  /** Opens a loan; returns its number. */
  lend(meta: LoanMeta, end: LoanEnd): number {
    const id = ++this.lastId;
    this.loans.set(id, end);
    this.outbox.session(OPEN, meta, id);
    return id;
  }

  /** Sends a view, which may be reused after the call. */
  write(id: number, bytes: Uint8Array, start: number, end: number): void {
    for (let at = start; at < end;) {
      const stop = Math.min(end, at + maxPayloadBytes);
      this.outbox.frame(DATA, 0, id, bytes, at, stop);
      at = stop;
    }
  }

  /** The answer is complete. */
  complete(id: number): void {
    this.outbox.end(id);
  }

  grant(id: number, bytes: number): void {
    this.outbox.window(id, bytes);
  }

  /** Ends a loan; nothing more is heard of it. `isWhole`: behind its last answer. */
  end(id: number, isWhole: boolean): void {
    if (!this.loans.delete(id)) return;
    this.outbox.reset(id, isWhole ? closedWhole : resetCode.cancel, "");
    this.endIfIdle();
  }

  /** A line without loans takes two descriptors for nothing. */
  private endIfIdle(): void {
    if (this.borrow === null && this.loans.size === 0) this.close();
  }

  /** Ends the line and all that it carries. */
  close(): void {
    this.socket?.terminate();
    this.closed();
  }

  /** For the Outbox. */
  send(bytes: Buffer, start: number, end: number): void {
    this.out.write(this.socket, bytes, start, end);
    if (this.out.bytes > congestedBytes) this.isCongested = true;
  }

  /** For the FrameReader. */
  frame(type: number, flags: number, id: number, bytes: Buffer, start: number, end: number): void {
    if (type === OPEN) {
      const meta = JSON.parse(bytes.toString("utf8", start, end)) as LoanMeta;
      return void (this.borrow !== null && this.loans.set(id, this.borrow(meta, this, id)));
    }
    // Of one that is over here more may have been under way.
    const loan = this.loans.get(id);
    if (loan === undefined) return;
    try {
      if (type === DATA && end > start) loan.received(bytes, start, end);
      if (type === END || (type === DATA && (flags & FIN) !== 0)) loan.answered();
      else if (type === WINDOW) loan.granted(readU32(bytes, start));
      else if (type === RESET && this.loans.delete(id)) {
        loan.closed(bytes.readUInt16BE(start) === closedWhole);
        this.endIfIdle();
      }
    } catch {
      // It costs that loan, not the line.
      loan.threw();
    }
  }

  // Called by its socket.

  opened(socket: Socket<LoanLine>): void {
    if (this.isClosed) return void socket.terminate();
    this.socket = socket;
    this.out.flush(socket);
  }

  received(chunk: Buffer): void {
    this.frames.read(chunk, 0, chunk.length, false);
    freeLarge(chunk);
  }

  drain(): void {
    if (this.socket !== null) this.out.flush(this.socket);
    if (!this.isCongested || this.out.bytes > congestedBytes / 2) return;
    this.isCongested = false;
    for (const [id, loan] of [...this.loans]) {
      if (this.isCongested) return;
      // Whoever has had a turn is behind the others next time: a few large answers would take all that the line takes, for ever.
      if (!this.loans.delete(id)) continue;
      this.loans.set(id, loan);
      tell(loan, () => loan.drain());
    }
  }

  closed(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    this.socket = null;
    this.outbox.close();
    this.out.clear();
    for (const [id, loan] of this.loans) if (this.loans.delete(id)) tell(loan, () => loan.closed(false));
  }
}

/** A throw costs that loan, not those behind it. */
function tell(loan: LoanEnd, event: () => void): void {
  try {
    event();
  } catch {
    loan.threw();
  }
}

/** For the Bun sockets of the pair; `socket.data` is the line. */
export const lineHandlers = {
  open: (socket: Socket<LoanLine>) => socket.data.opened(socket),
  data: (socket: Socket<LoanLine>, chunk: Buffer) => socket.data.received(chunk),
  drain: (socket: Socket<LoanLine>) => socket.data.drain(),
  end: (socket: Socket<LoanLine>) => void socket.terminate(),
  close: (socket: Socket<LoanLine>) => socket.data.closed(),
  error: (socket: Socket<LoanLine>) => void socket.terminate(),
};

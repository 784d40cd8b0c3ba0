// A visitor whose requests are lent, with the owner's end of each line in the test's hands.

import type { Socket } from "bun";
import { connectDescriptor } from "../../src/handover/adopt.ts";
import { createLedgerMemory, Ledger } from "../../src/handover/ledger.ts";
import type { AccessLog } from "../../src/ingress/access-log.ts";
import { type LoanEnd, lineHandlers, LoanLine } from "../../src/lending/loan-line.ts";
import { closeDescriptor } from "../../src/lib/descriptor.ts";
import { Lender } from "../../workers/lender.ts";
import { eventually } from "./eventually.ts";
import { fakeVisitor, ingressLimits } from "./fake-visitor.ts";

/** The answer of owners. */
export const whole = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nwhole";

/** A visitor that has moved often; `lent`: whether each of its requests was lent. */
export function lendingVisitor({ isThere = true, moves = 1, last = false } = {}) {
  const theirs: number[] = [];
  const lent: boolean[] = [];
  /** What the ledger, the owner and the access log were told. */
  const told: unknown[] = [];
  const ledger = new Ledger(createLedgerMemory(65_536), 7);
  const lender = new Lender({
    settings: { lendAfterMoves: 1, idleTimeoutMs: 60_000 },
    ledger: Object.assign(ledger, { giving: (fd: number) => told.push(fd), gave: () => told.push("gave") }),
    post(_owner, connection) {
      told.push(connection);
      return isThere && theirs.push(connection.fd) > 0;
    },
  });
  const access = { begin: () => ({}), ended: () => void told.push("a line") } as unknown as AccessLog;
  const visitor = fakeVisitor(
    (connection, head) => {
      Object.assign(connection.meta, { moves, last });
      lent.push(lender.lend(connection, head, 1));
      if (!lent.at(-1)) connection.answer("unavailable");
    },
    { ...ingressLimits, maxBodyBytes: 100_000 },
    access,
  );
  const stop = (): void => {
    lender.released(visitor.connection);
    for (const line of lender["lines"].values()) line.close();
    for (const fd of theirs) closeDescriptor(fd);
  };
  return { lender, visitor, lent, theirs, told, [Symbol.dispose]: stop };
}

/** The other end of a line: what it heard, and one number for each loan that is open. */
export interface OwnerEnd {
  line: LoanLine;
  socket: Socket<LoanLine>;
  metas: unknown[];
  heard: string;
  open: number[];
  [Symbol.dispose](): void;
}

/** Owns the other end of `fd`'s line; `answer` is called when bytes have come. */
export async function owningLine(
  fd: number,
  answer = (end: OwnerEnd, id: number) => respond(end, id),
  granted: LoanEnd["granted"] = () => {},
): Promise<OwnerEnd> {
  const end = { metas: [], heard: "", open: [], [Symbol.dispose]: () => end.line.close() } as unknown as OwnerEnd;
  end.line = new LoanLine((meta, _line, id): LoanEnd => {
    end.metas.push(meta);
    end.open.push(id);
    return {
      received(bytes, start, stop) {
        end.heard += bytes.toString("latin1", start, stop);
        answer(end, id);
      },
      closed: () => void end.open.splice(end.open.indexOf(id), 1),
      granted,
      ...{ answered() {}, drain() {}, threw() {} },
    };
  });
  end.socket = await connectDescriptor({ fd, allowHalfOpen: true, data: end.line, socket: lineHandlers });
  return end;
}

export function respond({ line }: OwnerEnd, id: number, text = whole): void {
  line.write(id, Buffer.from(text), 0, text.length);
  line.complete(id);
}

type Stage = ReturnType<typeof lendingVisitor>;

export async function answered({ visitor }: Stage): Promise<string> {
  let heard = "";
  await eventually(() => (heard += visitor.take()).endsWith("whole"), "it is answered");
  return heard;
}

// An exchange of an agent with its local service, without sockets: the test plays the connection to the service, and the session.

import type { ClientHandler } from "../../src/http1/client-connection.ts";
import { Head } from "../../src/http1/head.ts";
import { type ExchangeHost, type ExchangeReport, LocalExchange } from "../../cli/agent/local-exchange.ts";
import type { AgentSession } from "../../cli/agent/session.ts";
import { FakeSession } from "./fake-session.ts";

/** What either direction of its stream is granted at first. */
export const exchangeWindow = 256 * 1024;

/** An exchange of a stream with `flags`, and what is done to its connection: at first (`began`) and then. `bytes`: its request. */
export function beginExchange(
  flags: number,
  responseWindow = exchangeWindow,
  reused = false,
  openedMsAgo = 0,
  spec = {},
  bytes = Buffer.from("GET / HTTP/1.1\r\n\r\n"),
  of = new FakeSession(),
  wantsReports = true,
  record: ExchangeHost["record"] = () => null,
) {
  const did: string[] = [];
  const note = (what: string) => () => void did.push(what);
  const client = {
    ...{ reused, answered: !reused, isOpen: true, backlogBytes: 0 },
    write: (bytes: Uint8Array, start: number, end: number) =>
      void did.push(`write ${Buffer.from(bytes.slice(start, end)).toString("latin1")}`),
    ...{ requestEnd: note("end"), startRaw: note("raw"), shutdown: note("shutdown"), destroy: note("destroy") },
    ...{ pauseReading: note("pause"), resumeReading: note("resume") },
  };
  let handler: ClientHandler | null = null;
  const begun: [isHead: boolean, fresh: boolean][] = [];
  const begin = (its: ClientHandler, isHead: boolean, fresh = false) => {
    begun.push([isHead, fresh]);
    handler = its;
    return client;
  };
  const local = {
    ...{ spec, pool: { begin }, heard: 0, hasAnswered: true, answered() {}, explain: (...all: string[]) => all[2] },
    ...{ silent: note("silent"), left: note("left"), unreached: note("unreached") },
    ...{ down: note("down"), mute: note("mute") },
  };
  const removed: number[] = [];
  const reports: ExchangeReport[] = [];
  const heardAt = performance.now() - openedMsAgo;
  const session = Object.assign(of, { heardAt, remove: (id: number) => void removed.push(id) });
  const exchange = new LocalExchange(
    {
      local,
      wantsReports,
      record,
      report: (one: ExchangeReport) => void reports.push(one),
    } as unknown as ExchangeHost,
    session as unknown as AgentSession,
    1,
    { flags, bytes, start: 0, end: bytes.length, responseWindow, requestWindow: exchangeWindow },
  );
  session.streams.set(1, exchange);
  const began = did.splice(0);
  const answer = (text: string): void => {
    const head = new Head();
    // Among other bytes, as in a read.
    const answered = Buffer.from(`##HTTP/1.1 ${text}\r\n\r\n`);
    head.parseResponse(answered, 2, answered.length);
    handler!.head(head);
  };
  const bodyOf = (text: string): void => handler!.bodyData(Buffer.from(`##${text}#`), 2, 2 + text.length);
  const heard = { began, did, removed, reports, begun };
  return { exchange, session, client, local, ...heard, answer, bodyOf, handler: () => handler! };
}

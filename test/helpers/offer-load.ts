// Load at fixed times as a process of its own: tens of thousands of requests a second, from visitors who don't wait for each other.

import type { Socket } from "bun";
import { percentile } from "../../bench/measure/statistics.ts";
import { endWithThisProcess } from "./server-process.ts";

export interface OfferedRequests {
  port: number;
  name: string;
  path: string;
  seconds: number;
  /** Requests come at this rate, each on a connection that is free or new. Null: `connections` ask again as soon as they are answered. */
  perSecond: number | null;
  /** Most connections at a time. */
  connections: number;
}

export interface OfferedResult {
  offered: number;
  /** Of each status: how many, and milliseconds from when the request was due until its answer was whole. */
  answers: Record<string, { count: number; p50Ms: number; p99Ms: number; worstMs: number }>;
  /** Connections that broke under a request, and requests for which there was no connection left. */
  broken: number;
  /** Not answered 5 s after the last was offered. */
  unanswered: number;
  /** How late the load itself was: p99. */
  lateMs: number;
  seconds: number;
  /** The most connections at a time. */
  most: number;
}

export async function offerRequests(load: OfferedRequests): Promise<OfferedResult> {
  const child = Bun.spawn([process.execPath, import.meta.path, JSON.stringify(load)], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "inherit",
  });
  endWithThisProcess(child.pid);
  return JSON.parse(await child.stdout.text()) as OfferedResult;
}

interface State {
  /** When the request that is being answered was due; 0: none is. */
  dueMs: number;
  status: string;
  /** Bytes of the answer that are still to come; -1: its head has not come. */
  left: number;
  closing: boolean;
}

type Visitor = Socket<State>;
/** How long after the last request answers are waited for. */
const patienceMs = 5_000;

async function run(load: OfferedRequests): Promise<OfferedResult> {
  const request = Buffer.from(`GET ${load.path} HTTP/1.1\r\nHost: ${load.name}.localhost\r\n\r\n`);
  const times: Record<string, number[]> = {};
  const late: number[] = [];
  const idle: Visitor[] = [];
  let [offered, answered, broken, open, most] = [0, 0, 0, 0, 0];
  const started = performance.now();
  const endMs = started + load.seconds * 1_000;

  const ask = (visitor: Visitor, dueMs: number): void => {
    visitor.data.dueMs = dueMs;
    visitor.data.left = -1;
    visitor.write(request);
  };
  const whole = (visitor: Visitor): void => {
    const { data } = visitor;
    const now = performance.now();
    (times[data.status] ??= []).push(now - data.dueMs);
    answered++;
    data.dueMs = 0;
    if (data.closing) visitor.end();
    else if (load.perSecond !== null) idle.push(visitor);
    else if (now < endMs) {
      offered++;
      ask(visitor, now);
    }
  };
  const handlers = {
    open(visitor: Visitor) {
      visitor.setNoDelay(true);
      ask(visitor, visitor.data.dueMs);
    },
    data(visitor: Visitor, bytes: Buffer) {
      const { data } = visitor;
      if (data.left < 0) {
        // A head is far smaller than what arrives at once.
        const end = bytes.indexOf("\r\n\r\n") + 4;
        const head = bytes.toString("latin1", 0, end);
        data.status = head.slice(9, 12);
        data.closing = /\r\nconnection: *close/i.test(head);
        data.left = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0) + end;
      }
      data.left -= bytes.length;
      if (data.left === 0) whole(visitor);
    },
    close(visitor: Visitor) {
      open--;
      if (visitor.data.dueMs > 0) broken++;
      const at = idle.indexOf(visitor);
      if (at >= 0) idle.splice(at, 1);
    },
    error: (visitor: Visitor) => void visitor.terminate(),
    connectError() {
      open--;
      broken++;
    },
  };
  const begin = (dueMs: number): void => {
    offered++;
    const visitor = idle.pop();
    if (visitor !== undefined) return ask(visitor, dueMs);
    if (open >= load.connections) return void broken++;
    most = Math.max(most, ++open);
    const data: State = { dueMs, status: "", left: -1, closing: false };
    Bun.connect({ hostname: "127.0.0.1", port: load.port, data, socket: handlers }).catch(() => {});
  };

  if (load.perSecond === null) for (let i = 0; i < load.connections; i++) begin(performance.now());
  else {
    for (let next = 0; next < load.perSecond * load.seconds;) {
      const now = performance.now();
      for (; started + (next * 1_000) / load.perSecond <= now; next++) {
        const dueMs = started + (next * 1_000) / load.perSecond;
        late.push(now - dueMs);
        begin(dueMs);
      }
      await Bun.sleep(1);
    }
  }
  while (performance.now() < endMs || (answered + broken < offered && performance.now() < endMs + patienceMs))
    await Bun.sleep(5);
  const answers = Object.entries(times).map(([status, ms]) => [
    status,
    { count: ms.length, p50Ms: percentile(ms, 50), p99Ms: percentile(ms, 99), worstMs: percentile(ms, 100) },
  ]);
  return {
    ...{ offered, broken, unanswered: offered - answered - broken, most, answers: Object.fromEntries(answers) },
    lateMs: late.length === 0 ? 0 : percentile(late, 99),
    seconds: load.seconds,
  };
}

if (import.meta.main) {
  process.stdout.write(JSON.stringify(await run(JSON.parse(process.argv[2]!) as OfferedRequests)));
  process.exit(0);
}

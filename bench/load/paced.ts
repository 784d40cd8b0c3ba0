// Latency under a load that leaves the machine idle: few connections, each asks at fixed times, whatever came before.

import { connect, type Socket } from "node:net";
import { once } from "node:events";
import { percentile } from "../measure/statistics.ts";
import type { Endpoint } from "../parties/party.ts";

export interface PacedResult {
  p50Us: number;
  p99Us: number;
  requests: number;
  errors: number;
}

const connections = 4;
const everyMs = 20;
const bodyBytes = 1_024;
const answerTimeoutMs = 5_000;

/** Asks `GET /` (1 KB) for `seconds`. Times run from the moment a request was due, so a stall counts for all it delays. */
export async function runPaced(endpoint: Endpoint, seconds: number): Promise<PacedResult> {
  const times: number[] = [];
  let errors = 0;
  const lane = async (offsetMs: number): Promise<void> => {
    const socket = connect(endpoint.port, endpoint.address);
    try {
      await once(socket, "connect");
      socket.setNoDelay(true);
      const start = performance.now() + offsetMs;
      for (let turn = 0; turn * everyMs < seconds * 1_000; turn++) {
        const due = start + turn * everyMs;
        const waitMs = due - performance.now();
        if (waitMs > 0) await Bun.sleep(waitMs);
        await ask(socket, endpoint.hostHeaders[0]);
        times.push((performance.now() - Math.max(due, start)) * 1_000);
      }
    } catch {
      errors++;
    } finally {
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: connections }, (_, i) => lane((i * everyMs) / connections)));
  return { p50Us: percentile(times, 50), p99Us: percentile(times, 99), requests: times.length, errors };
}

function ask(socket: Socket, host: string): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let received = "";
  const onData = (bytes: Buffer): void => {
    received += bytes.toString("latin1");
    const end = received.indexOf("\r\n\r\n");
    if (end < 0 || received.length < end + 4 + bodyBytes) return;
    if (received.startsWith("HTTP/1.1 200 ")) resolve();
    else reject(new Error(received.slice(0, 40)));
  };
  const onEnd = (): void => reject(new Error("the connection ended"));
  const timer = setTimeout(() => reject(new Error("no answer in time")), answerTimeoutMs);
  socket.on("data", onData).once("close", onEnd).once("error", onEnd);
  socket.write(`GET / HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  return promise.finally(() => {
    clearTimeout(timer);
    socket.off("data", onData).off("close", onEnd).off("error", onEnd);
  });
}

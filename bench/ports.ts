// Finds free ports on the loopback and waits until a party really answers through its whole path.

import type { Endpoint } from "./parties/party.ts";
import type { StartedProcess } from "./process-group.ts";

/** A port of 127.0.0.1 that was free a moment ago. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

/**
 * Resolves when `GET /` for every host name of the endpoint answers 200 with the local service's body.
 * Rejects with the process's own words when one of `processes` has ended, or after `timeoutMs`.
 */
export async function waitForAnswer(
  endpoint: Endpoint,
  processes: readonly StartedProcess[],
  timeoutMs = 20_000,
): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  let last = "no answer";
  for (;;) {
    for (const process of processes) {
      if (process.ended()) throw new Error(`a program ended at once: ${process.logTail()}`);
    }
    const results = await Promise.all(endpoint.hostHeaders.map((host) => tryOnce(endpoint, host)));
    const wrong = results.find((result) => result !== null);
    if (wrong === undefined || wrong === null) return;
    last = wrong;
    if (performance.now() > deadline) {
      throw new Error(`not ready after ${timeoutMs} ms (${last}): ${processes.map((p) => p.logTail()).join(" | ")}`);
    }
    await Bun.sleep(50);
  }
}

/** `null` when the answer is the local service's; otherwise what came instead. */
async function tryOnce(endpoint: Endpoint, host: string): Promise<string | null> {
  try {
    const response = await fetch(`http://${endpoint.address}:${endpoint.port}/`, {
      headers: { host, connection: "close" },
      signal: AbortSignal.timeout(2_000),
      proxy: "",
    });
    const body = await response.text();
    if (response.status === 200 && body.length === 1024) return null;
    return `status ${response.status}, ${body.slice(0, 200)}`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Resolves when something accepts TCP connections there; rejects like `waitForAnswer`. */
export async function waitForPort(address: string, port: number, process: StartedProcess): Promise<void> {
  const deadline = performance.now() + 20_000;
  for (;;) {
    if (process.ended()) throw new Error(`the program ended at once: ${process.logTail()}`);
    if (await accepts(address, port)) return;
    if (performance.now() > deadline) throw new Error(`nothing listens on ${address}:${port}: ${process.logTail()}`);
    await Bun.sleep(30);
  }
}

async function accepts(address: string, port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: address, port, socket: { data() {}, error() {} } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
}

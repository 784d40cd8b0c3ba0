// Load that comes at fixed times, whatever became of what came before: visitors don't wait for each other.

import { RawClient } from "./raw-client.ts";

export interface OfferedLoad {
  port: number;
  /** The name that is asked for. */
  name: string;
  path: string;
  perSecond: number;
  seconds: number;
}

export interface LoadResult {
  offered: number;
  /** Milliseconds from the moment at which the request was due, of each answer with this status. */
  ms: Record<number, number[]>;
  broken: number;
  /** From the first request to the last answer. */
  seconds: number;
}

/** Offers it over kept-alive connections, as many as are needed; resolves when the last request has its end. */
export async function offerLoad({ port, name, path, perSecond, seconds }: OfferedLoad): Promise<LoadResult> {
  const idle: RawClient[] = [];
  const result: LoadResult = { offered: Math.round(perSecond * seconds), ms: {}, broken: 0, seconds: 0 };
  const request = `GET ${path} HTTP/1.1\r\nHost: ${name}.localhost\r\n\r\n`;
  const ask = async (due: number): Promise<void> => {
    let client: RawClient | undefined;
    try {
      client = idle.pop() ?? (await RawClient.open({ port }));
      await client.send(request);
      const { status, fields } = await client.response({ discard: true, timeoutMs: 30_000 });
      (result.ms[status] ??= []).push(performance.now() - due);
      if (fields.some(([field, value]) => field.toLowerCase() === "connection" && value === "close"))
        client[Symbol.dispose]();
      else idle.push(client);
    } catch {
      result.broken++;
      client?.[Symbol.dispose]();
    }
  };
  const started = performance.now();
  const running: Promise<void>[] = [];
  while (running.length < result.offered) {
    const due = started + (running.length * 1_000) / perSecond;
    // Timers are as coarse as 1 ms: what is due by now goes out together.
    if (due > performance.now()) await Bun.sleep(1);
    else running.push(ask(due));
  }
  await Promise.all(running);
  result.seconds = (performance.now() - started) / 1_000;
  for (const client of idle) client[Symbol.dispose]();
  return result;
}

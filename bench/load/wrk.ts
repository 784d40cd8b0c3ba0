// Requests per second and latency, measured by wrk.

import { availableParallelism } from "node:os";
import { join } from "node:path";
import { type Endpoint, requireProgram } from "../parties/party.ts";

export interface WrkResult {
  requests: number;
  durationUs: number;
  p50Us: number;
  p99Us: number;
  /** Failed connections, reads, writes, time-outs and answers other than 2xx/3xx. */
  errors: number;
}

export interface WrkLoad {
  connections: number;
  seconds: number;
  /** Ask for `Connection: close`, so that every request needs a connection of its own. */
  close?: boolean;
  /** Take the endpoint's host names in turn instead of the first one only. */
  rotateHosts?: boolean;
  /** Field lines to send with every request. */
  headers?: readonly string[];
  /** Ends the run early. */
  signal?: AbortSignal;
}

/** Loads `GET /` of the endpoint; rejects when wrk fails or says nothing. */
export async function runWrk(endpoint: Endpoint, load: WrkLoad): Promise<WrkResult> {
  // One wrk thread makes more requests than any party takes; more of them only take cores from the parties.
  const threads = Math.min(load.connections, Math.max(1, Math.floor(availableParallelism() / 4)));
  const command = [
    requireProgram("wrk"),
    `-t${threads}`,
    `-c${load.connections}`,
    `-d${load.seconds}s`,
    "-s",
    join(import.meta.dir, "report.lua"),
    "-H",
    `Host: ${endpoint.hostHeaders[0]}`,
    ...(load.headers ?? []).flatMap((line) => ["-H", line]),
    ...(load.close === true ? ["-H", "Connection: close"] : []),
    `http://${endpoint.address}:${endpoint.port}/`,
    ...(load.rotateHosts === true ? ["--", ...endpoint.hostHeaders] : []),
  ];
  const wrk = Bun.spawn(command, {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    ...(load.signal === undefined ? {} : { signal: load.signal }),
  });
  const [output, errors] = await Promise.all([wrk.stdout.text(), wrk.stderr.text()]);
  await wrk.exited;
  const line = /^BENCH (\{.*\})$/m.exec(output)?.[1];
  if (line === undefined) throw new Error(`wrk gave no result: ${(errors || output).trim().slice(-300)}`);
  return JSON.parse(line) as WrkResult;
}

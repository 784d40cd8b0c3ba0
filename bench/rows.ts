// The rows of the benchmark: what load each one puts on a party and what it reads off.

import { runBulk } from "./load/bulk.ts";
import { measureFirstByte } from "./load/first-byte.ts";
import { runWebSockets } from "./load/websocket.ts";
import { runWrk } from "./load/wrk.ts";
import type { BenchOptions } from "./options.ts";
import type { Endpoint } from "./parties/party.ts";

/** What one run of a row found; null where the row doesn't measure it. */
export interface Measurement {
  /** Requests, messages or 10^6 bytes per second. */
  rate: number | null;
  /** Requests or messages served, to divide CPU time by. */
  units: number | null;
  p50Us: number | null;
  p99Us: number | null;
  errors: number;
}

export interface Row {
  readonly id: string;
  readonly title: string;
  readonly unit: "requests/s" | "messages/s" | "MB/s" | "ms";
  /** Reach the party through the pooling nginx instead of directly. */
  readonly throughFront?: true;
  /** Whether rounds are fewer, because one run is long. */
  readonly long?: true;
  measure(endpoint: Endpoint, load: RowLoad): Promise<Measurement>;
}

/** One run's size: the options, shrunk for the warm-up. */
export interface RowLoad {
  readonly seconds: number;
  readonly bulkBytes: number;
  readonly firstBytes: number;
  readonly signal: AbortSignal;
}

const bulkDeadlineMs = 20_000;

export const allRows: readonly Row[] = [
  requests("rps-1", "1 KB answers, 1 connection", { connections: 1 }),
  requests("rps-64", "1 KB answers, 64 connections", { connections: 64 }),
  requests("rps-256", "1 KB answers, 256 connections", { connections: 256 }),
  requests("close", "a new connection per request, 64 at a time", { connections: 64, close: true }),
  {
    ...requests("pooled", "4 host names through a pooling nginx, 64 connections", {
      connections: 64,
      rotateHosts: true,
    }),
    throughFront: true,
  },
  {
    id: "ws",
    title: "WebSocket echoes of 100 B, 64 sockets, 4 in flight each",
    unit: "messages/s",
    async measure(endpoint, load) {
      const result = await runWebSockets(endpoint, { sockets: 64, inFlight: 4, seconds: load.seconds });
      return {
        rate: result.messages / (result.durationUs / 1e6),
        units: result.messages,
        p50Us: null,
        p99Us: null,
        errors: result.errors,
      };
    },
  },
  {
    id: "ttfb",
    title: "new connection to first body byte of a slow answer",
    unit: "ms",
    async measure(endpoint, load) {
      return { rate: null, units: null, ...(await measureFirstByte(endpoint, load.firstBytes)) };
    },
  },
  bulk("down-1", "download, 1 stream", "down", 1),
  bulk("down-16", "download, 16 streams", "down", 16),
  bulk("up-1", "upload, 1 stream", "up", 1),
  bulk("up-16", "upload, 16 streams", "up", 16),
];

/** Id of the row that is not rotated over parties: memory per idle session. */
export const idleRowId = "idle";

/** Ids of the rows about our control plane; nobody else has one. */
export const policyRowId = "policy";
export const loginsRowId = "logins";

/** Whether `--rows` asks for this id. */
export function isWanted(rowId: string, options: Pick<BenchOptions, "rows">): boolean {
  return options.rows.length === 0 || options.rows.some((wanted) => rowId === wanted || rowId.startsWith(`${wanted}-`));
}

function requests(
  id: string,
  title: string,
  shape: { connections: number; close?: boolean; rotateHosts?: boolean },
): Row {
  return {
    id,
    title,
    unit: "requests/s",
    async measure(endpoint, load) {
      const result = await runWrk(endpoint, { ...shape, seconds: load.seconds, signal: load.signal });
      return {
        rate: result.requests / (result.durationUs / 1e6),
        units: result.requests,
        p50Us: result.p50Us,
        p99Us: result.p99Us,
        errors: result.errors,
      };
    },
  };
}

function bulk(id: string, title: string, direction: "down" | "up", streams: number): Row {
  return {
    id,
    title,
    unit: "MB/s",
    long: true,
    async measure(endpoint, load) {
      const totalBytes = load.bulkBytes;
      const result = await runBulk(endpoint, { direction, streams, totalBytes, deadlineMs: bulkDeadlineMs });
      return { rate: result.megabytesPerSecond, units: null, p50Us: null, p99Us: null, errors: result.errors };
    },
  };
}

// Throughput of large bodies: generated content down from /bulk, up to /upload, over one or several streams.

import type { Endpoint } from "../parties/party.ts";
import { exchange } from "./raw-client.ts";

export interface BulkLoad {
  direction: "down" | "up";
  streams: number;
  /** Over all streams together. */
  totalBytes: number;
  /** A slow party is stopped then, and judged by what it has moved. */
  deadlineMs: number;
}

export interface BulkResult {
  /** 10^6 bytes per second. */
  megabytesPerSecond: number;
  /** Streams that broke, or answered something else than 200 or than was sent. */
  errors: number;
}

/** Moves `totalBytes` and says how fast; a stream that fails is counted, never thrown. */
export async function runBulk(endpoint: Endpoint, load: BulkLoad): Promise<BulkResult> {
  const bytesPerStream = Math.floor(load.totalBytes / load.streams);
  const down = load.direction === "down";
  const startedAt = performance.now();
  let moved = 0;
  const results = await Promise.allSettled(
    Array.from({ length: load.streams }, () =>
      exchange(endpoint, {
        head: down ? `GET /bulk?bytes=${bytesPerStream} HTTP/1.1` : "POST /upload HTTP/1.1",
        uploadBytes: down ? 0 : bytesPerStream,
        expectBytes: down ? bytesPerStream : null,
        deadlineMs: load.deadlineMs,
        onProgress: (bytes) => (moved += bytes),
      }),
    ),
  );
  const seconds = (performance.now() - startedAt) / 1000;
  // An upload counts what our own kernel took; at the deadline that is at most the socket buffers too much.
  const wrong = results.filter((r) => r.status === "rejected" || (r.value.complete && r.value.status !== 200));
  return { megabytesPerSecond: moved / 1e6 / seconds, errors: wrong.length };
}

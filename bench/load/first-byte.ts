// Time to first byte: a new connection each, one request, an answer whose body comes in two parts.

import { percentile } from "../measure/statistics.ts";
import type { Endpoint } from "../parties/party.ts";
import { exchange } from "./raw-client.ts";

export interface FirstByteResult {
  p50Us: number;
  p99Us: number;
  errors: number;
}

/** The local service holds the second body byte back this long, so holding back the first one shows. */
const holdBackMs = 10;

/** Makes `count` requests one after the other; from connecting to the first body byte. */
export async function measureFirstByte(endpoint: Endpoint, count: number): Promise<FirstByteResult> {
  const times: number[] = [];
  let errors = 0;
  for (let i = 0; i < count; i++) {
    try {
      const result = await exchange(endpoint, {
        head: `GET /slow?ms=${holdBackMs} HTTP/1.1`,
        uploadBytes: 0,
        expectBytes: null,
        deadlineMs: 3_000,
      });
      if (result.complete && result.status === 200) times.push(result.firstByteMs * 1000);
      else errors++;
    } catch {
      errors++;
    }
  }
  return { p50Us: percentile(times, 50), p99Us: percentile(times, 99), errors };
}

// Visitors whose connections change host, and with it thread, on every request: kept alive, pipelined, with bodies both ways.

import { patternBytes } from "./pattern.ts";
import { RawClient, type RawResponse } from "./raw-client.ts";
import { valuesOf } from "./strict-http.ts";

export interface MovingOptions {
  port: number;
  /** Tags of the services behind `TAG.localhost`; at least one per shard. */
  tags: readonly string[];
  /** Requests in all, each for another host than the one before it. */
  moves: number;
  connections: number;
  /** Makes ids of two runs differ. */
  run: string;
}

export interface MovingReport {
  answers: number;
  /** Answers that were not what was asked for. */
  wrong: string[];
  /** Connections that the server closed behind an answer that said so, and those that broke. */
  closedByAnswer: number;
  broken: string[];
}

export interface Asked {
  host: string;
  id: string;
  body: Buffer;
  bytes: Buffer;
}

const unknown = "nobody-has-this.localhost";
const base = "localhost";

/** Runs until `moves` requests were answered. */
export async function runMovingVisitors(options: MovingOptions): Promise<MovingReport> {
  const report: MovingReport = { answers: 0, wrong: [], closedByAnswer: 0, broken: [] };
  let next = 0;
  const ask = (before: string): Asked => askAnother(options.tags, before, `${options.run}-${next++}`);
  const visitor = async (): Promise<void> => {
    let last = "";
    let waiting: Asked[] = [];
    let client = await RawClient.open(options);
    while (next < options.moves || waiting.length > 0) {
      const batch = 1 + Math.floor(Math.random() * 4);
      while (waiting.length < batch && next < options.moves) {
        waiting.push(ask(waiting.at(-1)?.host ?? last));
      }
      const answers = waiting.map(() => client.response());
      // What comes after a closing answer is rejected, and asked again on another connection.
      for (const answer of answers) answer.catch(() => {});
      await client.send(Buffer.concat(waiting.map(({ bytes }) => bytes)));
      let ended = false;
      for (const answer of answers) {
        const response = await answer.catch((error: unknown) => void report.broken.push(String(error)));
        if (response === undefined) {
          ended = true;
          break;
        }
        const asked = waiting.shift()!;
        last = asked.host;
        report.answers++;
        const complaint = judge(asked, response);
        if (complaint !== null) report.wrong.push(complaint);
        if (!valuesOf(response.fields, "connection").includes("close")) continue;
        report.closedByAnswer++;
        ended = true;
        break;
      }
      if (!ended) continue;
      client[Symbol.dispose]();
      client = await RawClient.open(options);
      if (report.broken.length > 20) return;
    }
    client[Symbol.dispose]();
  };
  await Promise.all(Array.from({ length: options.connections }, visitor));
  return report;
}

/** A request for any host but the one before it: one of `TAG.localhost`, the base domain, or one that nobody has. */
export function askAnother(tags: readonly string[], before: string, id: string): Asked {
  const hosts = [...tags.map((tag) => `${tag}.localhost`), base, unknown].filter((host) => host !== before);
  return request(hosts[Math.floor(Math.random() * hosts.length)]!, id);
}

/** Mostly small bodies; one in eight is larger than what travels with a connection. */
function request(host: string, id: string): Asked {
  const plain = host === base || host === unknown;
  const most = Math.random() < 0.125 ? 96 * 1024 : 2 * 1024;
  const from = Math.floor(Math.random() * 60_000);
  const body = plain ? Buffer.alloc(0) : patternBytes(from, from + Math.floor(Math.random() * most));
  const chunked = Math.random() < 0.3;
  const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${body.length}`;
  const line = plain ? `GET ${host === base ? "/health" : "/"}` : "POST /echo";
  const head = `${line} HTTP/1.1\r\nHost: ${host}\r\nX-Id: ${id}\r\n${plain ? "" : `${framing}\r\n`}\r\n`;
  const end = chunked && !plain ? [Buffer.from("0\r\n\r\n")] : [];
  const parts =
    chunked && body.length > 0 ? [Buffer.from(`${body.length.toString(16)}\r\n`), body, Buffer.from("\r\n")] : [body];
  return { host, id, body, bytes: Buffer.concat([Buffer.from(head), ...parts, ...end]) };
}

/** Null when the answer is the right one. */
export function judge(asked: Asked, response: RawResponse): string | null {
  const about = `${asked.id} for ${asked.host} got ${response.status}`;
  if (asked.host === base) return response.status === 200 ? null : about;
  if (asked.host === unknown) {
    return response.status === 404 && response.body.includes("tunnel_not_found") ? null : about;
  }
  const tag = valuesOf(response.fields, "x-service")[0];
  const id = valuesOf(response.fields, "x-id")[0];
  if (response.status !== 200 || `${tag}.localhost` !== asked.host || id !== asked.id)
    return `${about} by ${tag} with ${id}`;
  return response.body.equals(asked.body) ? null : `${about} with another body`;
}

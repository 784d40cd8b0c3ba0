// What is planned of a conversation as bytes: requests, answers, bodies in their framing, and where they are cut.

import { type Ask, type Chance, isBare, type PlannedBody } from "./conversation-plan.ts";
import { patternBytes } from "./pattern.ts";

export function headOf(ask: Ask): Buffer {
  const { method, target, minor, host, fields, key, connection, expects, raw, body } = ask;
  const lines = [`${method} ${target} HTTP/1.${minor}`, `Host: ${host}`, ...fields.map((field) => field.join(": "))];
  if (key !== "") lines.push(`X-API-Key: ${key}`);
  if (connection !== "") lines.push(`Connection: ${connection}`);
  if (expects) lines.push("Expect: 100-continue");
  if (raw !== null) lines.push("Connection: Upgrade", "Upgrade: websocket");
  if (raw !== null) lines.push("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "Sec-WebSocket-Version: 13");
  if (body !== null) lines.push(body.chunks === null ? `Content-Length: ${body.bytes}` : "Transfer-Encoding: chunked");
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
}

/** All that is written, up to where it breaks off. */
export function answerOf(ask: Ask): Buffer {
  const { minor, status, reason, fields, framing, body, breaks, closes } = ask.answer;
  const lines = [
    `HTTP/1.${minor} ${status} ${reason}`,
    `X-Plan: ${ask.id}`,
    ...fields.map((field) => field.join(": ")),
  ];
  if (framing === "length") lines.push(`Content-Length: ${body.bytes}`);
  if (framing === "chunked") lines.push("Transfer-Encoding: chunked");
  if (closes) lines.push("Connection: close");
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  const all = isBare(ask) ? head : Buffer.concat([head, framed(body)]);
  return breaks === null ? all : all.subarray(0, head.length + breaks.at);
}

/** A body in its framing; nothing for none. */
export function framed(body: PlannedBody | null): Buffer {
  if (body === null) return Buffer.alloc(0);
  const { from, bytes, chunks, extension, trailers } = body;
  if (chunks === null) return patternBytes(from, from + bytes);
  const parts: Buffer[] = [];
  let at = from;
  for (const size of chunks) {
    parts.push(Buffer.from(`${size.toString(16)}${extension}\r\n`), patternBytes(at, at + size), Buffer.from("\r\n"));
    at += size;
  }
  const lines = trailers.map((field) => `${field.join(": ")}\r\n`).join("");
  return Buffer.concat([...parts, Buffer.from(`0${extension}\r\n${lines}\r\n`, "latin1")]);
}

/** `bytes` in at most so many pieces of any size, half of them of its beginning. */
export function cut(bytes: Buffer, pieces: number, chance: Chance): Buffer[] {
  const within = (): number => (chance() < 0.5 ? Math.min(500, bytes.length) : bytes.length);
  const ends = Array.from({ length: pieces - 1 }, () => Math.floor(chance() * (within() + 1))).sort((a, b) => a - b);
  const parts = [...ends, bytes.length].map((end, i) => bytes.subarray(i === 0 ? 0 : ends[i - 1]!, end));
  return parts.filter(({ length }) => length > 0);
}

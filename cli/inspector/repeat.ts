// Sends a recorded request to its local service again, as it was or changed, and records what comes of it.

import { writeChunk, writeLastChunk } from "../../src/http1/chunks.ts";
import type { ClientConnection, ClientFailure, ClientHandler } from "../../src/http1/client-connection.ts";
import { Head } from "../../src/http1/head.ts";
import { CHUNKED } from "../../src/protocol/frames.ts";
import type { Recorder } from "./recorder.ts";
import type { Recording } from "./recording.ts";
import type { ChangedRequest } from "./types.ts";

/** An answer that goes on is cut then: nobody waits for it. */
const longestMs = 60_000;

/** A request in the words of HTTP/1.1. */
export interface RequestBytes {
  head: Buffer;
  body: Buffer;
  /** The body is sent in chunks, as the head says, with these trailers behind it. */
  isChunked: boolean;
  trailers: Buffer | null;
}

/** Begins, and returns the new recording. Whether `recording` may be sent again was asked before. */
export function repeat(recorder: Recorder, recording: Recording, changed: RequestBytes | null): Recording {
  const { source, requestHead, requestBody, isChunked, trailers, id } = recording;
  const request = changed ?? { head: requestHead, body: requestBody.read(), isChunked, trailers };
  const head = { bytes: request.head, start: 0, end: request.head.length, flags: request.isChunked ? CHUNKED : 0 };
  const next = recorder.begin(source, head, { id, changed: changed !== null });
  next.asks(request.body, 0, request.body.length);
  next.asked(request.trailers);
  new Repetition(next, request);
  return next;
}

/**
 * The bytes of a request in somebody's words: strict HTTP/1.1 (RFC 9112) with a length that fits its body. Throws an error whose message says
 * what is wrong.
 */
export function requestBytes({ head, body }: ChangedRequest): RequestBytes {
  const lines = head.split(/\r?\n/).filter((line) => line.trim() !== "");
  const bytes = Buffer.from(body);
  const kept = lines.filter((line) => !/^(?:content-length|transfer-encoding|trailer|expect)\s*:/i.test(line));
  const saysLength = kept.length < lines.length || /^(?:POST|PUT|PATCH) /.test(head);
  if (bytes.length > 0 || saysLength) kept.push(`Content-Length: ${bytes.length}`);
  const text = `${kept.join("\r\n")}\r\n\r\n`;
  if (/[^\t\x20-\x7e\x80-\xff\r\n]/.test(text)) throw new Error("The head has a character that HTTP does not allow.");
  const headBytes = Buffer.from(text, "latin1");
  const parsed = new Head();
  if (parsed.parseRequest(headBytes, 0, headBytes.length) !== headBytes.length)
    throw new Error(`The head can't be sent: ${parsed.detail || "it is not complete"}.`);
  if (parsed.upgrade >= 0) throw new Error("The head can't be sent: it asks for another protocol.");
  return { head: headBytes, body: bytes, isChunked: false, trailers: null };
}

/** One exchange with the local service, on a connection of its own. */
class Repetition implements ClientHandler {
  private readonly client: ClientConnection;
  private readonly timer: ReturnType<typeof setTimeout>;

  constructor(
    private readonly recording: Recording,
    { head, body, isChunked, trailers }: RequestBytes,
  ) {
    this.timer = setTimeout(() => {
      this.client.destroy();
      this.over(`cut after ${longestMs / 1_000} s`);
    }, longestMs);
    this.timer.unref();
    const { pool } = recording.source.local;
    this.client = pool.begin(this, recording.method === "HEAD", true);
    this.client.write(head, 0, head.length);
    if (!isChunked) this.client.write(body, 0, body.length);
    else {
      if (body.length > 0) writeChunk(this.client, body, 0, body.length);
      writeLastChunk(this.client, trailers);
    }
    this.client.requestEnd();
  }

  head(head: Head): void {
    this.recording.heads(head);
    if (head.status !== 101) return;
    this.client.destroy();
    this.over("the local service switched protocols unasked");
  }

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.recording.answers(bytes, start, end);
  }

  bodyEnd(): void {}

  finished(): void {
    this.over(null);
  }

  failed(failure: ClientFailure, detail: string): void {
    this.over(this.recording.source.local.explain(failure, this.client.answered, detail));
  }

  drained(): void {}

  private over(error: string | null): void {
    clearTimeout(this.timer);
    this.recording.ends(0, error);
  }
}

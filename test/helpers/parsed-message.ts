// The shape in which tests compare HTTP/1.1 parsers, and our codec driven like a connection drives it.

import { BodyReader } from "../../src/http1/body.ts";
import { Head } from "../../src/http1/head.ts";
import { INCOMPLETE, REFUSED } from "../../src/http1/parsing.ts";

/** One message as a parser understood it; text is latin1. */
export interface ParsedMessage {
  method: string;
  target: string;
  status: number;
  fields: [string, string][];
  body: string;
  trailers: [string, string][];
}

/** What a parser made of a whole input. */
export interface ParseResult {
  messages: ParsedMessage[];
  /** Why the rest was refused; null when nothing was. */
  refused: string | null;
  /** The input ended inside a message. */
  open: boolean;
  /** A message asked for the connection to be closed; what came behind it was not read. */
  closed: boolean;
}

export type MessageKind = "request" | "response";

/**
 * Reads `input` with src/http1 as a connection would, arriving in pieces that end at the offsets `splits`.
 * Names and values of fields are as received; forbidden trailers are missing (see `cleanTrailers`).
 */
export function parseWithOurs(input: Buffer, kind: MessageKind, splits: readonly number[] = []): ParseResult {
  const result: ParseResult = { messages: [], refused: null, open: false, closed: false };
  const head = new Head();
  const body = new BodyReader();
  let message: ParsedMessage | null = null;
  let unread = Buffer.alloc(0);
  const sink = {
    bodyData(bytes: Uint8Array, start: number, end: number): void {
      message!.body += Buffer.from(bytes.slice(start, end)).toString("latin1");
    },
    bodyEnd(trailers: Uint8Array | null): void {
      if (trailers !== null) message!.trailers = fieldLines(Buffer.from(trailers).toString("latin1"));
    },
  };
  const finish = (): void => {
    result.messages.push(message!);
    message = null;
    if (head.close || (head.minor === 0 && !head.keepAlive)) result.closed = true;
  };

  let from = 0;
  for (const to of [...splits, input.length]) {
    unread = Buffer.concat([unread, input.subarray(from, to)]);
    from = to;
    let at = 0;
    while (at < unread.length && !result.closed) {
      if (message === null) {
        const end =
          kind === "request"
            ? head.parseRequest(unread, at, unread.length)
            : head.parseResponse(unread, at, unread.length);
        if (end === INCOMPLETE) break;
        if (end === REFUSED) return { ...result, refused: head.detail };
        message = fromHead(head, kind);
        at = end;
        startBody(head, kind, body);
        if (body.done) finish();
      } else {
        const end = body.read(unread, at, unread.length, sink);
        if (end < 0) return { ...result, refused: body.detail };
        at = end;
        if (body.done) finish();
      }
    }
    unread = Buffer.from(unread.subarray(at));
    if (result.closed) return result;
  }
  if (message !== null && body.closed()) finish();
  result.open = message !== null || unread.length > 0;
  return result;
}

/** The fields of a parsed head as pairs. */
function fieldsOf(head: Head): [string, string][] {
  return Array.from({ length: head.count }, (_, i) => [
    Buffer.from(head.bytes.slice(head.nameStart[i], head.nameEnd[i])).toString("latin1"),
    head.value(i),
  ]);
}

/** Splits field lines, each ending in CRLF, into pairs. */
function fieldLines(lines: string): [string, string][] {
  return lines
    .split("\r\n")
    .filter((line) => line !== "")
    .map((line) => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), trimOws(line.slice(colon + 1))];
    });
}

/** Removes spaces and tabs (nothing else that JavaScript takes for space) around a field value. */
export function trimOws(value: string): string {
  return value.replace(/^[ \t]+|[ \t]+$/g, "");
}

function fromHead(head: Head, kind: MessageKind): ParsedMessage {
  return {
    method: kind === "request" ? head.method : "",
    target: kind === "request" ? head.target : "",
    status: head.status,
    fields: fieldsOf(head),
    body: "",
    trailers: [],
  };
}

function startBody(head: Head, kind: MessageKind, body: BodyReader): void {
  const bodiless =
    kind === "response" && ((head.status >= 100 && head.status < 200) || head.status === 204 || head.status === 304);
  if (bodiless) body.startNone();
  else if (head.chunked) body.startChunked();
  else if (head.contentLength >= 0) body.startLength(head.contentLength);
  else if (kind === "response") body.startUntilClose();
  else body.startNone();
}

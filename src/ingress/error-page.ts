// Our own answers to visitors: an error as a page for browsers or JSON for programs, never cached, nothing reflected.

import { ACCEPT } from "../http1/fields.ts";
import type { Head } from "../http1/head.ts";
import { type ErrorBody, type ErrorCode, errorCatalogue } from "../lib/errors.ts";
import { permissionsPolicy, transportSecurity } from "../lib/security-headers.ts";
import { errorDocument, styleHash } from "./error-document.ts";

const reasons: Record<number, string> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  415: "Unsupported Media Type",
  421: "Misdirected Request",
  422: "Unprocessable Content",
  426: "Upgrade Required",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  508: "Loop Detected",
};

/** What may be added to an error. */
export interface AnswerOptions {
  /** Replaces the catalogue's sentence; ours, never a visitor's text. */
  message?: string;
  retryAfterSeconds?: number;
  /** Said in JSON: whether trying again can help, for programs that decide by it (agents). */
  retryable?: boolean;
  /** Where the page leads on to; a URL of ours. */
  leadsTo?: { href: string; text: string };
  /** More header lines; printable ASCII of ours. */
  headers?: readonly (readonly [string, string])[];
}

export type ConnectionWord = "close" | "keep-alive" | null;

export interface ErrorAnswer extends AnswerOptions {
  code: ErrorCode;
  requestId: string;
  html: boolean;
  /** For HEAD: the head only. */
  headOnly: boolean;
  /** What it says of the connection: HTTP/1.1 goes on in silence, HTTP/1.0 ends so. */
  connection: ConnectionWord;
  /** The host may be ours, and is spoken to with TLS: browsers are told to keep to it. */
  hsts?: boolean;
}

/** An empty 302 to a path of ours. */
export function redirectAnswer(location: string, requestId: string, connection: ConnectionWord): Buffer {
  const last = connection === null ? "" : `Connection: ${connection}\r\n`;
  return Buffer.from(
    `HTTP/1.1 302 Found\r\nLocation: ${location}\r\nContent-Length: 0\r\nCache-Control: no-store\r\nX-Request-Id: ${requestId}\r\n${last}\r\n`,
    "latin1",
  );
}

/** The whole response as latin1 bytes. */
export function errorAnswer(answer: ErrorAnswer): Buffer {
  const { status, message: standard } = errorCatalogue[answer.code];
  const message = answer.message ?? standard;
  const reason = reasons[status] ?? "Error";
  const body = answer.html
    ? errorDocument({ code: answer.code, reason, message, requestId: answer.requestId, leadsTo: answer.leadsTo })
    : json(answer, message);
  const bytes = Buffer.from(body);
  const lines = [
    `HTTP/1.1 ${status} ${reason}`,
    `Content-Type: ${answer.html ? "text/html; charset=utf-8" : "application/json; charset=utf-8"}`,
    `Content-Length: ${bytes.length}`,
    "Cache-Control: no-store",
    "X-Content-Type-Options: nosniff",
    `Content-Security-Policy: default-src 'none';${answer.html ? ` style-src 'sha256-${styleHash}';` : ""} frame-ancestors 'none'`,
    "Referrer-Policy: no-referrer",
    `Permissions-Policy: ${permissionsPolicy}`,
    `X-Request-Id: ${answer.requestId}`,
  ];
  if (answer.hsts === true) lines.push(`Strict-Transport-Security: ${transportSecurity}`);
  if (answer.retryAfterSeconds !== undefined) lines.push(`Retry-After: ${answer.retryAfterSeconds}`);
  for (const [name, value] of answer.headers ?? []) lines.push(`${name}: ${value}`);
  if (status === 405) lines.push("Allow: GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  if (answer.connection !== null) lines.push(`Connection: ${answer.connection}`);
  const head = Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
  return answer.headOnly ? head : Buffer.concat([head, bytes]);
}

function json({ code, requestId, retryable }: ErrorAnswer, message: string): string {
  const body: ErrorBody = { error: { code, message, requestId, ...(retryable === undefined ? {} : { retryable }) } };
  return `${JSON.stringify(body)}\n`;
}

/** Whether the sender of `head` is a browser that would show a page. */
export function acceptsHtml(head: Head): boolean {
  for (let i = 0; i < head.count; i++) {
    if (head.id[i] === ACCEPT && head.value(i).includes("text/html")) return true;
  }
  return false;
}

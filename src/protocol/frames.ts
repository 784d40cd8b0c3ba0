// The frames between server and agent: binary WebSocket messages, each of one or more whole frames.
//
//   byte 0 type · byte 1 flags · bytes 2-3 payload length (big endian) · bytes 4-7 stream id (big endian) · payload
//
// Only the server opens streams; their ids rise by one from 1 within a session. Stream 0 is the session itself.

import { type ErrorCode, errorCatalogue } from "../lib/errors.ts";

export const headerBytes = 8;
/** Largest payload; a frame with its header is at most 64 KiB. */
export const maxPayloadBytes = 65_528;
/** Largest message either side sends or accepts. */
export const maxMessageBytes = 256 * 1024;

/** Largest JSON payload of a control frame. */
export const maxJsonBytes = 8 * 1024;

/** The WebSocket subprotocol; a new incompatible version is a new name. */
export const subprotocol = "digit-link.v1";

/** Server -> agent: a visitor's request. Payload: u32 response window, u32 request window, then the request head. */
export const OPEN = 1;
/** Agent -> server: a response head (1xx too). Payload: u32 microseconds the local service took, then the head. */
export const HEAD = 2;
/** Either way: more bytes of the head that OPEN or HEAD began with MORE. The last one has no MORE. */
export const MORE_HEAD = 3;
/** Either way: body bytes (or raw bytes after an upgrade or on TCP). Uses credit. */
export const DATA = 4;
/** Either way: the sender's direction ended cleanly. Payload: trailer lines, each ending in CRLF; usually empty. */
export const END = 5;
/** Either way: the stream ended badly, at once, both directions. Payload: u16 code, UTF-8 reason. */
export const RESET = 6;
/** Either way: the receiver of DATA grants that many bytes more. Payload: u32. */
export const WINDOW = 7;
/** Either way: payload of 8 bytes that PONG returns unchanged. */
export const PING = 8;
export const PONG = 9;
/** Either way: no new streams, running ones may finish. Payload: JSON GoAway. */
export const GO_AWAY = 10;
/** Server -> agent, first frame of a session. Payload: JSON Registered. */
export const REGISTERED = 11;
/** Server -> agent: a sentence for the agent's user. Payload: JSON Notice. */
export const NOTICE = 12;
/** Server -> agent: try a TCP connection to the local service. Stream id = number of the check. */
export const CHECK = 13;
/** Agent -> server: the answer. Payload: JSON Checked. */
export const CHECKED = 14;

// Flags. FIN on OPEN, HEAD or DATA: nothing follows in this direction (as if END with no trailers came next).
export const FIN = 0x01;
export const MORE = 0x02;
/** OPEN: the visitor asks for a WebSocket upgrade; on 101 both directions become raw bytes. */
export const UPGRADE = 0x04;
/** OPEN: the method is HEAD, so no body follows the response head. */
export const HEAD_METHOD = 0x08;
/** OPEN: the request body is chunked on the way to the local service; otherwise Content-Length says its length. */
export const CHUNKED = 0x10;
/** OPEN: a TCP connection; the payload's head is the visitor's `address:port`. */
export const RAW = 0x20;

/** Reset codes. */
export const resetCode = {
  /** The other side isn't interested any more (a visitor left, a response ended early). */
  cancel: 1,
  /** The local service could not be reached. */
  unreachable: 2,
  /** The local service broke off or spoke no valid HTTP. */
  localFailed: 3,
  /** It did not answer in time. */
  timeout: 4,
  /** The peer broke the rules of this protocol on this stream. */
  protocol: 5,
  /** The agent holds as many streams as it can. */
  refused: 6,
} as const;

/** What a visitor is told when the agent resets its stream before the answer's head. */
export function errorOfReset(code: number): ErrorCode {
  switch (code) {
    case resetCode.unreachable:
      return "local_unreachable";
    case resetCode.timeout:
      return "local_timeout";
    case resetCode.refused:
      return "tunnel_overloaded";
    default:
      return "local_failed";
  }
}

/** The status the visitor got when a stream was reset before the answer's head; 0: none, or nobody knows. */
export function statusOfReset(code: number): number {
  if (code === resetCode.cancel) return 0;
  // The server has answered by itself, and says with what.
  if (code >= 400 && code <= 599) return code;
  return errorCatalogue[errorOfReset(code)].status;
}

/** Reason with `closeCode.replaced` when another process is this agent now: the older one ends, or they would take turns. */
export const newerStart = "a newer start of this agent took over";

/** WebSocket close codes of a session (4000-4999 are ours). The reason text is one sentence. */
export const closeCode = {
  goingAway: 4000,
  protocol: 4001,
  replaced: 4002,
  revoked: 4003,
  dead: 4004,
  overloaded: 4005,
} as const;

/** Credit of a fresh stream in either direction unless OPEN says less. */
export const initialWindowBytes = 256 * 1024;
/** Credit of a fresh stream when its session's budget runs low. */
export const smallWindowBytes = 16 * 1024;
/** Most credit a stream grows to, and all streams of a session together per direction. */
export const maxWindowBytes = 8 * 1024 * 1024;
export const sessionWindowBytes = 16 * 1024 * 1024;

export interface Registered {
  protocol: 1;
  tunnelId: string;
  url: string;
  /** The server pings after this silence and gives up after `deadAfterMs`; so should the agent. */
  pingIntervalMs: number;
  deadAfterMs: number;
  maxStreams: number;
}

export interface GoAway {
  /** `drain`: the server restarts. An agent's is for whoever reads along. */
  reason: string;
  /** Milliseconds until the sender closes the session. */
  deadlineMs: number;
  /** Whether registering again may succeed. */
  retryable: boolean;
}

export interface Notice {
  level: "info" | "warn";
  message: string;
}

export interface Checked {
  ok: boolean;
  /** Milliseconds the connection took. */
  ms?: number;
  error?: string;
}

/** A peer that broke the protocol; the session is closed with `closeCode.protocol` and this message. */
export class ProtocolError extends Error {
  override readonly name = "ProtocolError";
}

export function readU32(bytes: Uint8Array, at: number): number {
  return ((bytes[at]! << 24) | (bytes[at + 1]! << 16) | (bytes[at + 2]! << 8) | bytes[at + 3]!) >>> 0;
}

export function writeU32(bytes: Uint8Array, at: number, value: number): void {
  bytes[at] = value >>> 24;
  bytes[at + 1] = value >>> 16;
  bytes[at + 2] = value >>> 8;
  bytes[at + 3] = value;
}

/** Parses the JSON payload of a control frame; anything but an object, and more than `maxJsonBytes`, is a ProtocolError. */
export function readJson<T>(bytes: Buffer, start: number, end: number): T {
  if (end - start > maxJsonBytes) throw new ProtocolError("a control frame is larger than 8 KiB");
  let value: unknown;
  try {
    value = JSON.parse(bytes.toString("utf8", start, end));
  } catch {
    throw new ProtocolError("a control frame is not JSON");
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new ProtocolError("a control frame is not a JSON object");
  return value as T;
}

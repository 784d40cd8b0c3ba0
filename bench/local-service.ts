// The one local service behind every party: a raw HTTP/1.1 responder that costs as little CPU as possible.
// Run as its own process: `bun bench/local-service.ts PORT`. Serves 1 KB on every path but /bulk, /upload, /slow, /ws.

import type { Socket } from "bun";
import { acceptKey, echoFrames } from "./websocket-frames.ts";

interface State {
  mode: "http" | "upload" | "websocket";
  /** Start of a head whose end has not arrived. */
  partialHead: string;
  /** Unread frame bytes in `websocket` mode. */
  partialFrame: Buffer;
  uploadLeft: number;
  uploadTotal: number;
  /** Body bytes of /bulk still to be written. */
  bulkLeft: number;
  /** What the socket did not take yet. */
  unsent: Uint8Array | null;
  endAfterWrite: boolean;
}

type Connection = Socket<State>;

const emptyFrame = Buffer.alloc(0);
const bulkChunk = Buffer.alloc(256 * 1024);
for (let at = 0; at < bulkChunk.length; at += 65_536) crypto.getRandomValues(bulkChunk.subarray(at, at + 65_536));

const kilobyte = "x".repeat(1024);
const ordinary = answer(kilobyte, "");
const ordinaryClosing = answer(kilobyte, "Connection: close\r\n");

function answer(body: string, extra: string): Buffer {
  const head = `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n${extra}\r\n`;
  return Buffer.from(head + body, "latin1");
}

function send(socket: Connection, bytes: Uint8Array): void {
  const { data } = socket;
  if (data.unsent !== null) {
    data.unsent = Buffer.concat([data.unsent, bytes]);
    return;
  }
  const written = Math.max(0, socket.write(bytes));
  if (written < bytes.length) data.unsent = bytes.slice(written);
}

/** Writes as much as the socket takes; the `drain` handler continues. */
function flush(socket: Connection): void {
  const { data } = socket;
  if (data.unsent !== null) {
    const written = Math.max(0, socket.write(data.unsent));
    data.unsent = written < data.unsent.length ? data.unsent.subarray(written) : null;
    if (data.unsent !== null) return;
  }
  while (data.bulkLeft > 0) {
    const chunk = data.bulkLeft < bulkChunk.length ? bulkChunk.subarray(0, data.bulkLeft) : bulkChunk;
    const written = Math.max(0, socket.write(chunk));
    data.bulkLeft -= written;
    if (written < chunk.length) return;
  }
  if (data.endAfterWrite && data.mode === "http") socket.end();
}

function readHeads(socket: Connection, bytes: Buffer): void {
  const { data } = socket;
  const text = data.partialHead + bytes.toString("latin1");
  // Only whole heads are consumed, so what is left of `bytes` starts this far before its end.
  let at = 0;
  while (data.mode === "http") {
    const end = text.indexOf("\r\n\r\n", at);
    if (end < 0) break;
    handleHead(socket, text.slice(at, end));
    at = end + 4;
  }
  data.partialHead = data.mode === "http" ? text.slice(at) : "";
  flush(socket);
  if (data.mode !== "http" && at < text.length) onData(socket, Buffer.from(text.slice(at), "latin1"));
}

function handleHead(socket: Connection, head: string): void {
  const { data } = socket;
  const pathAt = head.indexOf(" ") + 1;
  if (/\r\nconnection: *close/i.test(head)) data.endAfterWrite = true;
  if (head.charCodeAt(pathAt + 1) === 32) {
    send(socket, data.endAfterWrite ? ordinaryClosing : ordinary);
    return;
  }
  const url = new URL(head.slice(pathAt, head.indexOf(" ", pathAt)), "http://local");
  if (url.pathname === "/bulk") {
    const bytes = Number(url.searchParams.get("bytes"));
    send(
      socket,
      Buffer.from(`HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: ${bytes}\r\n\r\n`),
    );
    data.bulkLeft = bytes;
  } else if (url.pathname === "/upload") {
    data.uploadTotal = Number(/\r\ncontent-length: *(\d+)/i.exec(head)?.[1] ?? 0);
    data.uploadLeft = data.uploadTotal;
    data.mode = "upload";
    // Whether the connection ends is decided when the whole body is here.
    if (data.uploadTotal === 0) endUpload(socket);
  } else if (url.pathname === "/slow") {
    sendSlowly(socket, Number(url.searchParams.get("ms") ?? "10"));
  } else if (url.pathname === "/ws") {
    const key = /\r\nsec-websocket-key: *(\S+)/i.exec(head)?.[1] ?? "";
    send(
      socket,
      Buffer.from(
        `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${acceptKey(key)}\r\n\r\n`,
      ),
    );
    data.mode = "websocket";
    data.endAfterWrite = false;
  } else {
    send(socket, data.endAfterWrite ? ordinaryClosing : ordinary);
  }
}

/** The first body byte at once, the second after `delayMs`: shows who holds back a first byte. */
function sendSlowly(socket: Connection, delayMs: number): void {
  const closing = socket.data.endAfterWrite;
  socket.data.endAfterWrite = false;
  send(socket, Buffer.from("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\na"));
  setTimeout(() => {
    if (socket.readyState <= 0) return;
    socket.data.endAfterWrite = closing;
    send(socket, Buffer.from("b"));
    flush(socket);
  }, delayMs);
}

function endUpload(socket: Connection): void {
  const { data } = socket;
  data.mode = "http";
  send(socket, answer(String(data.uploadTotal), ""));
}

function onData(socket: Connection, bytes: Buffer): void {
  const { data } = socket;
  if (data.mode === "http") {
    readHeads(socket, bytes);
  } else if (data.mode === "upload") {
    const taken = Math.min(bytes.length, data.uploadLeft);
    data.uploadLeft -= taken;
    if (data.uploadLeft > 0) return;
    endUpload(socket);
    flush(socket);
    if (taken < bytes.length) onData(socket, bytes.subarray(taken));
  } else {
    const input = data.partialFrame.length === 0 ? bytes : Buffer.concat([data.partialFrame, bytes]);
    const { output, consumed } = echoFrames(input);
    data.partialFrame = consumed < input.length ? Buffer.from(input.subarray(consumed)) : emptyFrame;
    if (output.length > 0) send(socket, output);
  }
}

const port = Number(process.argv[2]);
Bun.listen<State>({
  hostname: "127.0.0.1",
  port,
  socket: {
    open(socket) {
      socket.data = {
        mode: "http",
        partialHead: "",
        partialFrame: emptyFrame,
        uploadLeft: 0,
        uploadTotal: 0,
        bulkLeft: 0,
        unsent: null,
        endAfterWrite: false,
      };
    },
    data: onData,
    drain: flush,
    error: (socket) => void socket.terminate(),
  },
});

// A scripted agent that keeps no rule: it registers as an agent does, then sends whatever bytes a test gives it.

import { PING, PONG, subprotocol, writeU32 } from "../../src/protocol/frames.ts";

/** A frame that came from the server. */
export interface HeardFrame {
  type: number;
  flags: number;
  stream: number;
  payload: Buffer;
}

export interface HostileAgent extends Disposable {
  /** Sends one message: the parts behind each other. Text (latin1) is sent as bytes. */
  send(...parts: (Uint8Array | string)[]): void;
  sendText(text: string): void;
  /** The next frame of this type (from now on, or already here and not yet asked for). */
  next(type: number): Promise<HeardFrame>;
  /** How the server ended the session. */
  readonly closed: Promise<{ code: number; reason: string }>;
  readonly isOpen: boolean;
  /** Sent, and still in this process. */
  readonly backlogBytes: number;
}

/** What a registration said that a session needs. */
export interface Registration {
  ticket: string;
  /** Path and query of the session. */
  path: string;
  /** The same for each session that may be opened. */
  paths: string[];
}

let generation = Date.now();

/** Registers `subdomain` for a new start of its agent. */
export async function registerRaw(
  server: { port: number; token: string },
  subdomain: string,
  agentId = "hostile-agent",
  connections = 1,
): Promise<Registration> {
  const response = await fetch(`http://localhost:${server.port}/_tunnel/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
    body: JSON.stringify({
      subdomain,
      agentId,
      generation: ++generation,
      version: "0.1.0",
      capabilities: [],
      pool: false,
      protocol: "http",
      connections,
    }),
  });
  const body = (await response.json()) as { ticket: string; tickets: string[]; session: { url: string } };
  if (response.status !== 200) throw new Error(`not registered: ${JSON.stringify(body)}`);
  const url = new URL(body.session.url);
  const paths = body.tickets.map((ticket) => `${url.pathname}?ticket=${encodeURIComponent(ticket)}`);
  return { ticket: body.ticket, path: paths[0]!, paths };
}

/** Registers and opens one session. It answers pings, unless `mute`. */
export async function startHostileAgent(
  server: { port: number; token: string },
  subdomain: string,
  { mute = false } = {},
): Promise<HostileAgent> {
  const { path } = await registerRaw(server, subdomain);
  const ws = new WebSocket(`ws://localhost:${server.port}${path}`, {
    protocols: [subprotocol],
    perMessageDeflate: false,
  });
  ws.binaryType = "nodebuffer";
  const heard: HeardFrame[] = [];
  const waiters: { type: number; resolve(frame: HeardFrame): void }[] = [];
  const closed = Promise.withResolvers<{ code: number; reason: string }>();
  const opened = Promise.withResolvers<void>();
  ws.onopen = () => opened.resolve();
  ws.onerror = () => opened.reject(new Error("the session was refused"));
  ws.onclose = ({ code, reason }) => closed.resolve({ code, reason });
  ws.onmessage = (event) => {
    for (const one of splitFrames(event.data as unknown as Buffer)) {
      if (one.type === PING && !mute) ws.send(frame(PONG, 0, one.payload));
      const at = waiters.findIndex(({ type }) => type === one.type);
      if (at < 0) heard.push(one);
      else waiters.splice(at, 1)[0]!.resolve(one);
    }
  };
  await opened.promise;
  return {
    closed: closed.promise,
    get isOpen() {
      return ws.readyState === WebSocket.OPEN;
    },
    get backlogBytes() {
      return ws.bufferedAmount;
    },
    send: (...parts) =>
      ws.send(Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part, "latin1") : part)))),
    sendText: (text) => ws.send(text),
    next(type) {
      const at = heard.findIndex((one) => one.type === type);
      if (at >= 0) return Promise.resolve(heard.splice(at, 1)[0]!);
      return new Promise((resolve) => waiters.push({ type, resolve }));
    },
    [Symbol.dispose]: () => ws.terminate(),
  };
}

/** One frame. `length` replaces the true length of the payload in its header. */
export function frame(
  type: number,
  stream: number,
  payload: Uint8Array | string = "",
  { flags = 0, length }: { flags?: number; length?: number } = {},
): Buffer {
  const bytes = typeof payload === "string" ? Buffer.from(payload, "latin1") : payload;
  const header = Buffer.alloc(8);
  header[0] = type;
  header[1] = flags;
  header.writeUInt16BE((length ?? bytes.length) & 0xffff, 2);
  writeU32(header, 4, stream);
  return Buffer.concat([header, bytes]);
}

/** The payload of a HEAD frame: a time, then the head as it is given. */
export function headPayload(head: string): Buffer {
  return Buffer.concat([Buffer.alloc(4), Buffer.from(head, "latin1")]);
}

/** The frames of one message that came from the product. */
export function splitFrames(message: Buffer): HeardFrame[] {
  const frames: HeardFrame[] = [];
  for (let at = 0; at < message.length;) {
    const end = at + 8 + message.readUInt16BE(at + 2);
    frames.push({
      type: message[at]!,
      flags: message[at + 1]!,
      stream: message.readUInt32BE(at + 4),
      payload: Buffer.from(message.subarray(at + 8, end)),
    });
    at = end;
  }
  return frames;
}

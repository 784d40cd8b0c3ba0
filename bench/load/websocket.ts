// WebSocket messages echoed per second: several sockets, each keeping a few small messages in flight.

import type { Socket } from "bun";
import type { Endpoint } from "../parties/party.ts";
import { clientFrame, echoedFrameBytes } from "../websocket-frames.ts";

export interface WebSocketLoad {
  sockets: number;
  /** Messages each socket has under way at any time. */
  inFlight: number;
  seconds: number;
}

export interface WebSocketResult {
  messages: number;
  durationUs: number;
  /** Sockets that were refused, did not open within 3 s, or closed early. */
  errors: number;
}

const payload = Buffer.from("m".repeat(100));
const frame = clientFrame(payload);
const echoBytes = echoedFrameBytes(payload.length);

/** Opens the sockets at `/ws`, keeps them busy for the time given and counts whole echoes. */
export async function runWebSockets(endpoint: Endpoint, load: WebSocketLoad): Promise<WebSocketResult> {
  const opened = await Promise.all(Array.from({ length: load.sockets }, () => openEcho(endpoint)));
  const sockets = opened.filter((socket) => socket !== null);
  const startedAt = performance.now();
  for (const socket of sockets) socket.begin(load.inFlight);
  await Bun.sleep(load.seconds * 1000);
  const durationUs = (performance.now() - startedAt) * 1000;
  const counts = sockets.map((socket) => socket.stop());
  return {
    messages: counts.reduce((sum, count) => sum + count.messages, 0),
    durationUs,
    errors: load.sockets - sockets.length + counts.filter((count) => count.closedEarly).length,
  };
}

interface Echo {
  begin(inFlight: number): void;
  stop(): { messages: number; closedEarly: boolean };
}

/** `null` when the handshake does not succeed in time. */
function openEcho(endpoint: Endpoint): Promise<Echo | null> {
  const { promise, resolve } = Promise.withResolvers<Echo | null>();
  let head: string | null = "";
  let received = 0;
  let answered = 0;
  let unsent: Buffer | null = null;
  let closed = false;
  let opened: Socket<undefined> | null = null;

  const write = (socket: Socket<undefined>, bytes: Buffer): void => {
    const all: Buffer = unsent === null ? bytes : Buffer.concat([unsent, bytes]);
    const written = Math.max(0, socket.write(all));
    unsent = written < all.length ? all.subarray(written) : null;
  };
  const sendFrames = (socket: Socket<undefined>, count: number): void => {
    write(socket, count === 1 ? frame : Buffer.concat(Array.from({ length: count }, () => frame)));
  };
  const giveUp = (): void => {
    closed = true;
    clearTimeout(timer);
    opened?.terminate();
    resolve(null);
  };
  const timer = setTimeout(giveUp, 3_000);

  const onHead = (socket: Socket<undefined>, bytes: Buffer): void => {
    head += bytes.toString("latin1");
    if (head === null || !head.includes("\r\n\r\n")) return;
    const accepted = head.startsWith("HTTP/1.1 101");
    head = null;
    if (!accepted || closed) {
      giveUp();
      return;
    }
    clearTimeout(timer);
    resolve({
      begin: (inFlight) => sendFrames(socket, inFlight),
      stop() {
        const closedEarly = closed;
        socket.terminate();
        return { messages: Math.floor(received / echoBytes), closedEarly };
      },
    });
  };

  Bun.connect<undefined>({
    hostname: endpoint.address,
    port: endpoint.port,
    socket: {
      open(socket) {
        opened = socket;
        const key = Buffer.from("digit-link-bench").toString("base64");
        const request = `GET /ws HTTP/1.1\r\nHost: ${endpoint.hostHeaders[0]}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n`;
        write(socket, Buffer.from(`${request}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${key}\r\n\r\n`));
      },
      data(socket, bytes) {
        if (head !== null) {
          onHead(socket, bytes);
          return;
        }
        received += bytes.length;
        const due = Math.floor(received / echoBytes) - answered;
        answered += due;
        if (due > 0) sendFrames(socket, due);
      },
      drain: (socket) => write(socket, Buffer.alloc(0)),
      close: giveUp,
      error: giveUp,
    },
  }).catch(giveUp);
  return promise;
}

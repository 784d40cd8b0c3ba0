// A server that an agent should not have trusted: it says and sends everything that might lead the agent somewhere else.

import type { ServerWebSocket } from "bun";
import { REGISTERED, subprotocol } from "../../src/protocol/frames.ts";
import { frame, splitFrames, type HeardFrame } from "./hostile-agent.ts";
import { grant, lureOf } from "./lures.ts";

export interface HostileServer extends AsyncDisposable {
  readonly origin: string;
  /** Frames of all sessions so far. */
  readonly heard: readonly HeardFrame[];
  /** Registrations so far. */
  registrations: number;
  /** What the next registrations are answered with, instead of a grant. */
  answer: (() => Response) | null;
  /** Sends frames on every open session. */
  send(...frames: Uint8Array[]): void;
  /** Sessions that stand. */
  readonly sessions: number;
}

/** Every field of a grant that an agent could mistake for a place to connect to names `bait` (`host:port`). */
export function startHostileServer(bait: string): HostileServer {
  const lure = lureOf(bait);
  const heard: HeardFrame[] = [];
  const open = new Set<ServerWebSocket<undefined>>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    development: false,
    fetch(request, self) {
      const { pathname } = new URL(request.url);
      if (pathname === "/_tunnel/register") {
        hostile.registrations++;
        return hostile.answer === null ? Response.json(grant(bait, lure)) : hostile.answer();
      }
      return self.upgrade(request, { headers: { "sec-websocket-protocol": subprotocol } })
        ? undefined
        : new Response("no", { status: 404 });
    },
    websocket: {
      perMessageDeflate: false,
      open(ws) {
        open.add(ws);
        const registered = { protocol: 1, tunnelId: "tun_x", url: `http://${bait}`, maxStreams: 100, ...lure };
        ws.sendBinary(
          frame(REGISTERED, 0, JSON.stringify({ ...registered, pingIntervalMs: 10_000, deadAfterMs: 25_000 })),
        );
      },
      message(_ws, message) {
        if (typeof message !== "string") heard.push(...splitFrames(Buffer.from(message)));
      },
      close: (ws) => void open.delete(ws),
    },
  });
  const hostile: HostileServer = {
    registrations: 0,
    answer: null,
    origin: `http://127.0.0.1:${server.port}`,
    heard,
    get sessions() {
      return open.size;
    },
    send(...frames: Uint8Array[]) {
      for (const ws of open) for (const one of frames) ws.sendBinary(one);
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
  return hostile;
}

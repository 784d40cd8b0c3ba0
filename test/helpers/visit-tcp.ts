// A visitor's connection to a TCP port of ours, by a real socket; its tunnel and its agent's session are played by the test.

import type { Socket, SocketHandler } from "bun";
import { listenTcp } from "../../workers/tcp.ts";
import type { Session } from "../../workers/session.ts";
import type { StreamFlow } from "../../workers/stream-flow.ts";
import type { Tunnel } from "../../workers/tunnel.ts";
import { eventually } from "./eventually.ts";
import { FakeSession } from "./fake-session.ts";
import { freePorts } from "./free-ports.ts";

/** A session that notes what becomes of its streams. */
class NotingSession extends FakeSession {
  readonly requestCreditBytes = 1_000;
  readonly resets: string[] = [];
  removed = 0;
  reset(stream: StreamFlow, _code: number, reason: string): void {
    this.resets.push(reason);
    stream.unbind();
  }
  remove(stream: StreamFlow): void {
    this.removed++;
    stream.unbind();
  }
}

/** What the other end of a visitor's socket is told: without `end` Bun closes what has been half-closed. */
const silent: SocketHandler<undefined> = { data() {}, end() {} };

/**
 * A visitor that is connected. `isHeld`: its stream is opened only by `open`; else at once. `notes`: what the tunnel and its health are
 * told; `head`: of OPEN; `over`: how many bytes the visitor said and was told, once it is over.
 */
export async function visitTcp(reads = silent, { isHeld = false, hostname = "127.0.0.1", isThere = true } = {}) {
  const session = new NotingSession();
  let stream: StreamFlow | null = null;
  const notes: string[] = [];
  const over: [number, number][] = [];
  let head = "";
  const open = (): void => {
    stream!.bind(session as unknown as Session, 1, performance.now());
    stream!.opened();
  };
  const tunnel = {
    connectionOpened(one: StreamFlow, bytes: Buffer) {
      stream = one;
      head = bytes.toString();
      if (!isHeld) open();
    },
    connectionClosed: () => void notes.push("closed"),
    health: {
      hasAnswered: () => void notes.push("answered"),
      failed: (reason: string) => void notes.push(`failed: ${reason}`),
      doubted: () => void notes.push("doubted"),
    },
  } as unknown as Tunnel;
  const [port = 0] = await freePorts(1);
  const place = { tunnel, release: (...bytes: [number, number]) => void over.push(bytes) };
  const listener = listenTcp(hostname, port, { resolve: () => (isThere ? place : null) });
  const visitor: Socket = await Bun.connect({ hostname, port, allowHalfOpen: true, socket: reads });
  if (isThere) await eventually(() => stream !== null, "it is connected");
  return {
    ...{ session, visitor, port, notes, over, open },
    head: () => head,
    stream: stream as unknown as StreamFlow,
    closed: () => eventually(() => notes.at(-1) === "closed", "the connection is closed"),
    [Symbol.dispose]() {
      visitor.terminate();
      listener.stop();
    },
  };
}

// A request that is the first stream of a session, between a visitor and an agent without sockets.

import { DATA, END, FIN, RESET, UPGRADE } from "../../src/protocol/frames.ts";
import { Outbox } from "../../src/protocol/outbox.ts";
import type { SessionSocket } from "../../src/protocol/session-socket.ts";
import type { CaptureEntry } from "../../workers/capture.ts";
import { HttpStream } from "../../workers/http-stream.ts";
import { Session } from "../../workers/session.ts";
import type { Tunnel } from "../../workers/tunnel.ts";
import { fakeVisitor, requestText } from "./fake-visitor.ts";
import { readFrames } from "./read-frames.ts";

export const switched = "\0\0\0\0HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n";

/**
 * A visitor whose request is stream 1 of a session; `toAgent`: what the agent got since the last call; `resets`: with which codes; `health`: what
 * that of the local service heard; `closed`: how its session ends. `isHeld`: the stream has its session only from `open` on. */
export function streaming(flags = FIN | UPGRADE, request = requestText("GET /ws"), isHeld = false) {
  const sent: string[] = [];
  const resets: number[] = [];
  const health: string[] = [];
  const closed: (number | string)[] = [];
  const socket = {
    backlogBytes: 0,
    close: (code: number, reason: string) => void closed.push(code, reason),
    end: (code: number, reason: string) => void closed.push(code, reason),
    sendBinary: (bytes: Buffer, start: number, end: number) =>
      readFrames(Buffer.from(bytes.subarray(start, end)), {
        frame(type, flags, _id, bytes, start, end) {
          if (type === DATA) sent.push(bytes.toString("latin1", start, end));
          else if (type === RESET) {
            sent.push("reset");
            resets.push(bytes.readUInt16BE(start));
          }
          if (type === END || (type === DATA && (flags & FIN) !== 0)) sent.push("end");
        },
      }),
  };
  let gone = 0;
  const owner = { sessionClosed: () => void gone++, checked() {}, capacityFreed() {} };
  const session = new Session(socket as unknown as SessionSocket, owner, {
    ...{ tunnelId: "t", agentId: "a", generation: 1, address: "192.0.2.1", maxStreams: 9 },
    ...{ pingIntervalMs: 10_000, deadAfterMs: 25_000 },
  });
  const ended: (string | null)[] = [];
  const tunnel = {
    ...{ draining: false, requestTimeoutMs: 1_000, serverTiming: false },
    health: {
      hasAnswered: () => void health.push("answered"),
      failed: (reason: string) => void health.push(`failed: ${reason}`),
      doubted: () => void health.push("doubted"),
    },
    repeat: () => false,
    streamEnded: (_: unknown, why: string) => ended.push(why),
  };
  const capture = { head() {}, visit: { entry: {} }, repeatable: true } as unknown as CaptureEntry;
  let stream: HttpStream | null = null;
  const visitor = fakeVisitor((connection) => {
    stream = new HttpStream(tunnel as unknown as Tunnel, connection, capture, flags, null);
    connection.begin(stream);
    if (!isHeld) open();
  });
  const open = (): void => {
    session.open(stream!, Buffer.from("head"), 4, performance.now());
    stream!.opened();
  };
  visitor.send(request);
  const agent = new Outbox({ send: (bytes, start, end) => session.received(bytes, start, end, true) });
  const frame = (type: number, flags: number, text = "", id = 1): void => {
    agent.frame(type, flags, id, Buffer.from(text, "latin1"), 0, text.length);
    agent.flush();
  };
  const toAgent = (): string => {
    session.outbox.flush();
    return sent.splice(0).join(" ");
  };
  return {
    visitor,
    session,
    closed,
    gone: () => gone,
    frame,
    toAgent,
    ...{ resets, health, open },
    ended,
    tunnel,
    capture,
    stream: stream! as HttpStream,
  };
}

// An agent's session whose server is played by the test, frame by frame.

import type { AgentStream, OpenFrame } from "../../cli/agent/session-owner.ts";
import { AgentSession } from "../../cli/agent/session.ts";
import { RESET } from "../../src/protocol/frames.ts";
import { Outbox } from "../../src/protocol/outbox.ts";
import type { SessionSocket } from "../../src/protocol/session-socket.ts";
import { readFrames } from "./read-frames.ts";

/** `isOver`: streams end while they are made. `begun`, `heard`, `told`: what streams and the owner hear; `sent`: what the server gets; `closed`: what the socket is told; `ends`: what the owner is. */
export function playServer(isOver = false) {
  const silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const closed: unknown[] = [];
  const ends: string[] = [];
  const sent: [type: number, id: number, payload: string][] = [];
  const resets: number[] = [];
  const begun: unknown[] = [];
  const heard: unknown[] = [];
  const told: unknown[] = [];
  const stream = {
    over: isOver,
    onData: (bytes: Buffer, start: number, end: number) => void heard.push(bytes.toString("latin1", start, end)),
    onEnd: (trailers: Buffer | null) => void heard.push(trailers === null ? "end" : `end ${trailers.toString()}`),
    onReset: (code: number, reason: string) => void heard.push([code, reason]),
    onWindow: (bytes: number) => void heard.push(bytes),
  };
  const owner = {
    open: (_session: AgentSession, _id: number, { bytes, start, end, flags, ...windows }: OpenFrame) => {
      begun.push([flags, bytes.toString("latin1", start, end), windows.responseWindow, windows.requestWindow]);
      return stream as unknown as AgentStream;
    },
    check: () => Promise.resolve({ ok: true }),
    ...{ ready() {}, notice: (message: string) => void told.push(message), goAway() {} },
    closed: (_session: AgentSession, _code: number, reason: string) => void ends.push(reason),
  };
  const session = new AgentSession(owner, new URL(`ws://127.0.0.1:${silent.port}/`));
  const socket = {
    ...{
      start() {},
      backlogBytes: 0,
      end: (code: number, why: string) => void closed.push(code, why),
      close: (code: number, why: string) => void closed.push(code, why),
    },
    sendBinary: (bytes: Buffer, start: number, end: number) =>
      readFrames(Buffer.from(bytes.subarray(start, end)), {
        frame(type, _flags, id, bytes, start, end) {
          sent.push([type, id, bytes.toString("latin1", start, end)]);
          if (type === RESET) resets.push(id);
        },
      }),
  };
  const begin = (): void => session.opened(socket as unknown as SessionSocket);
  const server = new Outbox({ send: (bytes, start, end) => session.received(bytes, start, end, true) });
  const frame = (type: number, flags: number, id: number, payload: Buffer): void => {
    server.frame(type, flags, id, payload, 0, payload.length);
    server.flush();
  };
  const stop = (): void => {
    session.closed(1000, "done");
    silent.stop(true);
  };
  return { session, socket, begin, frame, closed, ends, sent, resets, begun, heard, told, [Symbol.dispose]: stop };
}

// What waits for an agent that reads slowly: bytes of uploads stay with their streams, so that frames of the session are soon through.

import { expect, test } from "bun:test";
import { initialWindowBytes } from "../src/protocol/frames.ts";
import type { SessionSocket } from "../src/protocol/session-socket.ts";
import { Session } from "./session.ts";
import { StreamFlow } from "./stream-flow.ts";

class Upload extends StreamFlow {
  readonly openFlags = 0;
  constructor() {
    super({ backlogBytes: 0, pauseReading() {}, resumeReading() {} });
  }
  opened(): void {}
  fail(): void {}
  onReset(): void {}
  onHead(): void {}
  onData(): void {}
  onEnd(): void {}
  onSessionLost(): void {}
  onTick(): void {}
  endIfQuiet(): void {}
  protected requestSent(): void {}
}

test("no more than 256 KiB of them, and the message that they end in, stand before a frame of the session", () => {
  const socket = {
    backlogBytes: 0,
    sendBinary: (_: Buffer, start: number, end: number) => void (socket.backlogBytes += end - start),
    close() {},
  };
  const owner = { sessionClosed() {}, checked() {}, capacityFreed() {} };
  const session = new Session(socket as unknown as SessionSocket, owner, {
    ...{ tunnelId: "t", agentId: "a", generation: 1, address: "192.0.2.1", maxStreams: 100 },
    ...{ pingIntervalMs: 10_000, deadAfterMs: 25_000 },
  });
  const uploads = Array.from({ length: 20 }, () => new Upload());
  for (const upload of uploads) {
    session.open(upload, Buffer.from("head"), 4, performance.now());
    upload.onWindow(initialWindowBytes);
  }
  session.outbox.flush();
  const bytes = Buffer.alloc(initialWindowBytes);
  for (const upload of uploads) upload.sendRequest(bytes, 0, bytes.length);
  session.outbox.flush();
  const most = 256 * 1024 + 65_536;
  expect(socket.backlogBytes).toBeWithin(256 * 1024, most);
  expect(uploads.filter(({ hasQueued }) => hasQueued).length).toBeGreaterThan(15);
  // The agent reads half of what waits: others have their turn, and it is as much again.
  socket.backlogBytes = 128 * 1024;
  session.drained();
  session.outbox.flush();
  expect(socket.backlogBytes).toBeWithin(256 * 1024, most);
});

// Agents' sessions that do nothing but answer pings and checks, by thousands: no more than a socket each on this side.

import type { Socket } from "bun";
import { CHECK, CHECKED, headerBytes, PING, PONG } from "../../src/protocol/frames.ts";
import type { ServerProcess } from "./server-process.ts";

const sessionsPerTunnel = 2;

export interface IdleSession {
  open: boolean;
  close(): void;
}

/**
 * Registers tunnels `RUN-0`, `RUN-1`…, 20 at a time, and opens two bare sessions for each: through the public port, or on the shards' own.
 * The caller closes them.
 */
export async function openIdleSessions(
  server: Pick<ServerProcess, "port" | "origin" | "token">,
  sessions: number,
  run: string,
  shardPorts: readonly number[] | null = null,
): Promise<{ list: IdleSession[]; failed: number }> {
  const list: IdleSession[] = [];
  let [next, failed] = [0, 0];
  const lane = async (): Promise<void> => {
    while (next < sessions / sessionsPerTunnel) {
      const subdomain = `${run}-${next++}`;
      const response = await fetch(`${server.origin}/_tunnel/register`, {
        method: "POST",
        // Kept connections would be counted with the sessions.
        keepalive: false,
        headers: { authorization: `Bearer ${server.token}`, "content-type": "application/json" },
        body: JSON.stringify({
          ...{ subdomain, agentId: `agt_${subdomain}`, generation: 1, version: "0.1.0", capabilities: [] },
          ...{ pool: false, protocol: "http", connections: sessionsPerTunnel },
        }),
      });
      const body = (await response.json()) as { tickets?: string[]; session?: { path: string } };
      for (const ticket of body.tickets ?? []) {
        const path = body.session!.path;
        const shard = Number(path.split("/").at(-1));
        const session = await openSession(shardPorts?.[shard] ?? server.port, `${path}?ticket=${ticket}`);
        if (session === null) failed++;
        else list.push(session);
      }
      if (body.tickets === undefined) failed += sessionsPerTunnel;
    }
  };
  await Promise.all(Array.from({ length: 20 }, lane));
  return { list, failed };
}

const isUp = Buffer.from('{"ok":true,"ms":0.1}');

/** A masked WebSocket message with one frame of the protocol. */
function message(type: number, stream: Buffer, payload: Buffer): Buffer {
  const head = [0x82, 0x80 | (headerBytes + payload.length), 0, 0, 0, 0, type, 0, 0, payload.length];
  return Buffer.concat([Buffer.from(head), stream, payload]);
}

/** What an agent answers to the messages in `bytes[at..]`, each of less than 64 KiB and whole. A check that nobody answers would be repeated. */
function answersTo(bytes: Buffer, at: number): Buffer[] {
  const answers: Buffer[] = [];
  while (at < bytes.length) {
    const isLong = bytes[at + 1] === 126;
    const start = at + (isLong ? 4 : 2);
    at = start + (isLong ? bytes.readUInt16BE(start - 2) : bytes[at + 1]!);
    for (let frame = start; frame < at;) {
      const stream = bytes.subarray(frame + 4, frame + headerBytes);
      const end = frame + headerBytes + bytes.readUInt16BE(frame + 2);
      if (bytes[frame] === CHECK) answers.push(message(CHECKED, stream, isUp));
      if (bytes[frame] === PING) answers.push(message(PONG, stream, bytes.subarray(frame + headerBytes, end)));
      if (bytes[frame] === PING) pongs.sent++;
      frame = end;
    }
  }
  return answers;
}

/** Pings answered by all of them. */
export const pongs = { sent: 0 };

/** The least an agent's session needs: an upgrade, and an answer to each ping and check. */
async function openSession(port: number, path: string): Promise<IdleSession | null> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const session = { open: false, close: (): void => {} };
  const lines = [
    `GET ${path} HTTP/1.1`,
    `Host: localhost:${port}`,
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
    "Sec-WebSocket-Protocol: digit-link.v1",
  ];
  const socket: Socket<undefined> = await Bun.connect({
    hostname: "127.0.0.1",
    port,
    socket: {
      open: (opened) => void opened.write(`${lines.join("\r\n")}\r\n\r\n`),
      data(opened, bytes) {
        let at = 0;
        if (!session.open) {
          session.open = bytes.toString("latin1", 0, 12) === "HTTP/1.1 101";
          resolve(session.open);
          if (!session.open) return;
          at = bytes.indexOf("\r\n\r\n") + 4;
        }
        for (const answer of answersTo(bytes, at)) opened.write(answer);
      },
      close() {
        session.open = false;
        resolve(false);
      },
      error: (failed) => void failed.terminate(),
    },
  });
  session.close = () => void socket.terminate();
  return (await promise) ? session : null;
}

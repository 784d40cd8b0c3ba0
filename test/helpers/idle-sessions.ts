// Agents' sessions that do nothing but answer pings, by thousands: no more than a socket each on this side.

import type { Socket } from "bun";
import { PING, PONG } from "../../src/protocol/frames.ts";
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

/** A masked WebSocket message with one PONG frame of the protocol, but for its 8 bytes. */
const pongHead = [0x82, 0x80 | 16, 0, 0, 0, 0, PONG, 0, 0, 8, 0, 0, 0, 0];
/** Pings answered by all of them. */
export const pongs = { sent: 0 };

/** The least an agent's session needs: an upgrade, and an answer to each ping. */
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
        if (!session.open) {
          session.open = bytes.toString("latin1", 0, 12) === "HTTP/1.1 101";
          resolve(session.open);
        } else if (bytes.length === 18 && bytes[2] === PING) {
          pongs.sent++;
          opened.write(Buffer.concat([Buffer.from(pongHead), bytes.subarray(10)]));
        }
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

// The door of sessions: an agent hears that its tunnel is ready when it is.

import { describe, expect, test } from "bun:test";
import { fakeVisitor, requestText } from "../test/helpers/fake-visitor.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import type { ShardSettings, Ticket } from "../src/link/messages.ts";
import { CaptureBudget } from "./capture.ts";
import { SessionDoor, type SessionDoorOptions } from "./session-door.ts";
import { Tunnel, type TunnelHost } from "./tunnel.ts";

test("the agent is told only when its session is known: a TCP tunnel's port is open by then", () => {
  const order: string[] = [];
  const raw = {
    write(bytes: Buffer, start: number, length: number): number {
      order.push(bytes.toString("latin1", start, start + length).includes("101 Switching") ? "101" : "REGISTERED");
      return length;
    },
    terminate() {},
  };
  const settings = { holdMs: 0, holdMax: 0, captureRequests: 0, checkIntervalMs: 1_000, maxConnectionsPerTunnel: 1 };
  const host = {
    settings,
    captureBudget: new CaptureBudget(1),
    sessionOpened: () => void order.push("the port opens"),
  };
  const tunnel = new Tunnel(host as unknown as TunnelHost, { tunnelId: "t", name: "tcp:1" });
  const limits = { pingIntervalMs: 10_000, deadAfterMs: 25_000, maxStreamsPerSession: 8 } as ShardSettings;
  const door = new SessionDoor({ settings: limits } as SessionDoorOptions);
  const connection = { pipe: (open: (socket: unknown, rest: Buffer) => unknown) => void open(raw, Buffer.alloc(0)) };
  const ticket = { tunnelId: "t", agentId: "a", generation: 1, url: "tcp://localhost:1" } as Ticket;
  door["admit"](connection as unknown as VisitorConnection, "accept", ticket, tunnel, "127.0.0.1");
  expect(order).toEqual(["101", "the port opens", "REGISTERED"]);
});

const lines = [
  "Connection: Upgrade",
  "Upgrade: websocket",
  "Sec-WebSocket-Version: 13",
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
  "Sec-WebSocket-Protocol: other, digit-link.v1",
];

test("a server that leaves takes no session, which nobody would tell that it leaves", () => {
  const door = new SessionDoor({ isLeaving: () => true } as SessionDoorOptions);
  const visitor = fakeVisitor((connection, head) => void door.open(connection, head, "192.0.2.1"));
  visitor.send(requestText("GET /", "Host: tunnel.test", ...lines));
  expect(visitor.take()).toMatch(/^HTTP\/1.1 503 [^]*"retryable":true/);
});

describe("security", () => {
  test.each([
    ["GET /", lines, "judged by its ticket"],
    ["POST /", lines, "bad_request"],
    ["GET /", lines.toSpliced(1, 1), "bad_request"],
    ["GET /", lines.with(0, "Connection: keep-alive"), "bad_request"],
    ["GET /", lines.toSpliced(3, 1), "bad_request"],
    ["GET /", [...lines, lines[3]!], "bad_request"],
    ["GET /", [...lines, "Origin: http://tunnel.test"], "forbidden"],
    ["GET /", lines.with(2, "Sec-WebSocket-Version: 8"), "version_unsupported"],
    ["GET /", lines.with(4, "Sec-WebSocket-Protocol: digit-link.v11"), "version_unsupported"],
    // A name that is as long as the right one.
    ["GET /", lines.with(4, "Sec-WebSocket-Protokol: digit-link.v1"), "version_unsupported"],
  ])("%s with %j is %s", (start, sent, verdict) => {
    const verdicts: string[] = [];
    const door = new SessionDoor({
      isLeaving: () => false,
      tunnels: { takeTicket: () => (verdicts.push("judged by its ticket"), null) },
      refused: (rule: string) => void verdicts.push(rule),
    } as unknown as SessionDoorOptions);
    const visitor = fakeVisitor((connection, head) => {
      if (!door.open(connection, head, "192.0.2.1")) connection.answer("bad_ticket");
    });
    visitor.send(requestText(start, "Host: app.tunnel.test", ...sent));
    expect(verdicts).toEqual([verdict]);
  });
});

// What a tunnel's streams take of their organization, whom it asks about its service, and who counts as its visitor.

import { expect, test } from "bun:test";
import { CaptureBudget } from "./capture.ts";
import { HttpStream } from "./http-stream.ts";
import type { Session } from "./session.ts";
import { Tunnel, type TunnelHost } from "./tunnel.ts";

function setUp(holdMax: number) {
  let organization = 0;
  const answers: string[] = [];
  const settings = {
    ...{ holdMs: 1_000, holdMax, captureRequests: 1, checkIntervalMs: 5_000 },
    ...{ requestTimeoutMs: 1_000, serverTiming: false },
  };
  const host = {
    ...{ settings: { ...settings, maxConnectionsPerTunnel: 10 }, captureBudget: new CaptureBudget(0), draining: false },
    streamCounted: (_orgId: string | null, change: number) => void (organization += change),
    ...{ sessionOpened() {}, sessionClosed() {}, localChanged() {}, streamEnded() {} },
  };
  const tunnel = new Tunnel(host as TunnelHost, { tunnelId: "t", name: "app" });
  const stream: HttpStream = Object.create(HttpStream.prototype, {
    capture: { value: { visit: { entry: { orgId: "org" } } } },
    session: { value: null },
    ...{ tunnel: { value: tunnel }, state: { value: "waiting", writable: true } },
    connection: { value: { answer: (code: string) => answers.push(code) } },
  });
  return {
    tunnel,
    stream,
    open: () => tunnel.open(stream, Buffer.from("head"), 4, 0),
    answers,
    organization: () => organization,
  };
}

test("a stream that finds no place, and none to wait, has taken nothing", () => {
  const { tunnel, open, organization, answers } = setUp(0);
  open();
  expect([answers, tunnel.streams, organization()]).toEqual([["tunnel_offline"], 0, 0]);
});

test("visitors that wait are visitors: a policy that changes is theirs, too", () => {
  const { tunnel, stream, open, organization, answers } = setUp(1);
  open();
  expect([answers, organization()]).toEqual([[], 1]);
  expect(tunnel.visitors()).toEqual([stream]);
});

test("an agent that leaves isn't asked about the service", () => {
  const { tunnel } = setUp(0);
  const asked: string[] = [];
  for (const agentId of ["leaving", "staying"]) {
    const session = { options: { agentId }, leaving: agentId === "leaving", check: () => void asked.push(agentId) };
    tunnel.sessions.push(session as unknown as Session);
  }
  expect(tunnel.health.check()).toBe(true);
  expect(asked).toEqual(["staying"]);
});

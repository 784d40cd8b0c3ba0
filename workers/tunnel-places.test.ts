// What a tunnel's streams take of their organization, whom it asks about its service, and who counts as its visitor.

import { describe, expect, test } from "bun:test";
import { CaptureBudget } from "./capture.ts";
import { HttpStream } from "./http-stream.ts";
import type { Session } from "./session.ts";
import type { StreamFlow } from "./stream-flow.ts";
import { Tunnel, type TunnelHost } from "./tunnel.ts";

function setUp(holdMax: number) {
  let organization = 0;
  const answers: string[] = [];
  const told: string[] = [];
  const settings = {
    ...{ holdMs: 1_000, holdMax, captureRequests: 1, checkIntervalMs: 5_000 },
    ...{ requestTimeoutMs: 1_000, serverTiming: false },
  };
  const host = {
    ...{ settings: { ...settings, maxConnectionsPerTunnel: 3 }, captureBudget: new CaptureBudget(0), draining: false },
    streamCounted: (_orgId: string | null, change: number) => void (organization += change),
    sessionOpened: () => void told.push("opened"),
    sessionClosed: (_tunnel: Tunnel, _session: Session, reason: string) => void told.push(reason),
    streamEnded: () => void told.push("ended"),
    localChanged() {},
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
    ...{ answers, told },
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

/** A session with room, which notes what it is told; its streams are those that it was given. */
function session(agentId = "a", rttMs: number | null = null) {
  const did: string[] = [];
  const note = (what: string) => () => void did.push(what);
  const streams = new Map<number, StreamFlow>();
  const open = (one: StreamFlow): void => void streams.set(streams.size, one);
  const fake = { hasRoom: true, leaving: false, bulkStreams: 0, rttMs, options: { agentId }, streams, open };
  return Object.assign(fake as unknown as Session, {
    ...{ did, check: note("check"), tick: note("tick"), goAway: note("go away") },
  });
}

/** A stream that notes what happens to it; `head`: of its request, as it is kept. */
function noting(head: Buffer | null = Buffer.from("head")) {
  const did: string[] = [];
  const capture = { requestHead: () => head, endedAt: 0 };
  const counted = { status: 204, bytesIn: 3, bytesOut: 5, countedIn: 0, countedOut: 0, session: null, orgId: null };
  return Object.assign({ ...counted, did, capture } as unknown as HttpStream & { did: string[] }, {
    opened: () => void did.push("opened"),
    fail: (code: string) => void did.push(code),
    waitAgain: () => void did.push("waits"),
    endIfQuiet: () => void did.push("end if quiet"),
  });
}

test("no more streams than agreed are open, whatever room its sessions have", () => {
  const { tunnel } = setUp(0);
  tunnel.addSession(session());
  for (const full of [false, false, true]) {
    tunnel.connectionOpened(noting(), Buffer.from("head"));
    expect(tunnel.isFull).toBe(full);
  }
});

describe("a TCP connection", () => {
  test("that finds no place, and none to wait, is told so", () => {
    const { tunnel } = setUp(0);
    const one = noting();
    tunnel.connectionOpened(one, Buffer.from("head"));
    expect(one.did).toEqual(["tunnel_offline"]);
  });

  test("that leaves while it waits is no stream of the agent that comes", () => {
    const { tunnel } = setUp(2);
    const [gone, stays] = [noting(), noting()];
    for (const one of [gone, stays]) tunnel.connectionOpened(one, Buffer.from("head"));
    tunnel.connectionClosed(gone);
    const agent = session();
    tunnel.addSession(agent);
    expect([[...agent.streams.values()], gone.did, stays.did, tunnel.streams]).toEqual([[stays], [], ["opened"], 1]);
  });
});

test("a request whose head is no longer kept, or that finds no room to wait, goes to nobody else", () => {
  const { tunnel } = setUp(0);
  expect([tunnel.repeat(noting(null)), tunnel.repeat(noting())]).toEqual([false, false]);
  tunnel.addSession(session());
  expect([tunnel.repeat(noting(null)), tunnel.repeat(noting())]).toEqual([false, true]);
});

test("what a request came to is kept with it, and told", () => {
  const { tunnel, told } = setUp(0);
  const one = noting();
  tunnel.streamEnded(one, "why", 7);
  expect(one.capture).toMatchObject({ endedAt: 7, status: 204, bytesIn: 3, bytesOut: 5, error: "why" });
  expect(told).toEqual(["ended"]);
});

test("sessions come and go: each agent is asked about its service once, all are looked at, told to go, and their streams ended", () => {
  const { tunnel, told } = setUp(0);
  expect(tunnel.rttMs).toBeNull();
  const sessions = [session("a", 9), session("a", 5), session("b", 7), session("b")];
  for (const one of sessions) tunnel.addSession(one);
  expect(sessions.map(({ did }) => did.splice(0).length)).toEqual([2, 0, 1, 0]);
  expect([told, tunnel.rttMs]).toEqual([["opened", "opened", "opened", "opened"], 5]);
  tunnel.tick(0);
  tunnel.goAway({ reason: "drain", deadlineMs: 1, retryable: true });
  expect(sessions.map(({ did }) => did.join())).toEqual(Array.from({ length: 4 }, () => "tick,go away"));
  const streams = sessions.map(({ streams }) => {
    const one = noting();
    streams.set(1, one);
    return one;
  });
  tunnel.endQuiet({ now: 0, inAllMs: 0, isLast: true });
  expect(streams.map(({ did }) => did)).toEqual(Array.from({ length: 4 }, () => ["end if quiet"]));
  tunnel.sessionClosed(sessions[1]!, "lost");
  expect([tunnel.sessions.includes(sessions[1]!), told.at(-1), tunnel.rttMs]).toEqual([false, "lost", 7]);
});

test("nobody waits for an agent when the server leaves; of a tunnel that closes nothing is kept, and whoever asked about its service is told", () => {
  const { tunnel } = setUp(2);
  const waiting = noting();
  tunnel.connectionOpened(waiting, Buffer.from("head"));
  tunnel.goAway({ reason: "drain", deadlineMs: 1, retryable: true });
  expect(waiting.did).toEqual(["tunnel_offline"]);
  tunnel.addSession(session());
  const told: string[] = [];
  tunnel.health.check(({ state }) => told.push(state));
  tunnel.close();
  expect([told, tunnel.captures["closed"]]).toEqual([["unknown"], true]);
});

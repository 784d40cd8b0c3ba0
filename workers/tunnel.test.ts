// A tunnel: who waits and for how long, what is counted, what is known of the service.

import { describe, expect, spyOn, test } from "bun:test";
import type { LocalStatus } from "../src/link/messages.ts";
import { CaptureBudget } from "./capture.ts";
import type { HttpStream } from "./http-stream.ts";
import type { Session } from "./session.ts";
import type { StreamFlow } from "./stream-flow.ts";
import { Tunnel, type TunnelHost } from "./tunnel.ts";

class FakeSession {
  hasRoom = true;
  leaving = false;
  bulkStreams = 0;
  rttMs: number | null = null;
  opened: FakeStream[] = [];
  checks: number[] = [];
  streams = new Map<number, FakeStream>();
  heads: string[] = [];
  options: { agentId: string; address: string };
  constructor(agentId = "a") {
    this.options = { agentId, address: `address-${agentId}` };
  }
  open(stream: FakeStream, head: Buffer, length: number): void {
    this.opened.push(stream);
    this.streams.set(this.heads.push(head.toString("latin1", 0, length)), stream);
    stream.session = this;
  }
  check(id: number): void {
    this.checks.push(id);
  }
  tick(): void {}
}

class FakeStream {
  session: FakeSession | null = null;
  orgId = null;
  status = 200;
  bytesIn = 3;
  bytesOut = 5;
  countedIn = 0;
  countedOut = 0;
  failed: string | null = null;
  isOpen = false;
  readonly openFlags = 1;
  readonly capture = { requestHead: () => Buffer.from("head") };
  constructor(private readonly tunnel: Tunnel) {}
  opened(): void {
    this.isOpen = true;
  }
  waitAgain(): void {
    this.isOpen = false;
  }
  fail(code: string): void {
    this.failed = code;
    this.status = 503;
    this.tunnel.streamEnded(this as unknown as HttpStream, code, 0);
  }
}

function setUp() {
  const changes: LocalStatus["state"][] = [];
  const host = {
    settings: {
      ...{ holdMs: 1_000, holdMax: 2, captureRequests: 1, checkIntervalMs: 5_000 },
      ...{ maxConnectionsPerTunnel: 3, requestTimeoutMs: 1_000, serverTiming: false },
    },
    captureBudget: new CaptureBudget(1e6),
    draining: false,
    sessionOpened() {},
    sessionClosed() {},
    localChanged: (_tunnel: Tunnel, status: LocalStatus) => changes.push(status.state),
    streamCounted() {},
    streamEnded() {},
  };
  const tunnel = new Tunnel(host as unknown as TunnelHost, { tunnelId: "t1", name: "app" });
  const add = (session = new FakeSession()): FakeSession => {
    tunnel.addSession(session as unknown as Session);
    return session;
  };
  const open = (): FakeStream | null => {
    const stream = new FakeStream(tunnel);
    tunnel.open(stream as unknown as HttpStream, Buffer.from("head.."), 4, 0);
    return stream.failed === null ? stream : null;
  };
  const drop = (session: FakeSession): void => tunnel.sessionClosed(session as unknown as Session, "gone");
  return { tunnel, host, changes, add, open, drop };
}

describe("room", () => {
  test("there is none when no session has any, but those that leave don't count", () => {
    const { tunnel, add } = setUp();
    const isFull = (): boolean => tunnel.isFull;
    expect(isFull()).toBe(false);
    const [first, second] = [add(), add()];
    first.hasRoom = false;
    expect(isFull()).toBe(false);
    second.hasRoom = false;
    expect(isFull()).toBe(true);
    first.leaving = true;
    expect(isFull()).toBe(true);
    second.leaving = true;
    expect(isFull()).toBe(false);
  });
});

describe("waiting", () => {
  test("visitors wait for a session, in order; more than agreed are turned away", () => {
    const { tunnel, add, open } = setUp();
    const waiting = [open()!, open()!];
    expect([open(), tunnel.streams]).toEqual([null, 2]);
    const session = add();
    expect(session.opened).toEqual(waiting);
    expect([session.streams.get(1) === waiting[0], session.heads[0]]).toEqual([true, "head"]);
    expect(waiting.every((stream) => stream.isOpen)).toBe(true);
  });

  test("nobody waits longer than HOLD_MS", () => {
    const { tunnel, open } = setUp();
    const stream = open()!;
    tunnel.tick(performance.now() + 900);
    expect(stream.failed).toBeNull();
    tunnel.tick(performance.now() + 1_001);
    expect([stream.failed, tunnel.streams]).toEqual(["tunnel_offline", 0]);
  });

  test("whoever waited for an agent that came back without room for all is told so, or served when there is some", () => {
    const { tunnel, add, open } = setUp();
    const [first, second] = [open()!, open()!];
    const session = new FakeSession();
    session.hasRoom = false;
    add(session);
    expect(session.opened).toEqual([]);
    session.hasRoom = true;
    session.open = function (stream, ...rest) {
      FakeSession.prototype.open.call(this, stream, ...rest);
      this.hasRoom = false;
    };
    tunnel.capacityFreed();
    expect(session.opened).toEqual([first]);
    tunnel.tick(performance.now() + 1_001);
    expect(second.failed).toBe("tunnel_overloaded");
  });

  test("a visitor that leaves meanwhile frees its place", () => {
    const { tunnel, add, open } = setUp();
    const [gone, stays] = [open()!, open()!];
    tunnel.streamEnded(gone as unknown as HttpStream, "left", 0);
    expect(open()).not.toBeNull();
    expect(add().opened[0]).toBe(stays);
  });

  test("nobody waits while the server leaves, and a closed tunnel keeps nobody", () => {
    const { tunnel, host, open } = setUp();
    const stream = open()!;
    host.draining = true;
    expect(open()).toBeNull();
    tunnel.close();
    expect(stream.failed).toBe("tunnel_offline");
    expect(tunnel.streams).toBe(0);
  });

  test("a stream that lost its session goes to another one, or waits again", () => {
    const { tunnel, add, open, drop } = setUp();
    const [first, second] = [add(), add()];
    const stream = open()!;
    drop(first);
    expect(tunnel.repeat(stream as unknown as HttpStream)).toBe(true);
    expect(second.opened).toEqual([stream]);
    drop(second);
    stream.session = null;
    expect(tunnel.repeat(stream as unknown as HttpStream)).toBe(true);
    expect(stream.isOpen).toBe(false);
    expect(add().opened).toEqual([stream]);
    expect(tunnel.streams).toBe(1);
  });
});

describe("counters", () => {
  test("say what happened since the last time, and nothing when nothing did", () => {
    const { tunnel, add, open } = setUp();
    const session = add();
    session.rttMs = 7;
    for (const status of [200, 204, 301, 404, 503, 0]) {
      const stream = open()!;
      stream.status = status;
      tunnel.streamEnded(stream as unknown as HttpStream, null, 0);
    }
    const connection = Object.assign(new FakeStream(tunnel), { bytesIn: 100, bytesOut: 200 }) as unknown as StreamFlow;
    tunnel.connectionOpened(connection, Buffer.from("address"));
    tunnel.connectionClosed(connection);
    session.streams.clear();
    open();
    expect(tunnel.takeCounters()).toEqual({
      ...{ tunnelId: "t1", requests: 5, connections: 1, bytesIn: 121, bytesOut: 235 },
      ...{ status2xx: 2, status3xx: 1, status4xx: 1, status5xx: 1, rttMs: 7, streams: 1, local: { state: "unknown" } },
    });
    expect(tunnel.takeCounters()).toBeNull();
  });

  test("tell the first round trip of an idle tunnel, and then only one that is quite another", () => {
    const { tunnel, add } = setUp();
    const session = add();
    expect(tunnel.takeCounters()).toBeNull();
    const told = (rttMs: number | null) => {
      session.rttMs = rttMs;
      return tunnel.takeCounters()?.rttMs;
    };
    expect([7, 7.5, 10, 10.6, 6, 0.5, 1.4, null, null].map(told)).toEqual([
      7,
      undefined,
      undefined,
      10.6,
      undefined,
      0.5,
      undefined,
      null,
      undefined,
    ]);
  });

  test("are told under the name's registration, also when that came later", () => {
    const { tunnel, open, add } = setUp();
    tunnel.ticket = { tunnelId: "", name: "app" };
    open();
    tunnel.adopt({ tunnelId: "t2", name: "app" } as Parameters<Tunnel["adopt"]>[0]);
    add();
    expect(tunnel.takeCounters()).toMatchObject({ tunnelId: "t2", streams: 1 });
  });
});

describe("the local service", () => {
  test("is checked at the first session, and again and again while it is down", () => {
    const { tunnel, add, changes } = setUp();
    const session = add();
    expect(session.checks).toEqual([1]);
    tunnel.checked(session as unknown as Session, { ok: false, error: "refused" }, 1);
    expect(tunnel.health.status).toMatchObject({ state: "down", why: "refused" });
    tunnel.tick(performance.now() + 1_000);
    expect(session.checks).toEqual([1]);
    tunnel.tick(performance.now() + 6_000);
    expect(session.checks).toEqual([1, 2]);
    tunnel.checked(session as unknown as Session, { ok: true, ms: 3 }, 2);
    tunnel.tick(performance.now() + 60_000);
    expect([session.checks, changes]).toEqual([
      [1, 2],
      ["down", "up"],
    ]);
    expect(tunnel.health.status).toMatchObject({ state: "up", connectMs: 3 });
  });

  test("of several agents names the one whose service is down", () => {
    const { tunnel, add } = setUp();
    const [, second] = [add(), add(new FakeSession("b"))];
    tunnel.checked(second as unknown as Session, { ok: false, error: "refused" }, 1);
    expect(tunnel.health.status).toMatchObject({ state: "down", why: "refused (of the agent at address-b)" });
  });

  test("an answer proves that it is up; a failure keeps the time since when it is down", () => {
    const { tunnel, changes } = setUp();
    const times = [1_000, 2_000].map((atMs) => {
      const clock = spyOn(Date, "now").mockReturnValue(atMs);
      tunnel.health.failed("refused");
      clock.mockRestore();
      return tunnel.health.status;
    });
    expect(times).toMatchObject([
      { sinceMs: 1_000, provenAtMs: 1_000 },
      { sinceMs: 1_000, provenAtMs: 2_000 },
    ]);
    tunnel.health.hasAnswered();
    expect(tunnel.takeCounters()?.local).toMatchObject({ state: "up", connectMs: null });
    expect(changes).toEqual(["down", "up"]);
  });

  test("that it is down for another reason is reported, once", () => {
    const { tunnel, changes } = setUp();
    tunnel.health.failed("no answer");
    tunnel.takeCounters();
    tunnel.health.failed("refused");
    expect(tunnel.takeCounters()?.local).toMatchObject({ state: "down", why: "refused" });
    tunnel.health.failed("refused");
    expect(tunnel.takeCounters()).toBeNull();
    expect(changes).toEqual(["down"]);
  });

  test("whoever asks gets the status, also when no answer comes or nobody can be asked", () => {
    const { tunnel, add } = setUp();
    const told: string[] = [];
    const ask = (): boolean => tunnel.health.check(({ state }) => told.push(state));
    expect(ask()).toBe(false);
    const session = add();
    expect(ask()).toBe(true);
    tunnel.checked(session as unknown as Session, { ok: true, ms: 1 }, 999);
    expect(told).toEqual([]);
    tunnel.tick(performance.now() + 9_000);
    expect(told).toEqual(["unknown"]);
    expect(Array.from({ length: 70 }, ask).filter(Boolean)).toHaveLength(64);
  });
});

// One tunnel of an agent whose sessions are on paper: when another one is asked for, and what is told.

import { afterEach, beforeEach, expect, jest, spyOn, test } from "bun:test";
import { eventually } from "../../test/helpers/eventually.ts";
import { FakeSession } from "../../test/helpers/fake-session.ts";
import type { ClientConnection } from "../../src/http1/client-connection.ts";
import { FIN, RAW } from "../../src/protocol/frames.ts";
import type { Recorder } from "../inspector/recorder.ts";
import type { Recording, RequestHead, Source } from "../inspector/recording.ts";
import type { Refusal } from "./refusal.ts";
import type { AgentSession } from "./session.ts";
import { TunnelClient } from "./tunnel-client.ts";
import type { AgentEvent, AgentOptions, TunnelSpec } from "./types.ts";

let now = 0;
beforeEach(() => {
  now = 10_000;
  jest.useFakeTimers();
  spyOn(performance, "now").mockImplementation(() => now);
  // Pauses are half of what they may be.
  spyOn(Math, "random").mockReturnValue(0.5);
});
afterEach(() => {
  // A test may have gone back to real ones.
  jest.useFakeTimers();
  jest.clearAllTimers();
  jest.useRealTimers();
  jest.restoreAllMocks();
});

/** A tunnel with so many sessions that stand. `asked`: how often it has asked for more, which nobody ever answers. */
function tunnelWith(count: number, more: Partial<AgentOptions & TunnelSpec> = {}) {
  const events: AgentEvent[] = [];
  const notices: string[] = [];
  let asked = 0;
  const tunnel = { protocol: "http", subdomain: "web", localHost: "127.0.0.1", localPort: 9 } as const;
  const spec = { ...tunnel, localHttps: false, insecureLocal: false, hostHeader: "preserve", ...more };
  const server = { server: "http://127.0.0.1:9", token: "token", connections: count, pool: false, version: "1.0.0" };
  const client: TunnelClient = new TunnelClient(
    { ...server, ...more, tunnels: [spec], onEvent: (event) => void events.push(event) },
    spec,
    { agentId: "test", nextGeneration: () => 1 },
    () => {
      asked++;
      return new Promise(() => {});
    },
    (message) => void notices.push(message),
  );
  asked = 0;
  client["working"] = false;
  const url = "http://web";
  const granted = { subdomain: "web", url, tunnelId: "t", port: null, tickets: [], sessionPath: "/_tunnel/s/0" };
  client["registration"] = granted;
  client["wanted"] = count;
  const did: string[] = [];
  const sessions = Array.from({ length: count }, (_, i) => {
    const close = (...how: unknown[]) => void did.push(`close ${i} ${how.join(" ")}`);
    return {
      isReady: true,
      leave: (ms: number) => void did.push(`leave ${i} ${ms}`),
      close,
    } as unknown as AgentSession;
  });
  for (const session of sessions) client["sessions"].add(session);
  client.ready();
  const lose = (session = sessions[0]!, refusal: Refusal | null = null) =>
    client.closed(session, 1006, "lost", refusal);
  /** Whether it is first asked for another after so many milliseconds. */
  const isAskedAfter = (ms: number): boolean => {
    const before = asked;
    jest.advanceTimersByTime(ms - 1);
    const isLate = asked === before;
    jest.advanceTimersByTime(1);
    return isLate && asked === before + 1;
  };
  const told = () => events.splice(0).map(({ event }) => event);
  return { client, notices, sessions, did, lose, isAskedAfter, told, asked: () => asked };
}

const notFrom: Refusal = { code: "not_whitelisted", message: "Not from ::1.", retryable: false, retryAfterMs: null };

test("sessions that are lost one after the other are one failure: another is asked for once, as soon as for the first", () => {
  const { sessions, lose, isAskedAfter, told, asked } = tunnelWith(2);
  lose(sessions[0]);
  expect(told()).toEqual(["tunnel.ready", "session"]);
  jest.advanceTimersByTime(25);
  lose(sessions[1]);
  expect(told()).toEqual(["tunnel.lost"]);
  expect(isAskedAfter(100)).toBe(true);
  jest.advanceTimersByTime(60_000);
  expect(asked()).toBe(1);
});

test.each([
  [999, 1_000],
  [1_000, 125],
])("a tunnel that was up for %d ms since its first session asks for another after %d", (stoodMs, afterMs) => {
  const { client, sessions, lose, isAskedAfter } = tunnelWith(2);
  for (let failed = 0; failed < 3; failed++) client["backoff"].next();
  now += stoodMs - 1;
  client.ready();
  now += 1;
  lose(sessions[0]);
  expect(isAskedAfter(afterMs)).toBe(true);
});

test("the loss of one session says nothing of how long the tunnel has been up, nor does one that never was", () => {
  const { client, sessions, lose, isAskedAfter } = tunnelWith(3);
  lose(sessions[0]);
  expect(isAskedAfter(125)).toBe(true);
  client["working"] = false;
  now += 1_000;
  lose(sessions[1], { ...notFrom, retryable: true });
  expect(isAskedAfter(250)).toBe(true);
  client["working"] = false;
  lose(sessions[2]);
  expect(isAskedAfter(125)).toBe(true);
});

test("what is refused for good beside sessions that stand is asked for again after half a minute, whatever else is lost", () => {
  const { sessions, lose, isAskedAfter, told } = tunnelWith(3);
  lose(sessions[0], notFrom);
  expect(told()).toEqual(["tunnel.ready", "notice", "session"]);
  lose(sessions[1]);
  expect(told()).toEqual(["session"]);
  expect(isAskedAfter(30_000)).toBe(true);
});

test("when none stands any more it is asked for as after any loss, and not a second time", () => {
  const { client, sessions, lose, isAskedAfter, told, asked } = tunnelWith(2);
  lose(sessions[0], notFrom);
  lose(sessions[1]);
  expect(told()).toEqual(["tunnel.ready", "notice", "session", "tunnel.lost", "tunnel.retry"]);
  expect(isAskedAfter(250)).toBe(true);
  client["working"] = false;
  jest.advanceTimersByTime(60_000);
  expect(asked()).toBe(1);
});

test("who is told when to come back does not come before, whatever else is lost", () => {
  const { client, sessions, lose, isAskedAfter, asked } = tunnelWith(2);
  lose(sessions[0]);
  expect(isAskedAfter(125)).toBe(true);
  client["working"] = false;
  client["refused"]({ code: "rate_limited", message: "Not now.", retryable: true, retryAfterMs: 60_000 });
  lose(sessions[1]);
  expect([isAskedAfter(60_000), asked()]).toEqual([true, 2]);
});

test("the same of a server that wants to be left alone, while one session is on its way", () => {
  const { client, sessions, lose, isAskedAfter } = tunnelWith(2);
  Object.assign(sessions[1]!, { isReady: false });
  client.goAway(sessions[0]!, { reason: "moved", deadlineMs: 0, retryable: false });
  lose(sessions[1]);
  expect(isAskedAfter(5_000)).toBe(true);
});

test("the same of a session that is refused with when to come back", () => {
  const { lose, isAskedAfter } = tunnelWith(1);
  lose(undefined, { ...notFrom, retryable: true, retryAfterMs: 1_000 });
  expect(isAskedAfter(1_000)).toBe(true);
});

test("sessions that may be asked for again are asked for as a new start, once there is none", () => {
  const { client, sessions, lose, told } = tunnelWith(2);
  client["generation"] = 7;
  for (const generation of [7, 0]) {
    lose(sessions[generation === 7 ? 0 : 1], { ...notFrom, retryable: true });
    expect(client["generation"]).toBe(generation);
  }
  expect(told()).toEqual(["tunnel.ready", "session", "tunnel.lost"]);
});

test.each([
  [0, []],
  [1, ["The server allows 1 connection per tunnel; 3 were asked for."]],
  [2, ["The server allows 2 connections per tunnel; 3 were asked for."]],
  [3, []],
])("a server that grants %d sessions of three is told of when there are fewer", (sessions, told) => {
  const { client, notices } = tunnelWith(3);
  client["granted"](sessions);
  expect(notices).toEqual(told);
});

test("a tunnel that is stopped leaves each session once, those that the server has left, too, and ends when all are closed", async () => {
  jest.useRealTimers();
  const { client, sessions, did, lose, told } = tunnelWith(3);
  client.goAway(sessions[0]!, { reason: "drain", deadlineMs: 1_000, retryable: true });
  told();
  let isOver = false;
  const stopped = client.stop(50).then(() => (isOver = true));
  await client.stop(0);
  expect(did.splice(0)).toEqual(["leave 1 50", "leave 2 50", "leave 0 50"]);
  now += 50;
  const closed = ["close 1 1000 stopped", "close 2 1000 stopped", "close 0 1000 stopped"];
  await eventually(() => did.length === 3, "all are closed");
  expect(did).toEqual(closed);
  for (const session of [sessions[0]!, sessions[1]!]) lose(session, notFrom);
  // Longer than it looks again.
  await Bun.sleep(20);
  expect([isOver, told()]).toEqual([false, []]);
  lose(sessions[2]);
  await stopped;
  expect(await client.done).toEqual({ reason: "stopped" });
});

/** What the local service is sent of a request, or why it is not. */
function opened(more: Partial<TunnelSpec>, text: string): string {
  const { client } = tunnelWith(0, more);
  let sent = "";
  const write = (bytes: Buffer, start: number, end: number) => void (sent += bytes.toString("latin1", start, end));
  const connection = { write, requestEnd() {}, startRaw() {} } as unknown as ClientConnection;
  spyOn(client.local.pool, "begin").mockReturnValue(connection);
  // The service has a connection of these two ends: it comes from here.
  spyOn(client.local.pool, "has").mockImplementation((near) => near.text === "192.0.2.7");
  const bytes = Buffer.from(`########${text}##`);
  const open = { flags: FIN | (more.protocol === "tcp" ? RAW : 0), bytes, start: 8, end: bytes.length - 2 };
  const session = new FakeSession() as unknown as AgentSession;
  const stream = client.open(session, 1, { ...open, responseWindow: 9, requestWindow: 9 });
  return typeof stream === "string" ? stream : sent;
}

test.each<[string, Partial<TunnelSpec>, string, string]>([
  ["as it is", {}, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"],
  [
    "with another Host",
    { hostHeader: "b.test" },
    "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: b.test\r\n\r\n",
  ],
  ["without a head, over TCP", { protocol: "tcp", hostHeader: "b.test" }, "192.0.2.1:1 192.0.2.2:2", ""],
])("a request goes to the service %s", (_, more, text, sent) => {
  expect(opened(more, text)).toBe(sent);
});

test("a connection that comes from here is refused, over TCP alone", () => {
  expect(opened({ protocol: "tcp" }, "192.0.2.7:1 192.0.2.2:2")).toStartWith("it is the tunnel's own public port");
  expect(opened({}, "192.0.2.7:1 192.0.2.2:2")).toBe("192.0.2.7:1 192.0.2.2:2");
});

test("what nobody wants to hear of single requests, or to keep of them, is not even looked at", () => {
  const open = { flags: FIN, bytes: Buffer.alloc(0), start: 0, end: 0, responseWindow: 0, requestWindow: 0 };
  const { client } = tunnelWith(1);
  expect([client.wantsReports, client.record(open)]).toEqual([true, null]);
  const recording = {} as Recording;
  const begin = jest.fn((_source: Source, _head: RequestHead) => recording);
  const kept = tunnelWith(1, { requests: false, recorder: { begin } as unknown as Recorder }).client;
  expect([kept.wantsReports, kept.record(open)]).toEqual([false, recording]);
  expect(begin.mock.calls).toEqual([[{ url: "http://web", local: kept.local }, open]]);
});

// An exchange at the local service, frame by frame and without sockets: what is left when either side is done before the other.

import { describe, expect, test } from "bun:test";
import { beginExchange as setUp, exchangeWindow as window } from "../../test/helpers/fake-exchange.ts";
import { FIN, ProtocolError, RAW, resetCode, sessionWindowBytes, UPGRADE } from "../../src/protocol/frames.ts";

describe("an answer that is complete before its request", () => {
  test("leaves the connection alone, and lets the visitor send the rest", () => {
    const { exchange, session, did, removed, answer, bodyOf, handler } = setUp(0, 3);
    answer("200 OK\r\nContent-Length: 6");
    bodyOf("answer");
    handler().bodyEnd(null);
    handler().finished();
    expect([session.take().data, removed]).toEqual(["ans", []]);
    did.length = 0;
    for (let sent = 0; sent < 4 * window; sent += window) exchange.onData(Buffer.alloc(9 + window), 9, 9 + window);
    expect(session.take().granted).toBeGreaterThanOrEqual(4 * window);
    exchange.onEnd(null);
    exchange.onWindow(100);
    expect([session.take(), removed, did]).toMatchObject([{ data: "wer", ends: 1 }, [1], []]);
  });

  test("grants at once what the connection had not taken", () => {
    const { exchange, session, answer, bodyOf, handler } = setUp(0, 3);
    Object.assign(exchange["client"], { backlogBytes: window });
    exchange.onData(Buffer.alloc(window), 0, window);
    answer("200 OK\r\nContent-Length: 6");
    bodyOf("answer");
    expect(session.take().granted).toBe(0);
    handler().finished();
    expect(session.take().granted).toBeGreaterThanOrEqual(window);
  });
});

test("security: a service that is to be told its visitors hears nothing of one that the server does not name", () => {
  const { session, removed } = setUp(RAW, window, false, 0, { proxyProtocol: "v1" });
  expect([session.take().resets, removed]).toEqual([1, [1]]);
});

const ends = "192.0.2.1:2 192.0.2.9:1";
test.each<[string, number, object, string, string[]]>([
  ["without a body is complete", FIN, {}, "GET", ["write GET", "end"]],
  ["whose body follows is not", 0, {}, "GET", ["write GET"]],
  ["for an upgrade is", FIN | UPGRADE, {}, "GET", ["write GET", "end"]],
  ["on a raw connection has no head", RAW, {}, ends, ["raw", "write "]],
  [
    "that names its visitor to the service does",
    RAW,
    { proxyProtocol: "v1" },
    ends,
    ["raw", "write PROXY TCP4 192.0.2.1 192.0.2.9 2 1\r\n"],
  ],
])("at first a request %s", (_, flags, spec, text, began) => {
  expect(setUp(flags, window, false, 0, spec, Buffer.from(text)).began).toEqual(began);
});

test("an exchange that nobody wants to hear of is not reported; a reset behind an interim answer is, with its own status", () => {
  for (const isWanted of [false, true]) {
    const { exchange, reports, answer } = setUp(FIN, window, false, 0, {}, undefined, undefined, isWanted);
    answer("103 Early Hints");
    exchange.onReset(resetCode.timeout, "too late");
    expect(reports).toMatchObject(isWanted ? [{ status: 504, error: "too late" }] : []);
  }
});

test.each<[string, (one: ReturnType<typeof setUp>) => void]>([
  ["the visitor leaves", ({ exchange }) => exchange.onReset(resetCode.cancel, "why")],
  ["the service breaks off", ({ handler }) => handler().failed("broken", "why")],
])("an exchange is reported with all that it came to until %s", (_, end) => {
  const one = setUp(0, window, false, 2_000);
  for (const length of [2, 3]) one.exchange.onData(Buffer.alloc(9), 4, 4 + length);
  one.answer("201 Created\r\nContent-Length: 99");
  for (const text of ["a", "body"]) one.bodyOf(text);
  end(one);
  expect(one.reports).toMatchObject([{ status: 201, bytesIn: 5, bytesOut: 5, error: "why" }]);
  expect(one.reports[0]!.durationMs).toBeWithin(2_000, 60_000);
});

test.each([
  ["whose stream was granted nothing", 0, false],
  ["while the session's connection takes nothing", window, true],
])("an answer without a body %s is over when it has come", (_, responseWindow, congested) => {
  const { session, did, removed, answer, handler } = setUp(FIN, responseWindow);
  if (!congested) answer("103 Early Hints");
  Object.assign(session, { congested });
  answer("200 OK\r\nContent-Length: 0");
  handler().finished();
  expect([did, removed]).toEqual([[], [1]]);
});

test("interim answers, which need no credit, are read no faster than the session's connection takes them", () => {
  const { exchange, session, did, answer } = setUp(FIN);
  answer("103 Early Hints");
  expect(did).toEqual([]);
  Object.assign(session, { congested: true });
  answer("103 Early Hints");
  exchange.flush();
  expect(did).toEqual(["pause"]);
  Object.assign(session, { congested: false });
  exchange.flush();
  expect([did, exchange.hasQueued]).toEqual([["pause", "resume"], false]);
});

test.each([
  ["with a body is never sent twice", 0, 1],
  ["without one is, once", FIN, 2],
])("a request %s, when an idle connection turns out to be closed", (_, flags, times) => {
  const { removed, handler, begun } = setUp(flags, window, true);
  for (let i = 0; i < times; i++) {
    expect(removed).toEqual([]);
    handler().failed("broken", "");
  }
  expect([removed, begun.length]).toEqual([[1], times]);
});

test("a raw connection that ends first is over when the last of it has left", () => {
  const { exchange, session, removed, bodyOf, handler } = setUp(RAW, 3);
  bodyOf("answer");
  exchange.onEnd(null);
  handler().bodyEnd(null);
  expect([session.take().data, removed]).toEqual(["ans", []]);
  exchange.onWindow(3);
  expect([session.take(), removed]).toMatchObject([{ data: "wer", ends: 1 }, [1]]);
});

test.each([
  ["that the service had for a while tells of its silence", 1_000, "silent"],
  ["that came together with its request, to an agent that stood still, tells nothing of the service", 0, "left"],
])("a time-out %s", (_, openedMsAgo, what) => {
  const { exchange, did } = setUp(FIN, window, false, openedMsAgo);
  exchange.onReset(resetCode.timeout, "no answer within 2 s");
  expect(did).toEqual([what, "destroy"]);
});

test("a visitor that leaves after a while proves no silence of the service", () => {
  const { exchange, did } = setUp(FIN, window, false, 1_000);
  exchange.onReset(resetCode.cancel, "the visitor closed the connection");
  expect(did).toEqual(["left", "destroy"]);
});

test("a visitor that leaves is no failure; a session that is lost is one", () => {
  const left = setUp(FIN, window, true);
  left.exchange.onReset(resetCode.cancel, "the visitor closed the connection");
  expect(left.reports).toMatchObject([{ status: 0, error: "the visitor closed the connection", cancelled: true }]);
  const lost = setUp(FIN, window, true);
  Object.assign(lost.session, { isOver: true });
  lost.exchange.onReset(resetCode.cancel, "the connection to the server was lost");
  expect(lost.reports).toMatchObject([{ error: "the connection to the server was lost", cancelled: false }]);
});

test("a time-out of a request that got no connection says so, and not that the service takes connections", () => {
  const { exchange, client, did } = setUp(FIN, window, false, 1_000);
  client.isOpen = false;
  exchange.onReset(resetCode.timeout, "no answer within 2 s");
  expect(did).toEqual(["unreached", "destroy"]);
});

test("a raw connection whose local half ends while some of it waits goes on with the visitor's half", () => {
  const { exchange, session, did, removed, bodyOf, handler } = setUp(RAW, 3);
  bodyOf("answer");
  handler().bodyEnd(null);
  exchange.onWindow(3);
  expect([session.take(), removed]).toMatchObject([{ data: "answer", ends: 1 }, []]);
  did.length = 0;
  exchange.onData(Buffer.from("more"), 0, 4);
  exchange.onEnd(null);
  expect([did, removed]).toEqual([["write more", "shutdown"], [1]]);
});

test("a raw connection whose visitor's half ends last is over when the last of the local half has left", () => {
  const { exchange, session, removed, bodyOf, handler } = setUp(RAW, 3);
  bodyOf("answer");
  handler().bodyEnd(null);
  exchange.onEnd(null);
  expect([session.take().data, removed]).toEqual(["ans", []]);
  exchange.onWindow(3);
  expect([session.take(), removed]).toMatchObject([{ data: "wer", ends: 1 }, [1]]);
});

test("a raw connection that the local service has closed is reset when the visitor goes on, once the visitor has all of it", () => {
  const { exchange, session, removed, bodyOf, handler } = setUp(RAW, 3);
  bodyOf("answer");
  handler().bodyEnd(null);
  handler().finished();
  exchange.onData(Buffer.from("more"), 0, 4);
  expect([session.take(), removed]).toMatchObject([{ data: "ans", resets: 0 }, []]);
  exchange.onWindow(3);
  expect([session.take(), removed]).toMatchObject([{ data: "wer", ends: 1, resets: 0 }, []]);
  exchange.onData(Buffer.from("more"), 0, 4);
  expect([session.take(), removed]).toMatchObject([{ resets: 1 }, [1]]);
});

test("a raw connection that the local service has closed is over when its visitor ends, too", () => {
  const { exchange, session, removed, handler } = setUp(RAW);
  handler().bodyEnd(null);
  handler().finished();
  expect([session.take(), removed]).toMatchObject([{ ends: 1 }, []]);
  exchange.onEnd(null);
  expect([session.take().resets, removed]).toEqual([0, [1]]);
});

describe("security", () => {
  test.each([
    ["nobody asked for", FIN, "Connection: Upgrade\r\nUpgrade: websocket"],
    ["is for something else", FIN | UPGRADE, "Connection: Upgrade\r\nUpgrade: h2c"],
  ])("a 101 that %s breaks the stream", (_, flags, lines) => {
    const { did, removed, answer } = setUp(flags);
    answer(`101 Switching Protocols\r\n${lines}`);
    expect([did, removed]).toEqual([["destroy"], [1]]);
  });

  test.each([
    ["had none", FIN],
    ["had its end", 0],
  ])("a request that %s gets no more bytes: they would be the next one's on its connection", (_, flags) => {
    const { exchange, did } = setUp(flags);
    if (flags === 0) exchange.onEnd(null);
    did.length = 0;
    expect(() => exchange.onData(Buffer.from("more"), 0, 4)).toThrow(ProtocolError);
    expect(() => exchange.onEnd(null)).toThrow(ProtocolError);
    expect(did).toEqual([]);
  });

  test("a request without a body takes nothing of what its session may hold", () => {
    expect(setUp(FIN).session.budget.take(sessionWindowBytes, 0)).toBe(sessionWindowBytes);
  });

  test("what streams are granted, from their first byte on, counts for their session until they end", () => {
    const { exchange, session } = setUp(0);
    const most = sessionWindowBytes - window;
    expect([session.budget.take(most + 1, 0), session.budget.take(most, 0)]).toEqual([0, most]);
    session.budget.give(most);
    exchange.onData(Buffer.alloc(window), 0, window);
    expect(session.take().granted).toBeGreaterThan(window);
    exchange.onReset(resetCode.cancel, "the visitor left");
    expect([session.budget.take(sessionWindowBytes, 0), session.budget.take(1, 0)]).toEqual([sessionWindowBytes, 0]);
  });
});

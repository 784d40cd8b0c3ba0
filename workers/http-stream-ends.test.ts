// How streams of HTTP requests end: what the visitor gets, what the agent hears of it, and what it says of the local service.

import { describe, expect, test } from "bun:test";
import { requestText } from "../test/helpers/fake-visitor.ts";
import { streaming, switched } from "../test/helpers/http-stream.ts";
import { DATA, END, FIN, HEAD, initialWindowBytes, RESET, resetCode, UPGRADE, WINDOW } from "../src/protocol/frames.ts";

type World = ReturnType<typeof streaming>;
const head = (text: string): string => `\0\0\0\0HTTP/1.1 ${text}\r\n\r\n`;
const five = head("200 OK\r\nContent-Length: 5");
const get = (isHeld = false): World => streaming(FIN, requestText("GET /"), isHeld);
const post = (isHeld = false): World => streaming(0, requestText("POST /", "Content-Length: 8"), isHeld);
const resetBy = (code: number, reason: string) => (world: World) =>
  world.frame(RESET, 0, `\0${String.fromCharCode(code)}${reason}`);
const timeOut = ({ stream }: World): void => stream.onTick(stream.movedAt + 1_001);

test.each<[string, (world: World) => void, number, string | null, string[]]>([
  ["a service that isn't there", resetBy(resetCode.unreachable, "refused"), 502, null, ["failed: refused"]],
  ["a service that breaks off", resetBy(resetCode.localFailed, "broke"), 502, null, ["doubted"]],
  ["an agent that holds too many", resetBy(resetCode.refused, "full"), 503, "2", []],
  ["an agent that is lost", ({ session }) => session.closed(1006, "lost"), 503, "2", []],
  ["a service that is silent", timeOut, 504, null, ["doubted"]],
  ["a visitor that is turned out", ({ stream }) => stream.expel(), 403, null, []],
])("before an answer %s is told by one of ours, once", (_, happens, status, retryAfter, health) => {
  const world = get();
  for (let i = 0; i < 2; i++) happens(world);
  const answer = world.visitor.take();
  expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual([`HTTP/1.1 ${status}`]);
  expect(/\r\nRetry-After: (\d+)/i.exec(answer)?.[1] ?? null).toBe(retryAfter);
  expect([world.stream.status, world.ended.length, world.health]).toEqual([status, 1, health]);
});

test.each<[string, (world: World) => void]>([
  ["its service breaks off", resetBy(resetCode.localFailed, "broke")],
  ["its agent is lost", ({ session }) => session.closed(1006, "lost")],
  ["its visitor is turned out", ({ stream }) => stream.expel()],
])("an answer that has begun keeps its status and looks cut when %s", (_, happens) => {
  const world = get();
  world.tunnel.repeat = () => expect.unreachable();
  world.frame(HEAD, 0, five);
  expect(world.visitor.take()).toStartWith("HTTP/1.1 200 ");
  happens(world);
  expect([world.visitor.take(), world.visitor.did]).toEqual(["", ["terminate"]]);
  expect([world.stream.status, world.ended.length, world.health[0]]).toEqual([200, 1, "answered"]);
});

test("a request whose agent is lost before its answer goes to another one, and nobody hears of it", () => {
  const { session, tunnel, visitor, ended, stream } = get();
  const repeated: unknown[] = [];
  tunnel.repeat = ((one: unknown) => repeated.push(one) > 0) as never;
  session.closed(1006, "lost");
  expect([repeated, ended, visitor.take(), stream.status]).toEqual([[stream], [], "", 0]);
});

test.each([
  ["at once", 0, [], []],
  ["after two seconds without an answer", 2_001, [], ["doubted"]],
  ["in the middle of an answer, however old", 2_001, [HEAD, 0, five], ["answered"]],
] as const)("a visitor that leaves %s says that much of the service", (_, ms, frame, health) => {
  const world = get();
  world.stream.movedAt -= ms;
  if (frame.length > 0) world.frame(...(frame as [number, number, string]));
  for (let i = 0; i < 2; i++) world.visitor.connection.closed();
  expect([world.health, world.toAgent(), world.resets, world.ended]).toEqual([
    ...[[...health], "reset", [resetCode.cancel]],
    ["the visitor closed the connection"],
  ]);
});

describe("an upload", () => {
  test("ends before its answer, which is still to come", () => {
    const { visitor, frame, toAgent, ended, stream } = post();
    visitor.send("12345678");
    expect([toAgent(), ended, stream.room()]).toEqual(["12345678 end", [], Infinity]);
    frame(HEAD, 0, five);
    frame(DATA, FIN, "whole");
    expect([visitor.take().endsWith("\r\n\r\nwhole"), ended]).toEqual([true, [null]]);
  });

  test("that waited for an agent leaves when there is one", () => {
    const world = post(true);
    world.visitor.send("1234");
    expect([world.toAgent(), world.visitor.did]).toEqual(["", ["pause"]]);
    world.open();
    world.visitor.send("5678");
    expect([world.toAgent(), world.visitor.did]).toEqual(["1234 5678 end", ["pause", "resume"]]);
  });

  test("that waits for an agent in vain is told so", () => {
    const { stream, visitor, ended } = post(true);
    stream.fail("tunnel_offline", "nobody came");
    expect([visitor.take().slice(0, 12), ended]).toEqual(["HTTP/1.1 503", ["nobody came"]]);
  });

  test("that its agent has not taken when it answers is given up, though the visitor has said it all", () => {
    const { visitor, session, frame, toAgent, resets, ended } = post();
    session.congested = true;
    visitor.send("12345678");
    frame(HEAD, FIN, head("200 OK\r\nContent-Length: 0"));
    expect([toAgent(), resets, ended]).toEqual(["reset", [resetCode.cancel], [null]]);
  });

  test("that its agent has not taken when it answers is sent no further, while the visitor still takes the answer", () => {
    const { visitor, session, frame, toAgent, ended } = post();
    session.congested = true;
    visitor.send("12345678");
    visitor.room = 0;
    frame(HEAD, 0, head("200 OK"));
    for (let left = initialWindowBytes; left > 0; left -= 32_768) frame(DATA, 0, "x".repeat(32_768));
    frame(END, FIN);
    expect([toAgent(), ended]).toEqual(["reset", []]);
    session.congested = false;
    frame(WINDOW, 0, "\0\0\0\x09");
    session.drained();
    expect(toAgent()).toBe("");
    visitor.room = Infinity;
    visitor.connection.drain();
    expect([visitor.take().endsWith("0\r\n\r\n"), ended]).toEqual([true, [null]]);
  });

  test("that is larger than may be is refused, and so its agent is told", () => {
    const { visitor, toAgent, resets, stream, ended } = streaming(
      0,
      requestText("POST /", "Transfer-Encoding: chunked"),
    );
    visitor.send(`3e9\r\n${"x".repeat(1_001)}\r\n`);
    expect(visitor.take()).toStartWith("HTTP/1.1 413 ");
    expect([toAgent().endsWith("reset"), resets, stream.status, ended.length]).toEqual([true, [413], 413, 1]);
  });

  test("has as much room as its agent has granted", () => {
    const { stream, frame } = post();
    const before = stream.room();
    frame(WINDOW, 0, "\0\0\0\x09");
    expect(stream.room() - before).toBe(9);
  });
});

describe("an answer", () => {
  test("comes behind its interim ones; of one that is whole its agent hears nothing more", () => {
    const { visitor, frame, toAgent, ended, stream } = get();
    frame(HEAD, 0, head("103 Early Hints\r\nLink: </a>"));
    expect([visitor.take().slice(0, 12), stream.status, ended]).toEqual(["HTTP/1.1 103", 0, []]);
    frame(HEAD, 0, five);
    frame(DATA, FIN, "whole");
    expect([visitor.take().endsWith("whole"), toAgent(), ended]).toEqual([true, "", [null]]);
  });

  test("is granted as its visitor takes it, and no more than that", () => {
    const { visitor, frame, session, closed } = get();
    const granted: number[] = [];
    session.outbox.window = (_id, bytes) => void granted.push(bytes);
    frame(HEAD, 0, head("200 OK"));
    visitor.take();
    visitor.room = 0;
    for (let i = 0; i < 5; i++) frame(DATA, 0, "x".repeat(50_000));
    visitor.take();
    expect([granted, closed]).toEqual([[], []]);
    visitor.room = Infinity;
    visitor.connection.drain();
    // What it took, and as much as it had: it keeps up.
    expect(granted).toEqual([250_000 + initialWindowBytes]);
    visitor.room = 0;
    for (let i = 0; i < 30; i++) frame(DATA, 0, "x".repeat(50_000));
    expect(closed[1]).toBe("a stream sent more than it was granted");
  });

  test.each<[string, [number, number, string]]>([
    ["body bytes", [DATA, 0, "x"]],
    ["an end", [END, FIN, ""]],
  ])("of %s without a head is none", (_, frame) => {
    const { visitor, ended, ...world } = get();
    world.frame(...frame);
    expect([visitor.take().slice(0, 12), ended.length, world.toAgent()]).toEqual(["HTTP/1.1 502", 1, "reset"]);
  });
});

describe("a WebSocket", () => {
  const begun = (): World => {
    const world = streaming(FIN | UPGRADE);
    world.frame(HEAD, 0, switched);
    expect(world.visitor.take()).toMatch(/^HTTP\/1\.1 101 Go\r\n.*\r\nUpgrade: websocket\r\n\r\n$/s);
    expect([world.stream.status, world.health]).toEqual([101, ["answered"]]);
    return world;
  };

  test("ends in each direction by itself: the service's first", () => {
    const { visitor, frame, toAgent, ended } = begun();
    frame(DATA, FIN, "\x82\x01x");
    expect([visitor.take(), visitor.did, ended]).toEqual(["\x82\x01x", ["shutdown"], []]);
    visitor.send("\x82\x81abcd");
    visitor.connection.ended();
    expect([toAgent(), ended]).toEqual(["\x82\x81abcd end", [null]]);
  });

  test("whose ends do nothing about our good-bye is broken off, and its agent told", () => {
    const { visitor, toAgent, resets, ended, stream, session } = begun();
    const now = performance.now();
    const at = (ms: number): void => stream.endIfQuiet({ now: now + ms, inAllMs: 30_000, isLast: true });
    for (const ms of [0, 1_100, 2_100, 3_000]) at(ms);
    expect([visitor.did.includes("shutdown"), toAgent(), resets]).toEqual([true, "end reset", [resetCode.cancel]]);
    expect([ended, session.streams.size, visitor.connection.isOpen]).toEqual([["the server is leaving"], 0, false]);
  });

  test("or an answer that is not between two frames, or none at all, is left alone", () => {
    const quiet = { now: performance.now() + 60_000, inAllMs: 30_000, isLast: true };
    const { visitor, frame, stream } = begun();
    frame(DATA, 0, "\x82\x05x");
    visitor.take();
    stream.endIfQuiet(quiet);
    const answer = get();
    answer.stream.endIfQuiet(quiet);
    expect([visitor.take(), answer.visitor.take(), answer.ended]).toEqual(["", "", []]);
  });
});

// An exchange at the local service, frame by frame and without sockets: what is written to the service, and what its answer becomes.

import { describe, expect, jest, spyOn, test } from "bun:test";
import { beginExchange, exchangeWindow } from "../../test/helpers/fake-exchange.ts";
import type { Head } from "../../src/http1/head.ts";
import type { Recording } from "../inspector/recording.ts";
import { FakeSession } from "../../test/helpers/fake-session.ts";
import { CHUNKED, FIN, HEAD, HEAD_METHOD, maxPayloadBytes, MORE, MORE_HEAD } from "../../src/protocol/frames.ts";
import { ProtocolError, RAW, readU32, resetCode, sessionWindowBytes, UPGRADE } from "../../src/protocol/frames.ts";

const upgraded = "101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket";
const give = ({ exchange }: ReturnType<typeof beginExchange>, text: string): void =>
  exchange.onData(Buffer.from(`##${text}#`), 2, 2 + text.length);
const written = (did: string[]): string => did.map((one) => one.replace(/^write /, "")).join("");

describe("a request", () => {
  test.each([
    ["in chunks", CHUNKED, null, "3\r\none\r\n3\r\ntwo\r\n0\r\n\r\nend"],
    ["in chunks, with trailers", CHUNKED, "a: b\r\n", "3\r\none\r\n3\r\ntwo\r\n0\r\na: b\r\n\r\nend"],
    ["with a length", 0, null, "onetwoend"],
  ])("%s", (_, flags, trailers, expected) => {
    const one = beginExchange(flags);
    give(one, "one");
    give(one, "two");
    one.exchange.onEnd(trailers === null ? null : Buffer.from(trailers));
    expect(written(one.did)).toBe(expected);
  });

  test("is complete for the inspector with its last byte, and a TCP connection is none", () => {
    const kept: string[] = [];
    const recording = { asks: () => kept.push("asks"), asked: () => kept.push("asked") } as unknown as Recording;
    const begin = (flags: number) => {
      kept.push("begun");
      const all = [flags, undefined, undefined, undefined, undefined, undefined, undefined, undefined] as const;
      return beginExchange(...all, () => (kept.push("kept"), recording));
    };
    begin(FIN);
    const one = begin(0);
    give(one, "body");
    one.exchange.onEnd(null);
    begin(RAW);
    expect(kept).toEqual(["begun", "kept", "asked", "begun", "kept", "asks", "asked", "begun"]);
  });

  test("that became a WebSocket goes on as it is, and back", () => {
    const one = beginExchange(FIN | UPGRADE | CHUNKED);
    // None that is idle, which may have been closed.
    expect(one.begun).toEqual([[false, true]]);
    one.answer(upgraded);
    give(one, "frame");
    one.exchange.onEnd(null);
    expect(one.did).toEqual(["raw", "write frame", "shutdown"]);
    expect(one.reports).toEqual([]);
    one.handler().bodyEnd(null);
    expect(one.reports).toMatchObject([{ status: 101, bytesIn: 5, bytesOut: 0, error: null }]);
  });

  test("that became a WebSocket is granted what it sends", () => {
    const one = beginExchange(FIN | UPGRADE);
    one.answer(upgraded);
    give(one, "x".repeat(exchangeWindow));
    expect(one.session.take().granted).toBeGreaterThanOrEqual(exchangeWindow);
    expect(() => give(one, "x".repeat(9 * exchangeWindow))).toThrow(ProtocolError);
  });

  test("of which the whole window has come gets more, whatever other streams hold", () => {
    const session = new FakeSession();
    session.budget.take(sessionWindowBytes, 0);
    const one = beginExchange(0, exchangeWindow, false, 0, {}, undefined, session);
    give(one, "x".repeat(exchangeWindow));
    expect(one.session.take().granted).toBe(exchangeWindow);
  });

  test.each([
    ["GET", 2],
    ["HEAD", 2],
    ["OPTIONS", 2],
    ["POST", 1],
    ["GIT", 1],
    ["GEM", 1],
    ["GETS", 1],
    ["HEADS", 1],
    ["HALT", 1],
    ["OPTIONAL", 1],
    ["OATHS", 1],
    ["APPROVE", 1],
    ["DELETE", 1],
  ])("%s without a body is begun %d times when an idle connection turns out to be closed", (method, times) => {
    const sent = `${method} / HTTP/1.1\r\n\r\n`;
    const flags = FIN | (method === "HEAD" ? HEAD_METHOD : 0);
    // Its frame lies among others, in memory that is read into again.
    const bytes = Buffer.from(`......${sent}`).subarray(6);
    const one = beginExchange(flags, exchangeWindow, true, 0, {}, bytes);
    bytes.fill(0xdb);
    one.handler().failed("broken", "");
    const isHead = method === "HEAD";
    const second = times === 1 ? [] : [[isHead, true]];
    expect(one.begun).toEqual([[isHead, false], ...second] as typeof one.begun);
    expect(one.did).toEqual(times === 1 ? ["destroy"] : [`write ${sent}`, "end"]);
  });

  test("that no idle connection was used for is not sent again", () => {
    const one = beginExchange(FIN);
    one.client.answered = false;
    one.handler().failed("broken", "");
    expect([one.begun.length, one.removed]).toEqual([1, [1]]);
  });

  test("is granted more as the service takes it", () => {
    const one = beginExchange(0);
    one.client.backlogBytes = exchangeWindow;
    give(one, "x".repeat(exchangeWindow));
    expect(one.session.take().granted).toBe(0);
    one.client.backlogBytes = exchangeWindow / 2;
    one.handler().drained();
    expect(one.session.take().granted).toBe(exchangeWindow / 2);
  });

  test("whose answer has begun is not sent again", () => {
    const one = beginExchange(FIN, exchangeWindow, true);
    one.client.answered = true;
    one.handler().failed("broken", "");
    expect([one.begun.length, one.removed]).toEqual([1, [1]]);
  });
});

describe("an answer", () => {
  test.each([
    ["to HEAD", FIN | HEAD_METHOD, "200 OK\r\nContent-Length: 7"],
    ["of 204", FIN, "204 No Content"],
    ["of 304", FIN, "304 Not Modified"],
    ["of nothing", FIN, "200 OK\r\nContent-Length: 0"],
  ])("%s ends with its head, and once", (_, flags, text) => {
    const one = beginExchange(flags);
    one.answer("103 Early Hints");
    one.answer(text);
    one.handler().bodyEnd(null);
    one.handler().finished();
    expect(one.session.take().frames.map((frame) => [frame.type, frame.flags])).toEqual([
      [HEAD, 0],
      [HEAD, FIN],
    ]);
    expect(one.removed).toEqual([1]);
  });

  test("with a body ends behind it", () => {
    const one = beginExchange(FIN);
    one.answer("200 OK\r\nContent-Length: 4");
    one.bodyOf("body");
    one.handler().bodyEnd(null);
    expect(one.session.take()).toMatchObject({ data: "body", ends: 1, frames: [{ type: HEAD, flags: 0 }, {}] });
    one.handler().finished();
    expect(one.reports).toMatchObject([{ method: "GET", path: "/", status: 200, bytesOut: 4, error: null }]);
    expect(one.local.heard).toBe(1);
  });

  test("of which the visitor takes no more for now is read no further, until it does", () => {
    const one = beginExchange(FIN, 5);
    one.answer("200 OK\r\nContent-Length: 9");
    one.bodyOf("12345");
    expect(one.did).toEqual([]);
    one.bodyOf("6789");
    expect([one.session.take().data, one.did]).toEqual(["12345", ["pause"]]);
    one.exchange.onWindow(3);
    expect([one.session.take().data, one.did]).toEqual(["678", ["pause"]]);
    one.exchange.onWindow(1);
    expect([one.session.take().data, one.did]).toEqual(["9", ["pause", "resume"]]);
  });

  test("proves that the service is up, is kept for who inspects, and is read on while there is credit", () => {
    const one = beginExchange(FIN);
    const answered = spyOn(one.local, "answered");
    const heads = jest.fn();
    Object.assign(one.exchange, { recording: { heads } });
    one.answer("200 OK");
    expect([answered.mock.calls.length, heads.mock.calls.length]).toEqual([1, 1]);
    expect([one.handler().room!(), one.did]).toEqual([exchangeWindow, []]);
  });

  test("that is whole before its request ends the stream: nobody wants the rest", () => {
    const one = beginExchange(0);
    one.answer("200 OK\r\nContent-Length: 2");
    one.bodyOf("no");
    one.handler().bodyEnd(null);
    expect(one.removed).toEqual([]);
    one.handler().finished();
    expect(one.removed).toEqual([1]);
  });

  test("says how many microseconds the service took", () => {
    const one = beginExchange(FIN, exchangeWindow, false, 2_000);
    one.answer("200 OK");
    const { payload } = one.session.take().frames[0]!;
    expect(payload.toString("latin1", 4)).toBe("HTTP/1.1 200 OK\r\n\r\n");
    const micros = readU32(payload, 0);
    expect(micros).toBeGreaterThanOrEqual(2_000_000);
    expect(micros).toBeLessThan(60_000_000);
  });

  test("whose head is longer than a frame goes in two", () => {
    const one = beginExchange(FIN);
    const bytes = Buffer.alloc(maxPayloadBytes + 10, "abcdefg");
    const head: Partial<Head> = { bytes, start: 3, end: bytes.length, status: 204, contentLength: -1 };
    one.handler().head(head as Head);
    const { frames } = one.session.take();
    expect(frames.map(({ type, flags, payload }) => [type, flags, payload.length])).toEqual([
      [HEAD, FIN | MORE, maxPayloadBytes],
      [MORE_HEAD, 0, 11],
    ]);
    const sent = Buffer.concat([frames[0]!.payload.subarray(4), frames[1]!.payload]);
    expect(sent.equals(bytes.subarray(3))).toBe(true);
  });
});

describe("a stream that ends early", () => {
  test.each<["unreachable" | "broken" | "tls", boolean, string[], number, number]>([
    ["unreachable", true, ["down", "destroy"], resetCode.unreachable, 502],
    ["broken", true, ["destroy"], resetCode.localFailed, 502],
    ["broken", false, ["mute", "destroy"], resetCode.localFailed, 502],
    ["tls", true, ["mute", "destroy"], resetCode.localFailed, 502],
  ])("as its service is %s (known: %p) says so once", (failure, hasAnswered, did, code, status) => {
    const one = beginExchange(FIN);
    one.local.hasAnswered = hasAnswered;
    one.handler().failed(failure, "why");
    one.handler().failed(failure, "why");
    expect(one.did).toEqual(did);
    const { frames } = one.session.take();
    expect(frames.map(({ payload }) => payload.toString("latin1"))).toEqual([`\0${String.fromCharCode(code)}why`]);
    expect(one.reports).toMatchObject([{ status, error: "why" }]);
  });

  test.each([
    ["had all of its request", FIN, 0, ["silent", "destroy"]],
    ["has not taken its request", 0, 1, ["silent", "destroy"]],
    ["waits for the rest of it", 0, 0, ["destroy"]],
  ])("by a time-out: a service is silent that %s", (_, flags, backlogBytes, did) => {
    const one = beginExchange(flags, exchangeWindow, false, 1_000);
    Object.assign(one.client, { backlogBytes });
    one.exchange.onReset(resetCode.timeout, "no answer within 2 s");
    expect(one.did).toEqual(did);
    expect(one.reports).toMatchObject([{ status: 504, error: "no answer within 2 s" }]);
  });
});

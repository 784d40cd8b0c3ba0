// A visitor's connection that leaves HTTP or this thread: moved, piped, or raw behind an upgrade.

import { describe, expect, test } from "bun:test";
import { type FakeVisitor, fakeVisitor, HeardExchange, requestText } from "../../test/helpers/fake-visitor.ts";
import type { Socket } from "bun";
import type { Head } from "../http1/head.ts";
import type { VisitorConnection } from "./connection.ts";
import type { SocketOwner } from "./visitor-socket.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";

function reply(connection: VisitorConnection, text = ok): void {
  const bytes = Buffer.from(text);
  connection.write(bytes, 0, bytes.length);
  connection.finish(connection.mayKeepAlive);
}

/** A visitor whose requests all begin an exchange. */
function exchanging(): FakeVisitor & { exchanges: HeardExchange[] } {
  const exchanges: HeardExchange[] = [];
  const visitor = fakeVisitor((connection) => connection.begin((exchanges[exchanges.length] = new HeardExchange())));
  return Object.assign(visitor, { exchanges });
}

describe("moving", () => {
  test("takes along the routed head and all that is behind it", () => {
    const given: string[] = [];
    const visitor = fakeVisitor((connection, head) => {
      if (head.target === "/here") return reply(connection);
      expect(connection.move((_socket, meta) => given.push(meta.unread) > 0)).toBe(true);
    });
    const rest = requestText("GET /there") + requestText("GET /next");
    visitor.send(requestText("GET /here") + rest);
    expect(given).toEqual([rest]);
    expect(visitor.take()).toBe(ok);
    visitor.connection.closed();
    expect(visitor.released).toBe(1);
  });

  test("as a pipe only its place is left, until the socket closes: nothing else of it is heard or kept", () => {
    const heard: string[] = [];
    let socket: Socket<SocketOwner> | null = null;
    const visitor = fakeVisitor((connection) => {
      connection.countBucket = 7;
      connection.pipe((raw, rest) => {
        socket = raw;
        heard.push(`rest ${rest}`);
        return {
          received: (chunk) => void heard.push(`${chunk}`),
          drain: () => void heard.push("drain"),
          ended: () => void heard.push("ended"),
          threw: () => void heard.push("threw"),
          closed: (error) => void heard.push(`closed ${error?.message}`),
        };
      });
    });
    visitor.send(`${requestText("GET /pipe")}behind`);
    expect([visitor.released, visitor.freed]).toEqual([1, []]);
    const owner = socket!.data;
    expect(Object.values(owner)).not.toContain(visitor.connection);
    owner.received(Buffer.from("bytes"));
    owner.drain();
    owner.ended();
    owner.threw();
    owner.closed(new Error("reset"));
    expect(heard).toEqual(["rest behind", "bytes", "drain", "ended", "threw", "closed reset"]);
    expect(visitor.freed).toEqual([7]);
    expect(visitor.did).toEqual([]);
  });

  test("a receiver that isn't there leaves the request to be answered", () => {
    const visitor = fakeVisitor((connection) => {
      expect(connection.move(() => false)).toBe(false);
      connection.answer("unavailable");
    });
    visitor.send(requestText("GET /"));
    expect(visitor.take()).toStartWith("HTTP/1.1 503 ");
  });

  test("one that moves again with much behind it is told to make that request its last", () => {
    const last: boolean[] = [];
    const visitor = fakeVisitor((connection) => void connection.move((_socket, meta) => last.push(meta.last) > 0));
    visitor.send(requestText("POST /", "Content-Length: 900") + "x".repeat(20_000));
    const fresh = fakeVisitor((connection) => void connection.move((_socket, meta) => last.push(meta.last) > 0));
    fresh.connection.isFresh = true;
    fresh.send(requestText("POST /", "Content-Length: 900") + "x".repeat(20_000));
    expect(last).toEqual([true, false]);
  });

  test("once it has been served here, or was told so before, it is no other one", () => {
    const moved: [last: boolean, moves: number][] = [];
    const route = (connection: VisitorConnection, head: Head): void => {
      if (head.target === "/here") connection.begin(new HeardExchange());
      else connection.move((_socket, { last, moves }) => moved.push([last, moves]) > 0);
    };
    const [served, told, long] = [fakeVisitor(route), fakeVisitor(route), fakeVisitor(route)];
    served.connection.isFresh = true;
    served.send(requestText("GET /here"));
    reply(served.connection);
    served.send(requestText("POST /", "Content-Length: 900") + "x".repeat(20_000));
    told.connection.meta.last = true;
    told.send(requestText("GET /"));
    // It is what is behind the head that would be carried about.
    long.send(requestText("GET /", `X: ${"x".repeat(20_000)}`));
    expect(moved).toEqual([
      [true, 1],
      [true, 1],
      [false, 1],
    ]);
  });
});

describe("raw", () => {
  test("bytes of either side pass as they are, an end is a half-close", () => {
    const visitor = exchanging();
    visitor.send(`${requestText("GET /ws")}early`);
    visitor.connection.goRaw();
    const [exchange] = visitor.exchanges;
    visitor.send("\0later");
    expect(exchange!.body).toBe("early\0later");
    visitor.connection.ended();
    expect([exchange!.ended, exchange!.aborted]).toEqual([true, null]);
    visitor.connection.shutdown();
    expect(visitor.did).toEqual(["shutdown"]);
  });

  test.each([
    ["a close after our end is the visitor's end", true, undefined, true],
    ["a close before it breaks it off", false, undefined, false],
    ["a reset breaks it off", true, new Error("ECONNRESET"), false],
  ])("%s", (_, hasShut, error, isEnd) => {
    const visitor = exchanging();
    visitor.send(requestText("GET /ws"));
    visitor.connection.goRaw();
    if (hasShut) visitor.connection.shutdown();
    visitor.connection.closed(error);
    const [exchange] = visitor.exchanges;
    expect([exchange!.ended, exchange!.aborted === null]).toEqual([isEnd, isEnd]);
  });

  test("our end follows what was written before it", () => {
    const visitor = exchanging();
    visitor.send(requestText("GET /ws"));
    visitor.connection.goRaw();
    visitor.room = 0;
    visitor.connection.write(Buffer.from("last"), 0, 4);
    visitor.connection.shutdown();
    expect(visitor.did).toEqual([]);
    visitor.room = Infinity;
    visitor.connection.drain();
    expect([visitor.take(), visitor.did.join()]).toEqual(["last", "shutdown"]);
  });
});

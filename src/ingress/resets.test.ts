// Breaks that Bun tells like ends: a reset that a write of ours was told of first, and a throw of ours.

import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { fakeVisitor, HeardExchange, requestText } from "../../test/helpers/fake-visitor.ts";
import { ownerHandlers } from "./handlers.ts";
import type { SocketOwner } from "./visitor-socket.ts";

describe("security", () => {
  test.each(["end", "close"] as const)("a reset is no end of a raw connection when Bun says %s", (event) => {
    const exchange = new HeardExchange();
    const visitor = fakeVisitor((connection) => connection.begin(exchange));
    visitor.send(requestText("GET /ws"));
    visitor.connection.goRaw();
    // A `close` alone means an end only after ours.
    if (event === "close") visitor.connection.shutdown();
    visitor.room = -1;
    visitor.connection.write(Buffer.from("x"), 0, 1);
    visitor.take();
    if (event === "end") visitor.connection.ended();
    visitor.connection.closed();
    expect([exchange.ended, exchange.aborted]).toEqual([false, "the visitor closed the connection"]);
  });

  test("a throw of ours is no end of a raw connection, though we have ended our direction", () => {
    const exchange = new HeardExchange();
    const visitor = fakeVisitor((connection) => connection.begin(exchange));
    visitor.send(requestText("GET /ws"));
    visitor.connection.goRaw();
    visitor.connection.shutdown();
    // As Bun does it.
    const terminate = (): void => visitor.connection.closed();
    ownerHandlers.error({ data: visitor.connection, terminate } as unknown as Socket<SocketOwner>);
    expect([exchange.ended, exchange.aborted]).toEqual([false, "the visitor closed the connection"]);
  });
});

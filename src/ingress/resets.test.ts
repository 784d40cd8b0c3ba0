// A reset that a write of ours was told of first: Bun then says `end`, or `close` without an error.

import { describe, expect, test } from "bun:test";
import { fakeVisitor, HeardExchange, requestText } from "../../test/helpers/fake-visitor.ts";

describe("security", () => {
  test.each(["end", "close"] as const)("is no end of a raw connection when Bun says %s", (event) => {
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
});

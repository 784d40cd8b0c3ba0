// A visitor's connection to a TCP port that breaks and must not look like one that ended: Bun says `end`, or `close` without an error, of both.

import { describe, expect, test } from "bun:test";
import type { SocketHandler } from "bun";
import { eventually } from "../helpers/eventually.ts";
import { FakeSession } from "../helpers/fake-session.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { readSpace } from "../../src/lib/large-reads.ts";
import type { Session } from "../../workers/session.ts";
import type { StreamFlow } from "../../workers/stream-flow.ts";
import { listenTcp } from "../../workers/tcp.ts";
import type { Tunnel } from "../../workers/tunnel.ts";

class ResetSession extends FakeSession {
  readonly requestCreditBytes = 1_000;
  readonly resets: string[] = [];
  reset(stream: StreamFlow, _code: number, reason: string): void {
    this.resets.push(reason);
    stream.unbind();
  }
  remove(stream: StreamFlow): void {
    stream.unbind();
  }
}

/** A visitor whose stream is open, and what the agent heard when its connection is closed. */
async function visited(reads: SocketHandler<undefined> = { data() {}, end() {} }) {
  const session = new ResetSession();
  let stream: StreamFlow | null = null;
  let isClosed = false;
  const tunnel = {
    connectionOpened(one: StreamFlow) {
      stream = one;
      one.bind(session as unknown as Session, 1, performance.now());
      one.opened();
    },
    connectionClosed: () => void (isClosed = true),
  } as unknown as Tunnel;
  const [port = 0] = await freePorts(1);
  const listener = listenTcp("127.0.0.1", port, { resolve: () => ({ tunnel, release() {} }) });
  const visitor = await Bun.connect({
    ...{ hostname: "127.0.0.1", port, allowHalfOpen: true },
    // Without `end` Bun closes what the other side has half-closed.
    socket: reads,
  });
  await eventually(() => stream !== null, "it is connected");
  return {
    ...{ session, stream: stream!, visitor },
    async heardAtLast() {
      await eventually(() => isClosed, "the connection is closed");
      return [session.take().ends, session.resets];
    },
    [Symbol.dispose]() {
      visitor.terminate();
      listener.stop();
    },
  };
}

const broken = [0, ["the visitor closed the connection"]];

describe("security", () => {
  test.each(["", "and that was all"])(
    "a reset that a write of ours is told of first is one for the agent, and no end of what the visitor said (%s)",
    async (end) => {
      using at = await visited();
      at.visitor.write("half of a file");
      await eventually(() => at.session.take().data === "half of a file", "its first half came");
      // On this machine the reset is there when the call returns: before the next turn, in which Bun would look for it.
      at.visitor.terminate();
      at.stream.onData(Buffer.from("x"), 0, 1);
      if (end !== "") at.stream.onEnd(null);
      expect(await at.heardAtLast()).toEqual(broken);
    },
  );

  test("the same while the agent takes no more, when Bun says nothing at all", async () => {
    using at = await visited();
    at.visitor.write(Buffer.alloc(5_000));
    await eventually(() => at.stream.hasQueued, "the visitor isn't read any more");
    at.visitor.terminate();
    at.stream.onData(Buffer.from("x"), 0, 1);
    expect(await at.heardAtLast()).toEqual(broken);
  });

  test("the same of an agent that goes on behind its own end", async () => {
    using at = await visited();
    at.stream.onEnd(null);
    at.visitor.terminate();
    at.stream.onData(Buffer.from("x"), 0, 1);
    expect(await at.heardAtLast()).toEqual(broken);
  });

  test.each([
    ["read by Bun", false],
    ["read by hand", true],
  ])(
    "a throw of ours over bytes that were %s is no end, though the agent has ended its direction",
    async (_, byHand) => {
      using at = await visited();
      at.stream.onEnd(null);
      at.stream.sendRequest = (bytes) => {
        if (byHand === (readSpace(bytes) !== null)) throw new Error("as asked");
      };
      at.visitor.write(Buffer.alloc(4 * 1024 * 1024));
      expect(await at.heardAtLast()).toEqual(broken);
    },
  );
});

test.each(["visitor", "agent"])(
  "what the agent has ended comes whole, though it is read only when the connection is closed here (the %s ended first)",
  async (first) => {
    // More than the visitor's kernel takes at first, less than a stream may send unasked.
    const answer = Buffer.alloc(250_000, "x");
    let bytes = 0;
    let how: unknown = null;
    using at = await visited({
      data: (_, chunk) => void (bytes += chunk.length),
      // Who has half-closed hears of the other's end by `close` only.
      close: (_, error) => void (how = error ?? "a clean end"),
    });
    at.visitor.pause();
    at.stream.onData(answer, 0, answer.length);
    if (first === "agent") at.stream.onEnd(null);
    at.visitor.shutdown();
    if (first === "visitor") {
      await eventually(() => at.session.take().ends === 1, "the agent knows that nothing more comes");
      at.stream.onEnd(null);
    }
    await at.heardAtLast();
    at.visitor.resume();
    await eventually(() => how !== null, "it ends");
    expect([bytes, how]).toEqual([answer.length, "a clean end"]);
  },
);

// A visitor's connection to a TCP port that breaks and must not look like one that ended: Bun says `end`, or `close` without an error, of both.

import { describe, expect, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { visitTcp } from "../helpers/visit-tcp.ts";
import { readSpace } from "../../src/lib/large-reads.ts";

/** What the agent heard once a visitor's connection is closed. */
async function heardAtLast({ closed, session }: Awaited<ReturnType<typeof visitTcp>>) {
  await closed();
  return [session.take().ends, session.resets];
}

const broken = [0, ["the visitor closed the connection"]];

describe("security", () => {
  test.each(["", "and that was all"])(
    "a reset that a write of ours is told of first is one for the agent, and no end of what the visitor said (%s)",
    async (end) => {
      using at = await visitTcp();
      at.visitor.write("half of a file");
      await eventually(() => at.session.take().data === "half of a file", "its first half came");
      // On this machine the reset is there when the call returns: before the next turn, in which Bun would look for it.
      at.visitor.terminate();
      at.stream.onData(Buffer.from("x"), 0, 1);
      if (end !== "") at.stream.onEnd(null);
      expect(await heardAtLast(at)).toEqual(broken);
    },
  );

  test("the same while the agent takes no more, when Bun says nothing at all", async () => {
    using at = await visitTcp();
    at.visitor.write(Buffer.alloc(5_000));
    await eventually(() => at.stream.hasQueued, "the visitor isn't read any more");
    at.visitor.terminate();
    at.stream.onData(Buffer.from("x"), 0, 1);
    expect(await heardAtLast(at)).toEqual(broken);
  });

  test("the same of a write that had to wait", async () => {
    // More than both kernels take.
    const many = Buffer.alloc(8 * 1024 * 1024);
    for (let i = 0; i < 24; i++) {
      const leavesAt = 4 + (i % 8);
      let reads = 0;
      // Now and then its kernel has made room, and it is gone before we hear of that.
      using at = await visitTcp({ data: (visitor) => void (++reads === leavesAt && visitor.terminate()), end() {} });
      at.stream["received"] = () => {};
      at.stream.onData(many, 0, many.length);
      expect(await heardAtLast(at)).toEqual(broken);
    }
  });

  test("the same of an agent that goes on behind its own end", async () => {
    using at = await visitTcp();
    at.stream.onEnd(null);
    at.visitor.terminate();
    at.stream.onData(Buffer.from("x"), 0, 1);
    expect(await heardAtLast(at)).toEqual(broken);
  });

  test.each([
    ["while both go on", false],
    ["behind the agent's own end", true],
  ])("a reset that nobody wrote into is one, too: %s", async (_, hasEnded) => {
    using at = await visitTcp();
    if (hasEnded) at.stream.onEnd(null);
    at.visitor.write("half of a file");
    await eventually(() => at.session.take().data === "half of a file", "its first half came");
    at.visitor.terminate();
    expect(await heardAtLast(at)).toEqual(broken);
  });

  test.each([
    ["read by Bun", false],
    ["read by hand", true],
  ])(
    "a throw of ours over bytes that were %s is no end, though the agent has ended its direction",
    async (_, byHand) => {
      using at = await visitTcp();
      at.stream.onEnd(null);
      at.stream.sendRequest = (bytes) => {
        if (byHand === (readSpace(bytes) !== null)) throw new Error("as asked");
      };
      at.visitor.write(Buffer.alloc(4 * 1024 * 1024));
      expect(await heardAtLast(at)).toEqual(broken);
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
    using at = await visitTcp({
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
    // Its end once, and nothing else.
    expect(await heardAtLast(at)).toEqual([first === "agent" ? 1 : 0, []]);
    at.visitor.resume();
    await eventually(() => how !== null, "it ends");
    expect([bytes, how]).toEqual([answer.length, "a clean end"]);
  },
);

// Whose turn it is when a session's socket takes more again.

import { describe, expect, test } from "bun:test";
import { FakeSession } from "../../test/helpers/fake-session.ts";
import { flushInTurns, Outgoing } from "./flow.ts";

describe("turns", () => {
  const streamsOf = (...names: string[]) =>
    new Map(names.map((name, id) => [id, { name, hasQueued: true }] as [number, { name: string; hasQueued: boolean }]));

  test("streams that never run dry don't keep a small one from its turn", () => {
    const session = { congested: false };
    const streams = streamsOf("large", "larger", "small");
    const served: string[] = [];
    for (let drained = 0; drained < 4; drained++) {
      session.congested = false;
      flushInTurns(session, streams, (stream) => {
        served.push(stream.name);
        if (stream.name === "small") stream.hasQueued = false;
        session.congested = true;
      });
    }
    expect(served).toEqual(["large", "larger", "small", "large"]);
  });

  test("each has one turn while the session takes all of it; who has nothing has none, and one may go meanwhile", () => {
    const streams = streamsOf("first", "idle", "last");
    streams.get(1)!.hasQueued = false;
    const served: string[] = [];
    flushInTurns({ congested: false }, streams, ({ name }) => {
      served.push(name);
      if (name === "first") streams.delete(0);
    });
    expect(served).toEqual(["first", "last"]);
    expect([...streams.values()].map(({ name }) => name)).toEqual(["idle", "last"]);
  });

  test("streams whose sources wait for the socket take turns", () => {
    const session = new FakeSession();
    const stream = (id: number) => {
      const out = new Outgoing(session, id, 1_000);
      return {
        id,
        out,
        get hasQueued() {
          return out.waits;
        },
      };
    };
    const streams = new Map([1, 2, 3].map((id) => [id, stream(id)]));
    Object.assign(session, { streams });
    const served: number[] = [];
    /** Its source has bytes: whoever may send fills the socket, and asks again. */
    const ask = (id: number): void => {
      if (streams.get(id)!.out.room() === 0) return;
      served.push(id);
      session.congested = true;
      ask(id);
    };
    for (const id of [1, 2, 3]) ask(id);
    for (let drained = 0; drained < 5; drained++) {
      session.congested = false;
      const resumed: number[] = [];
      flushInTurns(session, streams, ({ id, out }) => void (out.flush() && resumed.push(id)));
      for (const id of resumed) ask(id);
    }
    expect(served).toEqual([1, 2, 3, 1, 2, 3]);
  });
});

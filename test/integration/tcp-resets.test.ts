// A visitor's connection to a TCP port that is reset, and a write of ours is told of it first: Bun then says `end`, or `close` without an error.

import { describe, expect, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { FakeSession } from "../helpers/fake-session.ts";
import { freePorts } from "../helpers/free-ports.ts";
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

describe("security", () => {
  test.each(["", "and that was all"])(
    "is a reset for the agent, and no end of what the visitor said (%s)",
    async (end) => {
      const session = new ResetSession();
      let stream: StreamFlow | null = null;
      let isClosed = false;
      const tunnel = {
        connectionOpened(one: StreamFlow) {
          stream = one;
          one.bind(session as unknown as Session, 1);
          one.opened();
        },
        connectionClosed: () => void (isClosed = true),
      } as unknown as Tunnel;
      const [port = 0] = await freePorts(1);
      const listener = listenTcp("127.0.0.1", port, { resolve: () => ({ tunnel, release() {} }) });
      const visitor = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } });
      visitor.write("half of a file");
      await eventually(() => session.take().data === "half of a file", "its first half came");
      // On this machine the reset is there when the call returns: before the next turn, in which Bun would look for it.
      visitor.terminate();
      stream!.onData(Buffer.from("x"), 0, 1);
      if (end !== "") stream!.onEnd(null);
      await eventually(() => isClosed, "the connection is closed");
      expect([session.take().ends, session.resets]).toEqual([0, ["the visitor closed the connection"]]);
      listener.stop();
    },
  );
});

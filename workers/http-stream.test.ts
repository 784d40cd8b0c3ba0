// Streams of HTTP requests through a session, without sockets: raw connections that end, and visitors that are turned out.

import { describe, expect, test } from "bun:test";
import { streaming, switched } from "../test/helpers/http-stream.ts";
import { requestText } from "../test/helpers/fake-visitor.ts";
import { DATA, END, FIN, HEAD, RESET, sessionWindowBytes, UPGRADE, WINDOW } from "../src/protocol/frames.ts";

describe("a raw connection", () => {
  test("whose two sides have ended is over when the visitor's last bytes have left", () => {
    const { visitor, session, frame, toAgent, ended } = streaming();
    frame(HEAD, 0, switched);
    const many = "x".repeat(256 * 1024);
    visitor.send(`${many}last`);
    visitor.connection.ended();
    frame(END, FIN);
    expect([toAgent().endsWith("end"), ended.length, session.streams.size]).toEqual([false, 0, 1]);
    frame(WINDOW, 0, "\0\0\0\x09");
    expect([toAgent(), ended, session.streams.size]).toEqual(["last end", [null], 0]);
  });

  test("that our close frame has ended carries nothing more to its visitor, and nothing of it behind its end", () => {
    const { visitor, frame, toAgent, stream } = streaming();
    frame(HEAD, 0, switched);
    visitor.take();
    const now = performance.now() + 10_000;
    const step = (ms: number): void => stream.endIfQuiet({ now: now + ms, inAllMs: 30_000, isLast: true });
    step(0);
    expect(visitor.take()).toBe("\x88\x02\x03\xe9");
    frame(DATA, 0, "\x82\x01x");
    expect(visitor.take()).toBe("");
    step(1_100);
    expect([toAgent(), visitor.did.at(-1)]).toEqual(["end", "shutdown"]);
    visitor.send("late");
    visitor.connection.ended();
    expect(toAgent()).toBe("");
  });
});

describe("an answer that its agent has ended, but its visitor has not taken", () => {
  /** The last of it is 4 MiB that wait for the visitor. */
  function setUpSlow(flags = FIN, request?: string, head = "\0\0\0\0HTTP/1.1 200 OK\r\n\r\n") {
    const world = streaming(flags, request);
    const { visitor, session, frame } = world;
    frame(HEAD, 0, head);
    const send = (times: number): void => {
      for (let i = 0; i < times; i++) frame(DATA, 0, "x".repeat(64_000));
    };
    send(200);
    visitor.take();
    visitor.room = 0;
    send(64);
    if (head === switched) visitor.connection.ended();
    if (flags === 0) {
      // The agent takes no more of the upload.
      session.congested = true;
      visitor.send("part");
    }
    frame(END, FIN);
    /** How much of what all streams of the session may hold is free. */
    const free = (): number => {
      const taken = session.budget.take(sessionWindowBytes / 2, 0);
      session.budget.give(taken);
      return taken;
    };
    return { ...world, free };
  }

  test("counts as what its session may hold, until the visitor has taken it", () => {
    const { visitor, session, ended, free } = setUpSlow();
    session.budget.take(sessionWindowBytes / 2, 0);
    expect([ended, session.streams.size, free()]).toEqual([[], 1, 0]);
    visitor.room = Infinity;
    visitor.connection.drain();
    expect([ended, session.streams.size, free()]).toEqual([[null], 0, sessionWindowBytes / 2]);
    expect(visitor.take()).toEndWith("x\r\n0\r\n\r\n");
  });

  test.each<[string, (at: ReturnType<typeof setUpSlow>) => void]>([
    ["its session is lost", ({ session }) => session.closed(1006, "gone")],
    ["its agent resets what it has ended", ({ frame }) => frame(RESET, 0, "\0\x01")],
    ["its agent goes on", ({ frame }) => frame(DATA, 0, "more")],
  ])("is whole: %s", (_, happens) => {
    const at = setUpSlow();
    happens(at);
    at.visitor.room = Infinity;
    at.visitor.connection.drain();
    expect([at.ended, at.visitor.did.includes("terminate")]).toEqual([[null], false]);
    expect(at.visitor.take()).toEndWith("x\r\n0\r\n\r\n");
  });

  test("keeps a raw connection, too, and no upload that nobody wants any more", () => {
    const upload = requestText("POST /", "Content-Length: 900");
    for (const world of [setUpSlow(FIN | UPGRADE, undefined, switched), setUpSlow(0, upload)]) {
      const { visitor, session, ended, toAgent, frame } = world;
      expect([session.streams.size, visitor.did.at(-1) ?? "resume"]).toEqual([1, "resume"]);
      toAgent();
      visitor.send("unwanted");
      frame(END, FIN);
      visitor.room = Infinity;
      visitor.connection.drain();
      expect([toAgent(), ended, session.streams.size]).toEqual(["", [null], 0]);
    }
  });

  test("is not whole when the visitor leaves", () => {
    const { visitor, session, ended } = setUpSlow();
    visitor.connection.closed();
    expect([ended, session.streams.size]).toEqual([["the visitor closed the connection"], 0]);
  });

  test("breaks when its visitor is turned out", () => {
    const { visitor, ended, stream } = setUpSlow();
    stream.expel();
    expect([ended, visitor.did.at(-1), visitor.take()]).toEqual([["the policy changed"], "terminate", ""]);
  });
});

describe("security", () => {
  test("whoever is turned out leaves no stream behind, here or at the agent", () => {
    const { visitor, session, toAgent, ended, stream } = streaming();
    stream.expel();
    expect(visitor.take()).toStartWith("HTTP/1.1 403 ");
    expect([toAgent(), session.streams.size, ended]).toEqual(["reset", 0, ["the policy changed"]]);
  });
});

describe("a response head that breaks the rules", () => {
  test("is refused for what is wrong with it, not with the head refused before it", () => {
    const refusalOf = (head: string): (string | null)[] => {
      const { frame, ended } = streaming();
      frame(HEAD, 0, `\0\0\0\0${head}`);
      return ended;
    };
    expect(refusalOf("HTTP/9 200 OK\r\n\r\n")).toEqual(["the status line is not HTTP/1.x"]);
    for (const head of ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"])
      expect([head, refusalOf(head)]).toEqual([
        head,
        ["a response head must end with an empty line, and hold nothing behind it"],
      ]);
  });
});

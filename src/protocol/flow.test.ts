// Flow control: bytes arrive whole and in order, never more than was granted, and windows grow within the session's budget.

import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { FakeSession } from "../../test/helpers/fake-session.ts";
import { runs } from "../../test/helpers/http1-inputs.ts";
import { Incoming, Outgoing } from "./flow.ts";
import { initialWindowBytes, maxWindowBytes, ProtocolError, sessionWindowBytes } from "./frames.ts";

const text = (length: number): Buffer => Buffer.alloc(length, "abcdefghijklmnopqrstuvwxyz");

describe("sending", () => {
  test("what the credit allows leaves, the rest waits, the end comes behind it", () => {
    const session = new FakeSession();
    const outgoing = new Outgoing(session, 1, 10);
    expect(outgoing.send(text(26), 0, 8)).toBe(true);
    expect(outgoing.send(text(26), 8, 26)).toBe(false);
    outgoing.end(null);
    expect([outgoing.waits, outgoing.ended, outgoing.credit]).toEqual([true, false, 0]);
    expect(session.take()).toMatchObject({ data: "abcdefghij", ends: 0 });
    outgoing.grant(5);
    expect(outgoing.flush()).toBe(false);
    expect(session.take()).toMatchObject({ data: "klmno", ends: 0 });
    outgoing.grant(100);
    expect(outgoing.flush()).toBe(true);
    expect(session.take()).toMatchObject({ data: "pqrstuvwxyz", ends: 1 });
    expect([outgoing.waits, outgoing.ended, outgoing.credit]).toEqual([false, true, 89]);
  });

  test("an end needs no credit, and carries trailers", () => {
    const session = new FakeSession();
    const outgoing = new Outgoing(session, 1, 0);
    outgoing.end(Buffer.from("a: b\r\n"));
    expect(outgoing.ended).toBe(true);
    expect(session.take()).toMatchObject({ data: "", ends: 1 });
  });

  test("a congested session keeps its streams' bytes whatever their credit", () => {
    const session = new FakeSession();
    const outgoing = new Outgoing(session, 1, 1_000);
    session.congested = true;
    expect(outgoing.send(text(10), 0, 10)).toBe(false);
    expect(outgoing.flush()).toBe(false);
    expect(session.take().data).toBe("");
    session.congested = false;
    expect(outgoing.flush()).toBe(true);
    expect(session.take().data).toBe("abcdefghij");
  });

  test("who asks first how much can leave keeps nothing: it waits for credit, or for the socket, until flush says so", () => {
    const session = new FakeSession();
    const outgoing = new Outgoing(session, 1, 10);
    expect([outgoing.room(), outgoing.waits]).toEqual([10, false]);
    outgoing.send(text(10), 0, 10);
    expect([outgoing.room(), outgoing.waits, outgoing.flush()]).toEqual([0, true, false]);
    outgoing.grant(5);
    expect([outgoing.flush(), outgoing.waits, outgoing.room()]).toEqual([true, false, 5]);
    session.congested = true;
    expect([outgoing.room(), outgoing.flush(), outgoing.waits]).toEqual([0, false, true]);
    session.congested = false;
    expect([outgoing.flush(), outgoing.waits]).toEqual([true, false]);
    session.congested = true;
    outgoing.room();
    outgoing.end(null);
    expect([outgoing.waits, session.take().ends]).toEqual([false, 1]);
    // Who asks is not entered in the session's table by that.
    expect(session.streams.size).toBe(0);
  });

  test("security: what comes byte by byte is kept as if it had come at once, and leaves so", () => {
    const session = new FakeSession();
    const outgoing = new Outgoing(session, 1, 0);
    const bytes = text(200_000);
    for (let i = 0; i < bytes.length; i++) outgoing.send(bytes, i, i + 1);
    expect(outgoing["queue"]!.length).toBeLessThan(24);
    expect(outgoing["queue"]!.reduce((sum, part) => sum + part.length, 0)).toBeLessThan(3 * bytes.length);
    let heard = "";
    // In pieces that end anywhere, and more comes meanwhile.
    for (const credit of [1, 2, 60_000, 9, 130_000, 1e6]) {
      outgoing.grant(credit);
      outgoing.flush();
      heard += session.take().data;
      outgoing.send(bytes, 0, 26);
    }
    outgoing.flush();
    heard += session.take().data;
    expect(heard === bytes.toString() + text(26).toString().repeat(6)).toBe(true);
  });

  test("the caller's bytes may be reused after the call", () => {
    const session = new FakeSession();
    const outgoing = new Outgoing(session, 1, 0);
    const bytes = Buffer.from("keep me");
    outgoing.send(bytes, 0, 7);
    bytes.fill(0);
    outgoing.grant(7);
    outgoing.flush();
    expect(session.take().data).toBe("keep me");
  });
});

describe("receiving", () => {
  test("nothing is granted for bytes that the next hop hasn't taken", () => {
    const session = new FakeSession();
    const incoming = new Incoming(session, 1, 1_000);
    incoming.received(900, 900);
    incoming.moved(800);
    expect(session.take().granted).toBe(0);
    incoming.moved(500);
    expect(session.take().granted).toBe(400);
  });

  test("the window grows while the reader keeps up, up to its maximum", () => {
    const session = new FakeSession();
    let window = session.budget.take(initialWindowBytes, 0);
    const incoming = new Incoming(session, 1, window);
    for (let i = 0; i < 20; i++) {
      incoming.received(window, 0);
      window = session.take().granted;
    }
    expect(window).toBe(maxWindowBytes);
  });

  test("the session's budget bounds the growth, and what a stream held comes back", () => {
    const { budget } = new FakeSession();
    expect(budget.take(sessionWindowBytes, 0)).toBe(sessionWindowBytes);
    expect(budget.take(1, 0)).toBe(0);
    expect(budget.take(initialWindowBytes, 16)).toBe(16);
    budget.give(sessionWindowBytes);
    expect(budget.take(initialWindowBytes, 16)).toBe(initialWindowBytes);

    const session = new FakeSession();
    session.budget.take(sessionWindowBytes - 1_500, 0);
    const incoming = new Incoming(session, 1, session.budget.take(1_000, 0));
    incoming.received(1_000, 0);
    expect(session.take().granted).toBe(1_000);
    incoming.close();
    expect(session.budget.take(1_500, 0)).toBe(1_500);
  });

  test("a stream that is over grants nothing, whatever its visitor still takes", () => {
    const session = new FakeSession();
    const incoming = new Incoming(session, 1, 1_000);
    incoming.received(800, 800);
    incoming.close();
    incoming.moved(0);
    expect(session.take().granted).toBe(0);
  });
});

test("any mix of sizes, backlogs and congestion: in order, complete, never more than granted", () => {
  const step = fc.record({
    bytes: fc.integer({ min: 0, max: 5_000 }),
    takes: fc.integer({ min: 0, max: 6_000 }),
    congested: fc.boolean(),
  });
  fc.assert(
    // Large ones are sent from where they are kept.
    fc.property(
      fc.constantFrom(1, 1, 1, 1, 8),
      fc.integer({ min: 1, max: 4_000 }),
      fc.array(step, { maxLength: 60 }),
      (scale, least, small) => {
        const window = scale * least;
        const steps = small.map(({ bytes, takes, congested }) => ({
          bytes: scale * bytes,
          takes: scale * takes,
          congested,
        }));
        const sender = new FakeSession();
        const receiver = new FakeSession();
        const outgoing = new Outgoing(sender, 1, window);
        const incoming = new Incoming(receiver, 1, window);
        const total = steps.reduce((sum, { bytes }) => sum + bytes, 0);
        const source = text(total);
        let written = 0;
        let granted = window;
        let arrived = "";
        let backlog = 0;
        const pass = (): number => {
          const { data } = sender.take();
          arrived += data;
          expect(arrived.length).toBeLessThanOrEqual(granted);
          backlog += data.length;
          // Throws when it is more than was granted.
          incoming.received(data.length, backlog);
          return data.length;
        };
        const answer = (): void => {
          const more = receiver.take().granted;
          granted += more;
          if (more > 0) outgoing.grant(more);
          outgoing.flush();
        };
        for (const { bytes, takes, congested } of steps) {
          sender.congested = congested;
          outgoing.send(source, written, written + bytes);
          written += bytes;
          pass();
          backlog -= Math.min(backlog, takes);
          incoming.moved(backlog);
          answer();
        }
        outgoing.end(null);
        sender.congested = false;
        answer();
        for (let turn = 0; turn < 50_000 && (!outgoing.ended || arrived.length < total); turn++) {
          pass();
          backlog = 0;
          incoming.moved(0);
          answer();
        }
        expect(arrived).toBe(source.toString("latin1"));
        expect(outgoing.ended).toBe(true);
      },
    ),
    { numRuns: runs(300) },
  );
});

describe("security", () => {
  test("a peer that sends more than it was granted breaks the protocol", () => {
    const incoming = new Incoming(new FakeSession(), 1, 100);
    incoming.received(100, 100);
    expect(() => incoming.received(1, 101)).toThrow(ProtocolError);
  });

  test("a peer that grants without end breaks the protocol", () => {
    const outgoing = new Outgoing(new FakeSession(), 1, 0);
    outgoing.grant(4 * maxWindowBytes);
    expect(() => outgoing.grant(1)).toThrow(ProtocolError);
  });
});

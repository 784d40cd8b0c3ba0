// A relayed exchange without sockets: what goes over, what a full pool says, and who waits for whom.

import { describe, expect, test } from "bun:test";
import { fakeVisitor, requestText } from "../../test/helpers/fake-visitor.ts";
import type { ClientHandler } from "../http1/client-connection.ts";
import { Head } from "../http1/head.ts";
import { BodyRoom, freeBodyBytes } from "./body-room.ts";
import type { ControlPool } from "./control-pool.ts";
import { flushCork } from "./cork.ts";
import { relay } from "./relay.ts";

const visitorOf = { address: "192.0.2.1", network: "192.0.2.1", scheme: "http" } as const;
const much = "x".repeat(300 * 1024);

/** A visitor whose `request` is relayed, and the control plane, as the test plays it. */
function relaying(request: string, { isFull = false, bodies = new BodyRoom(Infinity) } = {}) {
  const client = {
    ...{ written: "", backlogBytes: 0, isDone: false, did: [] as string[] },
    write(bytes: Uint8Array, start: number, end: number) {
      client.written += Buffer.from(bytes.slice(start, end)).toString("latin1");
    },
    requestEnd: () => void (client.isDone = true),
    destroy: () => void client.did.push("destroy"),
    pauseReading: () => void client.did.push("pause"),
    resumeReading: () => void client.did.push("resume"),
  };
  let handler: ClientHandler | null = null;
  const begin = (its: ClientHandler) => ((handler = its), client);
  const pool = { isFull, begin, bodies } as unknown as ControlPool;
  const limits = { maxBodyBytes: Infinity, headTimeoutMs: 1e6, idleTimeoutMs: 1e6 };
  const visitor = fakeVisitor((connection, head) => relay(connection, head, pool, visitorOf), {
    ...{ ...limits, scheme: "http", bodyProgressTimeoutMs: 1e6, writeProgressTimeoutMs: 1e6 },
  });
  visitor.send(request);
  const answer = (text: string, status = "200 OK"): void => {
    const head = new Head();
    const bytes = Buffer.from(`HTTP/1.1 ${status}\r\n${text}\r\n\r\n`);
    head.parseResponse(bytes, 0, bytes.length);
    handler!.head(head);
  };
  return { visitor, client, answer, handler: () => handler! };
}

type Relaying = ReturnType<typeof relaying>;

test("Expect is answered here and goes no further", () => {
  const { visitor, client } = relaying(requestText("POST /", "Content-Length: 2", "Expect: 100-continue"));
  expect(visitor.take()).toBe("HTTP/1.1 100 Continue\r\n\r\n");
  visitor.send("ok");
  expect(client.written).not.toContain("Expect");
  expect([client.written.slice(-6), client.isDone]).toEqual(["\r\n\r\nok", true]);
});

test("a body that isn't taken stays with the visitor", () => {
  const { visitor, client, handler } = relaying(requestText("POST /", "Content-Length: 2"));
  client.backlogBytes = much.length;
  visitor.send("o");
  expect(visitor.did).toEqual(["pause"]);
  handler().drained();
  expect(visitor.did).toEqual(["pause"]);
  client.backlogBytes = 0;
  handler().drained();
  expect(visitor.did).toEqual(["pause", "resume"]);
});

test("an answer that the visitor doesn't take stays where it comes from", () => {
  const { visitor, client, answer, handler } = relaying(requestText("GET /"));
  visitor.room = 0;
  answer(`Content-Length: ${2 * much.length}`);
  handler().bodyData(Buffer.from(much), 0, much.length);
  expect(client.did).toEqual(["pause"]);
  visitor.room = Infinity;
  visitor.connection.drain();
  expect(client.did).toEqual(["pause", "resume"]);
});

describe("security", () => {
  test("interim answers that the visitor doesn't take stay where they come from", () => {
    const { visitor, client, answer } = relaying(requestText("GET /"));
    visitor.room = 0;
    for (let i = 0; i < 20 && client.did.length === 0; i++) {
      answer(`X: ${"x".repeat(20_000)}`, "103 Early Hints");
      flushCork();
    }
    expect(client.did).toEqual(["pause"]);
    visitor.room = Infinity;
    visitor.connection.drain();
    expect(client.did).toEqual(["pause", "resume"]);
  });

  test("nothing begins beyond the pool", () => {
    const { visitor, client } = relaying(requestText("GET /"), { isFull: true });
    expect([visitor.take().slice(0, 13), client.written]).toEqual(["HTTP/1.1 503 ", ""]);
  });

  test("an answer that fails is a 503, and one that has begun a broken connection", () => {
    const early = relaying(requestText("GET /"));
    early.handler().failed("broken", "");
    expect(early.visitor.take()).toStartWith("HTTP/1.1 503 ");
    const late = relaying(requestText("GET /"));
    late.answer("Content-Length: 2");
    late.handler().failed("broken", "");
    expect(late.visitor.did).toEqual(["terminate"]);
  });

  describe("bodies that are held back", () => {
    const part = "x".repeat(freeBodyBytes);
    const upload = requestText("POST /", "Content-Length: 1000000");

    test("the one that began longest ago ends when others need its room; the answer says to try again", () => {
      const bodies = new BodyRoom(2 * part.length);
      const [first, second, third] = [1, 2, 3].map(() => relaying(upload, { bodies })) as [
        Relaying,
        Relaying,
        Relaying,
      ];
      for (const { visitor } of [first, second, third]) visitor.send(part + part);
      expect([first, second, third].map(({ visitor }) => visitor.take().slice(0, 13))).toEqual([
        "HTTP/1.1 503 ",
        "",
        "",
      ]);
      expect([first, second, third].map(({ client }) => client.did)).toEqual([["destroy"], [], []]);
      second.visitor.send(part);
      expect([second, third].map(({ visitor }) => visitor.take().slice(0, 13))).toEqual(["HTTP/1.1 503 ", ""]);
    });

    test("small ones take no room", () => {
      const bodies = new BodyRoom(1);
      const small = Array.from({ length: 50 }, () => relaying(upload, { bodies }));
      for (const { visitor } of small) visitor.send(part);
      expect(small.filter(({ client }) => client.did.length > 0)).toEqual([]);
    });

    test("who is answered, fails or leaves gives its room back", () => {
      const bodies = new BodyRoom(part.length);
      const begin = () => {
        const one = relaying(upload, { bodies });
        one.visitor.send(part + part);
        return one;
      };
      begin().handler().failed("broken", "");
      begin().visitor.connection.closed();
      const answered = begin();
      answered.answer("Content-Length: 0");
      answered.handler().finished();
      expect(begin().client.did).toEqual([]);
    });

    test("one whose answer has begun is broken off", () => {
      const bodies = new BodyRoom(part.length);
      const early = relaying(upload, { bodies });
      early.visitor.send(part + part);
      early.answer("Content-Length: 2");
      relaying(upload, { bodies }).visitor.send(part + part);
      expect(early.visitor.did).toEqual(["terminate"]);
    });
  });

  test("a visitor that leaves takes its request along", () => {
    const { visitor, client } = relaying(requestText("GET /"));
    visitor.connection.closed();
    expect(client.did).toEqual(["destroy"]);
  });
});

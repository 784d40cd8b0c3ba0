// Answers of a local service on their way to a visitor: framing kept or replaced, hop-by-hop fields dropped, bodies counted.

import { describe, expect, test } from "bun:test";
import { fakeVisitor, HeardExchange, requestText } from "../../test/helpers/fake-visitor.ts";
import { Head } from "../http1/head.ts";
import { dropReserved, ResponseWriter } from "./response.ts";

/** It stands among other bytes, as in a frame. */
function headOf(text: string): Head {
  const head = new Head();
  const bytes = Buffer.from(`before it${text}\r\n\r\n`, "latin1");
  expect(head.parseResponse(bytes, 9, bytes.length)).toBe(bytes.length);
  return head;
}

/** A visitor that has sent `request`, and a writer for its answer. */
function answering(request = requestText("GET /")) {
  const visitor = fakeVisitor((connection) => connection.begin(new HeardExchange()));
  visitor.send(request);
  const writer = new ResponseWriter(visitor.connection);
  const data = (text: string): boolean => writer.data(Buffer.from(`##${text}#`), 2, 2 + text.length);
  return { writer, data, take: () => visitor.take(), connection: visitor.connection };
}
const http10 = "GET / HTTP/1.0\r\nHost: app.tunnel.test\r\n";

const ours = `X-Ours: ${"1".repeat(200)}\r\n`;
const upgrade = "Connection: Upgrade\r\nUpgrade: websocket";

describe("framing", () => {
  test("a declared length stays, and exactly that much passes", () => {
    const { writer, data, take } = answering();
    writer.begin(headOf("HTTP/1.1 200 Fine\r\ncontent-length: 5"), true, Buffer.from("X-Ours: 1\r\n"), 11);
    expect([data("abc"), data("def"), writer.end(null), data("de"), writer.end(null)]).toEqual([
      ...[true, false, false, true, true],
    ]);
    expect(take()).toBe("HTTP/1.1 200 Fine\r\ncontent-length: 5\r\nX-Ours: 1\r\n\r\nabcde");
    expect(writer.keepAlive).toBe(true);
  });

  test("without a length the body is chunked, trailers pass cleaned", () => {
    const { writer, data, take } = answering();
    writer.begin(headOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"), true, Buffer.alloc(0), 0);
    expect([data("abc"), data("x".repeat(17))]).toEqual([true, true]);
    expect(writer.end(Buffer.from("X-Sum: 1\r\n"))).toBe(true);
    expect(take()).toBe(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n11\r\n${"x".repeat(17)}\r\n0\r\nX-Sum: 1\r\n\r\n`,
    );
  });

  test("of an answer says nothing of the next one on its connection", () => {
    const { writer, take, connection } = answering();
    writer.begin(headOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"), true, Buffer.alloc(0), 0);
    expect([writer.end(null), connection.status]).toEqual([true, 200]);
    take();
    writer.begin(headOf("HTTP/1.1 204 No Content"), true, Buffer.alloc(0), 0);
    expect([writer.end(null), connection.status, take()]).toEqual([true, 204, "HTTP/1.1 204 No Content\r\n\r\n"]);
  });

  test("tells an answer that ends behind its head from one that was cut there", () => {
    const { writer } = answering();
    const complete = (line: string): boolean => writer.isComplete(headOf(`HTTP/1.1 200 OK\r\n${line}`));
    expect(["Content-Length: 0", "Transfer-Encoding: chunked", "X: y"].map(complete)).toEqual([true, true, true]);
    expect(complete("Content-Length: 1")).toBe(false);
  });

  test("HTTP/1.0 gets neither chunks nor interim answers: the end is the close", () => {
    const { writer, data, take } = answering(`${http10}\r\n`);
    writer.interim(headOf("HTTP/1.1 103 Early Hints\r\nLink: </a>"));
    writer.begin(headOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"), true, Buffer.alloc(0), 0);
    expect([data("abc"), writer.end(null), writer.keepAlive]).toEqual([true, true, false]);
    expect(take()).toBe("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nabc");
  });

  test("HTTP/1.0 with keep-alive and a length goes on", () => {
    const { writer, take } = answering(`${http10}Connection: keep-alive\r\n\r\n`);
    writer.begin(headOf("HTTP/1.0 200 OK\r\nContent-Length: 0"), true, Buffer.alloc(0), 0);
    expect(take()).toBe("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n\r\n");
  });

  test.each([
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 9", "Content-Length: 9\r\n"],
    ["HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 0", "Content-Length: 0\r\n"],
    ["HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked", ""],
    ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 9", "Content-Length: 9\r\n"],
    ["GET", "HTTP/1.1 204 No Content\r\nContent-Length: 0", ""],
    ["GET", "HTTP/1.1 204 No Content\r\nContent-Length: 9", ""],
  ])("%s with %j has no body", (method, text, left) => {
    const { writer, data, take } = answering(requestText(`${method} /`));
    const head = headOf(text);
    expect(writer.isComplete(head)).toBe(true);
    writer.begin(head, true, Buffer.alloc(0), 0);
    expect([data("x"), writer.end(null)]).toEqual([false, true]);
    expect(take()).toBe(`${text.split("\r\n", 1)[0]}\r\n${left}\r\n`);
  });

  test.each([
    [`${http10}Connection: keep-alive\r\n\r\n`, "Transfer-Encoding: chunked", true],
    [requestText("GET /", "Connection: close"), "Content-Length: 0", true],
    [requestText("GET /"), "Content-Length: 0", false],
  ])("%j answered with %j closes, and says so", (request, framing, mayKeepAlive) => {
    const { writer, take } = answering(request);
    writer.begin(headOf(`HTTP/1.1 200 OK\r\n${framing}`), mayKeepAlive, Buffer.alloc(0), 0);
    expect(writer.keepAlive).toBe(false);
    expect(take()).toEndWith("\r\nConnection: close\r\n\r\n");
  });

  test("an answer that begins before its request has ended says that the connection closes", () => {
    const { writer, take } = answering(requestText("POST /", "Content-Length: 10"));
    writer.begin(headOf("HTTP/1.1 413 No\r\nContent-Length: 0"), true, Buffer.alloc(0), 0);
    expect(writer.keepAlive).toBe(false);
    expect(take()).toContain("\r\nConnection: close\r\n");
  });
});

describe("heads", () => {
  test("one that doesn't fit behind what is joined already is whole", () => {
    const { writer, take } = answering();
    const line = `X: ${"x".repeat(10_000)}`;
    const head = headOf(`HTTP/1.1 103 Early Hints\r\n${line}`);
    for (let i = 0; i < 13; i++) writer.interim(head);
    writer.begin(headOf(`HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${line}`), true, Buffer.alloc(0), 0);
    expect(take()).toBe(
      `HTTP/1.1 103 Early Hints\r\n${line}\r\n\r\n`.repeat(13) +
        `HTTP/1.1 200 OK\r\nContent-Length: 0\r\n${line}\r\n\r\n`,
    );
  });

  test.each<[string, string, (writer: ResponseWriter) => unknown, string]>([
    [
      "a head with all that is added to it",
      `${http10}\r\n`,
      (writer) => writer.begin(headOf("HTTP/1.1 200\r\nX: y"), true, Buffer.from(ours), ours.length),
      `HTTP/1.1 200 \r\nX: y\r\nConnection: close\r\n${ours}\r\n`,
    ],
    [
      "a 101",
      requestText("GET /"),
      (writer) => writer.interim(headOf(`HTTP/1.1 101\r\n${upgrade}`), true),
      `HTTP/1.1 101 \r\n${upgrade}\r\n\r\n`,
    ],
    ["a chunk", requestText("GET /"), (writer) => writer.data(Buffer.alloc(5), 0, 5), "5\r\n\0\0\0\0\0\r\n"],
  ])("%s fits into what is left of the cork, or is sent behind it", (_, request, writes, written) => {
    const { writer, take, connection } = answering(request);
    writer.begin(headOf("HTTP/1.1 200 OK"), true, Buffer.alloc(0), 0);
    take();
    const many = Buffer.alloc(32_000, "x");
    for (let free = 0; free < 350; free++) {
      for (const bytes of [32_000, 32_000, 32_000, 32_000, 3_072 - free]) connection.write(many, 0, bytes);
      writes(writer);
      expect(take().slice(131_072 - free)).toBe(written);
    }
  });

  test("interim answers pass, a 101 with the upgrade that was agreed", () => {
    const { writer, take, connection } = answering();
    writer.interim(headOf("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nConnection: x-private\r\nX-Private: 1"));
    expect(connection.status).toBe(0);
    writer.interim(
      headOf("HTTP/1.1 101 Go\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: a"),
      true,
    );
    expect(connection.status).toBe(101);
    expect(take()).toBe(
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" +
        "HTTP/1.1 101 Go\r\nSec-WebSocket-Accept: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
    );
  });

  test.each([
    ["HTTP/1.1 200", "HTTP/1.1 200 \r\n"],
    ["HTTP/1.1 200 ", "HTTP/1.1 200 \r\n"],
    ["HTTP/1.0 299 Very \xe4 fine", "HTTP/1.1 299 Very \xe4 fine\r\n"],
  ])("the status line %j leaves as 1.1 with its reason", (line, sent) => {
    const { writer, take } = answering();
    writer.begin(headOf(`${line}\r\nContent-Length: 0`), true, Buffer.alloc(0), 0);
    expect(take()).toStartWith(sent);
  });
});

test("Trailer stays where trailers can follow", () => {
  for (const [framing, stays] of [
    ["Transfer-Encoding: chunked", true],
    ["Content-Length: 0", false],
  ] as const) {
    const head = headOf(`HTTP/1.1 200 OK\r\nTrailer: X-Sum\r\n${framing}`);
    dropReserved(head);
    const { writer, take } = answering();
    writer.begin(head, true, Buffer.alloc(0), 0);
    expect(take().includes("Trailer: X-Sum")).toBe(stays);
  }
});

describe("security", () => {
  test("behind the beginning of an answer no refusal stands", () => {
    const visitor = fakeVisitor((connection) => connection.begin(new HeardExchange()));
    visitor.send(requestText("POST /", "Transfer-Encoding: chunked"));
    const head = headOf("HTTP/1.1 200 OK\r\nContent-Length: 9");
    visitor.connection.response.begin(head, true, Buffer.alloc(0), 0);
    visitor.send("zz\r\n");
    expect(visitor.take().match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
    expect(visitor.did).toEqual(["terminate"]);
  });

  test("a service can't set cookies of ours, by any spelling", () => {
    const cookies = ["dl_session=1", " dl_x=1", "__Host-dl_session=1", "__secure-DL_a=1", "=dl_x=1", "= dl_x=1"];
    const head = headOf(
      ["HTTP/1.1 200 OK", "X: dl_own=1", ...cookies.map((one) => `Set-Cookie: ${one}`), "Set-Cookie: own=1"].join(
        "\r\n",
      ),
    );
    dropReserved(head);
    const { writer, take } = answering();
    writer.begin(head, true, Buffer.alloc(0), 0);
    expect(take().match(/(?:X|Set-Cookie): [^\r]*/g)).toEqual(["X: dl_own=1", "Set-Cookie: own=1"]);
  });

  test("trailers can't smuggle framing or lines", () => {
    const { writer, take } = answering();
    writer.begin(headOf("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked"), true, Buffer.alloc(0), 0);
    expect(writer.end(Buffer.from("no field\r\n"))).toBe(false);
    expect(writer.end(Buffer.from("Content-Length: 5\r\n"))).toBe(false);
    expect(writer.end(Buffer.from("Set-Cookie: dl_a=1\r\n"))).toBe(true);
    expect(take()).toEndWith("\r\n\r\n0\r\n\r\n");
  });
});

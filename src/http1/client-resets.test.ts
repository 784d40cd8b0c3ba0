// Breaks that Bun tells like ends, and that must not be taken for one: a reset that a write of ours hears of first, and a throw of ours.

import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { eventually } from "../../test/helpers/eventually.ts";
import type { ClientConnection, ClientHandler } from "./client-connection.ts";
import { ClientPool } from "./client-pool.ts";
import { readSpace } from "../lib/large-reads.ts";

/** A service that answers the first bytes with `answer` and does what it is told; what the client hears is noted. */
async function exchange(answer: string, isRaw: boolean) {
  const accepted = Promise.withResolvers<Socket>();
  const service = Bun.listen({
    ...{ hostname: "127.0.0.1", port: 0, allowHalfOpen: true },
    socket: {
      data(socket) {
        socket.write(answer);
        accepted.resolve(socket);
      },
      // Without it Bun closes what the other side has half-closed.
      end() {},
      error() {},
    },
  });
  const heard: string[] = [];
  let bytes = 0;
  const handler: ClientHandler = {
    head() {},
    bodyData: (_, start, end) => void (bytes += end - start),
    bodyEnd: () => void heard.push("end"),
    finished: () => void heard.push("finished"),
    failed: (failure) => void heard.push(failure),
    drained() {},
  };
  const connection: ClientConnection = new ClientPool({ hostname: "127.0.0.1", port: service.port }).begin(
    handler,
    false,
  );
  if (isRaw) connection.startRaw();
  const request = Buffer.from("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n");
  connection.write(request, 0, request.length);
  const peer = await accepted.promise;
  await eventually(() => bytes > 0, "the answer begins");
  return { connection, peer, heard, handler, [Symbol.dispose]: () => service.stop(true) };
}

describe("security", () => {
  test.each([
    ["bytes of a raw connection", "part", true],
    ["an answer that ends with its connection", "HTTP/1.1 200 OK\r\n\r\npart", false],
  ])("%s that breaks off while we write have no clean end", async (_, answer, isRaw) => {
    using one = await exchange(answer, isRaw);
    one.peer.terminate();
    // Before the event loop looks at the socket.
    one.connection.write(Buffer.alloc(1_000), 0, 1_000);
    await eventually(() => one.heard.length > 0, "the break");
    expect(one.heard).toEqual(["broken"]);
  });

  test("a raw connection that is written to behind our own end has no clean end", async () => {
    using one = await exchange("part", true);
    one.connection.shutdown();
    one.connection.write(Buffer.alloc(1_000), 0, 1_000);
    one.peer.shutdown();
    await eventually(() => one.heard.length > 0, "the break");
    expect(one.heard).toEqual(["broken"]);
  });

  test("what ends after all was said still ends well", async () => {
    using one = await exchange("HTTP/1.1 200 OK\r\n\r\nall", false);
    one.peer.shutdown();
    await eventually(() => one.heard.length > 1, "the end");
    expect(one.heard).toEqual(["end", "finished"]);
  });

  test.each([
    ["read by Bun", false],
    ["read by hand", true],
  ])("a throw of ours over bytes that were %s is no end, though we have ended our direction", async (_, byHand) => {
    using one = await exchange("part", true);
    one.connection.shutdown();
    one.handler.bodyData = (bytes) => {
      if (byHand === (readSpace(bytes) !== null)) throw new Error("as asked");
    };
    one.peer.write(Buffer.alloc(4 * 1024 * 1024));
    await eventually(() => one.heard.length > 0, "the break");
    expect(one.heard).toEqual(["broken"]);
  });
});

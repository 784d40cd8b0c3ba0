// Which connections serve another request: only those that have said all and no more, and are still there.

import { describe, expect, test } from "bun:test";
import type { Socket } from "bun";
import { eventually } from "../../test/helpers/eventually.ts";
import type { ClientConnection } from "./client-connection.ts";
import { ClientPool } from "./client-pool.ts";

const ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/** A service that does `hears` when bytes come, and a pool of connections to it. */
function serve(hears: (socket: Socket) => void) {
  const accepted: Socket[] = [];
  let closed = 0;
  const service = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => void accepted.push(socket), data: hears, close: () => void closed++, error() {} },
  });
  const pool = new ClientPool({ hostname: "127.0.0.1", port: service.port });
  const ask = (request = get, isHead = false): { connection: ClientConnection; end: Promise<string> } => {
    const { promise, resolve } = Promise.withResolvers<string>();
    let body = "";
    const connection = pool.begin(
      {
        ...{ head() {}, bodyEnd() {}, drained() {} },
        bodyData: (bytes, start, end) => void (body += Buffer.from(bytes.slice(start, end)).toString()),
        finished: () => resolve(body),
        failed: (failure) => resolve(failure),
      },
      isHead,
    );
    connection.write(Buffer.from(request), 0, request.length);
    connection.requestEnd();
    return { connection, end: promise };
  };
  const stop = (): void => {
    pool.close();
    service.stop(true);
  };
  return { accepted, closed: () => closed, ask, [Symbol.dispose]: stop };
}

test("an answered connection is used again, and forgets that it was answered", async () => {
  let requests = 0;
  using service = serve((socket) => void (++requests === 1 ? socket.write(ok) : socket.end()));
  const first = service.ask();
  expect(await first.end).toBe("ok");
  const second = service.ask();
  expect([second.connection === first.connection, second.connection.reused]).toEqual([true, true]);
  expect(await second.end).toBe("broken");
  expect(second.connection.answered).toBe(false);
});

test("one that has not taken all of its request is not used again, whatever it answered", async () => {
  using service = serve((socket) => {
    socket.pause();
    socket.write(ok);
  });
  const upload = service.ask(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n${"x".repeat(20_000_000)}`);
  expect(await upload.end).toBe("ok");
  expect(service.ask().connection).not.toBe(upload.connection);
});

describe("security", () => {
  test.each([
    ["says that it is the last", ok.replace("\r\n", "\r\nConnection: close\r\n")],
    ["is of HTTP/1.0", ok.replace("1.1", "1.0")],
    ["has more behind it", `${ok}HTTP/1.1 200 OK\r\n`],
  ])("an answer that %s leaves its connection to nobody else", async (_, answer) => {
    using service = serve((socket) => void socket.write(answer));
    const first = service.ask();
    expect(await first.end).toBe("ok");
    const second = service.ask();
    expect(second.connection).not.toBe(first.connection);
    expect(await second.end).toBe("ok");
  });

  describe.each([
    ["a 204", "HTTP/1.1 204 No Content", false],
    ["a 304", "HTTP/1.1 304 Not Modified", false],
    ["an answer to HEAD", "HTTP/1.1 200 OK", true],
  ])("%s", (_, line, isHead) => {
    test.each([
      ["a length", "Content-Length: 38"],
      ["chunks", "Transfer-Encoding: chunked"],
    ])("that announces %s leaves its connection to nobody else: what it announced may still come", async (_, field) => {
      using service = serve((socket) => void socket.write(`${line}\r\n${field}\r\n\r\n`));
      const first = service.ask(get, isHead);
      expect(await first.end).toBe("");
      expect(service.ask().connection).not.toBe(first.connection);
    });

    test("that announces nothing does", async () => {
      using service = serve((socket) => void socket.write(`${line}\r\n\r\n`));
      const first = service.ask(get, isHead);
      expect(await first.end).toBe("");
      expect(service.ask().connection).toBe(first.connection);
    });
  });

  test("what a service says unasked is nobody's answer", async () => {
    using service = serve((socket) => void socket.write(ok));
    const first = service.ask();
    expect(await first.end).toBe("ok");
    service.accepted[0]!.write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
    // Half as long as what is idle stays.
    await eventually(() => service.closed() === 1, "the connection is given up", 2_000);
    expect(await service.ask().end).toBe("ok");
  });
});

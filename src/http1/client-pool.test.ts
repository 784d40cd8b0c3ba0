// What a pool keeps, and for how long: connections that hundreds at once have used serve the next hundreds.

import { expect, jest, spyOn, test } from "bun:test";
import type { ClientConnection } from "./client-connection.ts";
import { ClientPool } from "./client-pool.ts";

test("400 requests at once, again and again, dial 400 connections", async () => {
  let dialed = 0;
  using service = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open: () => void dialed++,
      data: (socket) => void socket.write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    },
  });
  const pool = new ClientPool({ hostname: "127.0.0.1", port: service.port });
  const request = Buffer.from("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  const ask = async (): Promise<string> => {
    const { promise, resolve } = Promise.withResolvers<string>();
    const connection = pool.begin(
      {
        ...{ head() {}, bodyData() {}, bodyEnd() {}, drained() {} },
        finished: () => resolve("finished"),
        failed: (failure) => resolve(failure),
      },
      false,
    );
    connection.write(request, 0, request.length);
    connection.requestEnd();
    return promise;
  };
  for (let wave = 0; wave < 4; wave++) {
    const ends = await Promise.all(Array.from({ length: 400 }, ask));
    expect(new Set(ends)).toEqual(new Set(["finished"]));
    expect(dialed).toBe(400);
  }
  pool.close();
});

test("no more stay than agreed, and nobody longer than four seconds", () => {
  jest.useFakeTimers();
  const now = spyOn(performance, "now");
  try {
    const pool = new ClientPool({ unix: "/nowhere" }, 2);
    const closed: number[] = [];
    const release = (id: number): void => {
      const connection = {
        idleSince: 0,
        destroy() {
          closed.push(id);
          pool.forget(this as unknown as ClientConnection);
        },
      };
      pool.release(connection as unknown as ClientConnection);
    };
    now.mockReturnValue(0);
    release(1);
    now.mockReturnValue(3_000);
    jest.advanceTimersByTime(1_000);
    release(2);
    release(3);
    expect(closed).toEqual([3]);
    now.mockReturnValue(4_500);
    jest.advanceTimersByTime(1_000);
    expect(closed).toEqual([3, 1]);
    now.mockReturnValue(7_500);
    jest.advanceTimersByTime(1_000);
    expect([closed, jest.getTimerCount()]).toEqual([[3, 1, 2], 0]);
  } finally {
    now.mockRestore();
    jest.useRealTimers();
  }
});

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

test("1,024 stay where nothing else is agreed", () => {
  const pool = new ClientPool({ unix: "/nowhere" });
  let closed = 0;
  const idle = { idleSince: 0, destroy: () => closed++ } as unknown as ClientConnection;
  for (let i = 0; i < 1_030; i++) pool.release(idle);
  pool.close();
  expect(closed).toBe(6);
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

/** A service that answers nothing, its pool, and `begin` of a request that notes how it ends. */
function unanswered(maxOpen?: number) {
  const service = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const pool = new ClientPool({ hostname: "127.0.0.1", port: service.port }, 2, maxOpen);
  const ends: string[] = [];
  const begin = (fresh = false): ClientConnection =>
    pool.begin(
      {
        ...{ head() {}, bodyData() {}, bodyEnd() {}, drained() {} },
        finished: () => void ends.push("finished"),
        failed: (failure) => void ends.push(failure),
      },
      false,
      fresh,
    );
  return { pool, ends, begin, [Symbol.dispose]: () => service.stop(true) };
}

test("is full with as many as may be in use, but not while one of them is idle, or once one is gone", () => {
  using at = unanswered(2);
  const [first, second] = [at.begin(), at.begin()];
  expect(at.pool.isFull).toBe(true);
  at.pool.release(first);
  expect(at.pool.isFull).toBe(false);
  expect([at.begin(), at.pool.isFull]).toEqual([first, true]);
  second.destroy();
  expect(at.pool.isFull).toBe(false);
  at.pool.close();
});

test("whoever insists on a fresh connection gets no idle one", () => {
  using at = unanswered();
  const first = at.begin();
  at.pool.release(first);
  const fresh = at.begin(true);
  expect(fresh).not.toBe(first);
  expect(at.begin()).toBe(first);
  at.pool.close();
});

test("a pool that is closed closes all of its connections, without a word to those who use them, and looks at none any more", () => {
  jest.useFakeTimers();
  try {
    using at = unanswered();
    const [idle, used] = [at.begin(), at.begin()];
    at.pool.release(idle);
    expect(jest.getTimerCount()).toBe(1);
    for (let i = 0; i < 2; i++) at.pool.close();
    expect([jest.getTimerCount(), at.pool["open"].size, at.pool["idle"].length]).toEqual([0, 0, 0]);
    used.fail("broken", "");
    expect(at.ends).toEqual([]);
  } finally {
    jest.useRealTimers();
  }
});

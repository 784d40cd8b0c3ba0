// Captured requests: the newest are kept within their memory, and what is shown holds no secret.

import { describe, expect, test } from "bun:test";
import { requestIdOf } from "../src/lib/request-id.ts";
import { CaptureBudget, CaptureRing, type Visit } from "./capture.ts";

const visit = (request: number): Visit => ({
  request,
  tunnelId: "t1",
  entry: { name: "app", appId: null, orgId: "o1" },
  visitor: { address: "192.0.2.1" },
  pass: { email: null, user: null },
  repeatable: true,
  startedAt: 100,
  judgedAt: 101,
});
const request = (path: string, ...lines: string[]): Buffer =>
  Buffer.from([`GET ${path} HTTP/1.1`, "Host: app.test", ...lines, "", ""].join("\r\n"), "latin1");
const begin = (ring: CaptureRing, number: number, head: Buffer) => ring.begin(visit(number), head, head.length);

describe("the ring", () => {
  test("gives the newest first, and forgets the oldest", () => {
    const ring = new CaptureRing(3, new CaptureBudget(1e6));
    for (const id of [1, 2]) begin(ring, id, request(`/${id}`));
    expect(ring.newest(10).map((one) => one.visit.request)).toEqual([2, 1]);
    for (const id of [3, 4, 5]) begin(ring, id, request(`/${id}`));
    expect(ring.newest(10).map((one) => one.visit.request)).toEqual([5, 4, 3]);
    expect(ring.newest(2).map((one) => one.visit.request)).toEqual([5, 4]);
  });

  test("of many large heads every one reads back whole or not at all, and the last always does", () => {
    const ring = new CaptureRing(500, new CaptureBudget(1e6));
    const entries = Array.from({ length: 500 }, (_, i) => {
      const entry = begin(ring, i, request(`/${i}`, `X-Fill: ${"x".repeat((i * 37) % 5_000)}`));
      expect(entry.requestHead()?.toString("latin1")).toStartWith(`GET /${i} `);
      return entry;
    });
    const kept = entries.filter((one) => one.requestHead() !== null);
    for (const one of kept) {
      expect(one.requestHead()!.toString("latin1")).toStartWith(`GET /${one.visit.request} HTTP/1.1\r\n`);
      expect(one.requestHead()!.toString("latin1")).toEndWith("\r\n\r\n");
    }
    expect(kept.length).toBeGreaterThan(50);
    expect(kept.length).toBeLessThan(500);
  });

  test("takes half a mebibyte at most, however much there is", () => {
    const budget = new CaptureBudget(4 * 1024 * 1024);
    const ring = new CaptureRing(500, budget);
    for (let i = 0; i < 200; i++) begin(ring, i, request(`/${i}`, `X-Fill: ${"x".repeat(10_000)}`));
    expect(budget.take(3.5 * 1024 * 1024)).toBe(true);
  });

  test("all rings of a thread share one budget, and give it back", () => {
    const budget = new CaptureBudget(40 * 1024);
    const first = new CaptureRing(10, budget);
    const second = new CaptureRing(10, budget);
    expect(begin(first, 1, request("/a")).requestHead()).not.toBeNull();
    expect(begin(second, 2, request("/b")).requestHead()).toBeNull();
    first.close();
    expect(begin(second, 3, request("/c")).requestHead()).not.toBeNull();
  });

  test("a closed ring takes no memory any more, whoever still holds one of its entries", () => {
    const budget = new CaptureBudget(40 * 1024);
    const ring = new CaptureRing(10, budget);
    const entry = begin(ring, 1, request("/a"));
    ring.close();
    const answer = Buffer.from("HTTP/1.1 200 OK\r\n\r\n");
    entry.head(answer, 0, answer.length, 200, 110, 0);
    begin(ring, 1, request("/late"));
    expect(ring.newest(10)).toEqual([]);
    expect(budget.take(40 * 1024)).toBe(true);
  });
});

test("an entry shows the request line, both heads' fields and where the time went", () => {
  const entry = begin(new CaptureRing(1, new CaptureBudget(1e6)), 1, request("/p/q?x=1", "Accept: */*"));
  entry.openedAt = 103;
  expect(entry.toRequest(true)).toMatchObject({ running: true, status: 0 });
  const answer = Buffer.from("HTTP/1.1 201 Created\r\nServer: it\r\n\r\n");
  entry.head(answer, 0, answer.length, 201, 110, 4_000);
  expect(entry.toRequest(true)).toMatchObject({ running: true, status: 201 });
  Object.assign(entry, { status: 201, endedAt: 120, bytesIn: 1, bytesOut: 2 });
  expect(entry.toRequest(true)).toMatchObject({
    ...{ id: requestIdOf(1), method: "GET", path: "/p/q?x=1", status: 201, bytesIn: 1, bytesOut: 2 },
    requestHeaders: [
      ["Host", "app.test"],
      ["Accept", "*/*"],
    ],
    responseHeaders: [["Server", "it"]],
    ...{ running: false, totalMs: 20, policyMs: 1, queueMs: 2, tunnelMs: 3, localMs: 4, error: null },
  });
});

test("what was never answered waited for the local service, and not for the server", () => {
  const entry = begin(new CaptureRing(1, new CaptureBudget(1e6)), 1, request("/hangs"));
  Object.assign(entry, { openedAt: 103, endedAt: 120, status: 504 });
  expect(entry.toRequest(true)).toMatchObject({ totalMs: 20, policyMs: 1, queueMs: 2, tunnelMs: 0, localMs: 17 });
  // Nor did who never came to an agent wait for any service.
  const away = begin(new CaptureRing(1, new CaptureBudget(1e6)), 1, request("/away"));
  Object.assign(away, { endedAt: 120, status: 503 });
  expect(away.toRequest(true)).toMatchObject({ totalMs: 20, policyMs: 1, queueMs: 19, tunnelMs: 0, localMs: 0 });
});

describe("security", () => {
  const shown = (...lines: string[]) => {
    const entry = begin(new CaptureRing(1, new CaptureBudget(1e6)), 1, request("/p?code=c0de", ...lines));
    const answer = Buffer.from("HTTP/1.1 302 Found\r\nLocation: https://app.test/cb?code=c0de#c0de\r\n\r\n");
    entry.head(answer, 0, answer.length, 200, 110, 0);
    return entry;
  };

  test.each(["Authorization", "Cookie", "Set-Cookie", "X-API-Key", "X_Api_Key", "Api-Key", "ApiKey", "X-Csrf-Token"])(
    "the value of %s is hidden",
    (name) => {
      const text = JSON.stringify(shown(`${name}: s3cret`).toRequest(true));
      expect(text).not.toContain("s3cret");
      expect(text).toContain("(hidden, 6 characters)");
    },
  );

  test("without LOG_QUERY no query is shown, in whatever field it stands", () => {
    const entry = shown("Referer: https://app.test/x?code=c0de");
    expect(JSON.stringify(entry.toRequest(false))).not.toContain("c0de");
    expect(entry.toRequest(false).responseHeaders).toEqual([["Location", "https://app.test/cb?(hidden)"]]);
    expect(JSON.stringify(entry.toRequest(true)).match(/c0de/g)).toHaveLength(4);
  });
});

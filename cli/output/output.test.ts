// What users and programs read: plain lines, JSON lines, and the terminal's picture, from scripted events.

import { describe, expect, test } from "bun:test";
import type { AgentEvent, TunnelSpec } from "../agent/types.ts";
import { formatBytes, formatClock, formatCount, formatDuration } from "./format.ts";
import { isProblem, plainLine } from "./plain.ts";
import { resolveMode } from "./reporter.ts";
import { safe, safeJson } from "./safe.ts";
import { saidByBlock, scrollLine, statusBlock, totalsText } from "./screen-lines.ts";
import { createStyle, wantsColor } from "./style.ts";
import { applyEvent, createView, isFirstGood } from "./tunnel-view.ts";

const plain = createStyle(false);
const time = "2026-11-23T03:33:43.123Z";
const url = "https://myapp.example.com";
const local = "localhost:3000";
const spec: TunnelSpec = {
  protocol: "http",
  subdomain: "myapp",
  localHost: "localhost",
  localPort: 3000,
  localHttps: false,
  insecureLocal: false,
  hostHeader: "preserve",
};
const ready: AgentEvent = { event: "tunnel.ready", time, url, subdomain: "myapp", tunnelId: "t", local, port: null };
const request = (extra: Partial<Extract<AgentEvent, { event: "request" }>> = {}): AgentEvent => ({
  event: "request",
  time,
  url,
  method: "GET",
  path: "/a",
  status: 200,
  durationMs: 12,
  bytesIn: 10,
  bytesOut: 2000,
  error: null,
  cancelled: false,
  ...extra,
});

test("plain lines", () => {
  const lines = (
    [
      ready,
      { event: "session", time, url, open: 1, wanted: 2 },
      request({ path: "/x?y=1" }),
      request({ status: 502, error: "connection refused" }),
      request({ path: "/events", error: "the visitor left", cancelled: true }),
      {
        ...{ event: "connection", time, url: "tcp://example.com:20000", address: "192.0.2.1" },
        ...{ durationMs: 61_000, bytesIn: 5, bytesOut: 1_500_000, error: null, cancelled: false },
      },
      { event: "local.status", time, local, state: "down", why: "connection refused", connectMs: null },
      { event: "local.status", time, local: `http://${local}`, state: "up", why: null, connectMs: 0.4 },
      { event: "tunnel.lost", time, url, local, reason: "closed" },
      { event: "tunnel.retry", time, url: null, subdomain: null, local, inMs: 1500, reason: "closed" },
      { event: "tunnel.retry", time, url: null, subdomain: "api", local, inMs: 1500, reason: "closed" },
      { event: "notice", time, message: "hello" },
      { event: "refused", time, url: null, subdomain: null, local, code: "name_taken", message: "No." },
      { event: "refused", time, url: null, subdomain: "api", local, code: "name_taken", message: "No." },
    ] satisfies AgentEvent[]
  ).map(plainLine);
  expect(lines).toEqual([
    "2026-11-23T03:33:43Z online   https://myapp.example.com -> localhost:3000",
    "2026-11-23T03:33:43Z session  https://myapp.example.com has 1 of 2 connections",
    "2026-11-23T03:33:43Z request  200 GET https://myapp.example.com/x?y=1 12 ms",
    "2026-11-23T03:33:43Z request  502 GET https://myapp.example.com/a 12 ms error: connection refused",
    "2026-11-23T03:33:43Z request  200 GET https://myapp.example.com/events 12 ms ended: the visitor left",
    "2026-11-23T03:33:43Z tcp      tcp://example.com:20000 from 192.0.2.1 1 min 1 s in 5 B out 1.5 MB",
    "2026-11-23T03:33:43Z local    localhost:3000 is down: connection refused",
    "2026-11-23T03:33:43Z local    http://localhost:3000 is up (0.4 ms)",
    "2026-11-23T03:33:43Z lost     https://myapp.example.com: closed",
    "2026-11-23T03:33:43Z retry    new tunnel -> localhost:3000 in 1.5 s: closed",
    "2026-11-23T03:33:43Z retry    api -> localhost:3000 in 1.5 s: closed",
    "2026-11-23T03:33:43Z notice   hello",
    "2026-11-23T03:33:43Z refused  new tunnel -> localhost:3000: No. (name_taken)",
    "2026-11-23T03:33:43Z refused  api -> localhost:3000: No. (name_taken)",
  ]);
});

test("quiet shows problems only", () => {
  expect(isProblem(ready)).toBe(false);
  expect(isProblem(request())).toBe(false);
  expect(isProblem(request({ error: "connection refused" }))).toBe(true);
  expect(isProblem(request({ error: "the visitor left", cancelled: true }))).toBe(false);
  expect(isProblem({ event: "tunnel.lost", time, url, local, reason: "closed" })).toBe(true);
});

test("the mode follows the flags, then the terminal", () => {
  expect(resolveMode({ json: true, quiet: false }, true, "xterm")).toBe("json");
  expect(resolveMode({ json: false, quiet: true }, true, "xterm")).toBe("quiet");
  expect(resolveMode({ json: false, quiet: false }, true, "xterm")).toBe("screen");
  expect(resolveMode({ json: false, quiet: false }, true, "dumb")).toBe("plain");
  expect(resolveMode({ json: false, quiet: false }, false, "xterm")).toBe("plain");
});

test("colours only on a terminal that wants them", () => {
  expect(wantsColor({}, true)).toBe(true);
  expect(wantsColor({ NO_COLOR: "1" }, true)).toBe(false);
  expect(wantsColor({ NO_COLOR: "" }, true)).toBe(true);
  expect(wantsColor({ TERM: "dumb" }, true)).toBe(false);
  expect(wantsColor({}, false)).toBe(false);
  expect(createStyle(false).red("x")).toBe("x");
});

test("the block says link and local service apart", () => {
  const view = createView([spec]);
  const block = (nowMs = 0) => statusBlock(view, plain, 100, 24, nowMs, "Ctrl-C stops").join("\n");
  expect(block()).toContain("○ myapp → localhost:3000\n    connecting…");
  applyEvent(
    view,
    { event: "tunnel.retry", time, url: null, subdomain: "myapp", local, inMs: 3000, reason: "connection refused" },
    0,
  );
  expect(block(500)).toContain("connecting in 3 s: connection refused");
  applyEvent(view, ready, 0);
  expect(block()).toContain("◆ https://myapp.example.com → localhost:3000\n    online · local service not checked yet");
  applyEvent(view, { event: "session", time, url, open: 2, wanted: 2 }, 0);
  applyEvent(view, { event: "local.status", time, local, state: "up", why: null, connectMs: 0.41 }, 0);
  expect(block()).toContain("online, 2 connections · local service up, 0.4 ms");
  applyEvent(view, { event: "tunnel.lost", time, url, local, reason: "closed" }, 0);
  applyEvent(view, { event: "tunnel.retry", time, url, subdomain: "myapp", local, inMs: 2000, reason: "Away." }, 0);
  expect(block()).toContain("reconnecting in 2 s: Away · local service up, 0.4 ms");
  applyEvent(view, ready, 0);
  applyEvent(view, { event: "session", time, url, open: 1, wanted: 2 }, 0);
  applyEvent(
    view,
    { event: "local.status", time, local, state: "down", why: "connection refused", connectMs: null },
    0,
  );
  expect(block()).toContain(
    "■ https://myapp.example.com → localhost:3000\n    online, 1 of 2 connections · local service down: connection refused",
  );
  applyEvent(view, { event: "tunnel.lost", time, url, local, reason: "the server restarts" }, 0);
  expect(block()).toContain(
    "○ https://myapp.example.com → localhost:3000\n    reconnecting: the server restarts · local service down",
  );
  applyEvent(view, { event: "refused", time, url, subdomain: "myapp", local, code: "name_taken", message: "No." }, 0);
  expect(block()).toContain("✕ https://myapp.example.com");
});

test("only news leaves a line", () => {
  const view = createView([spec]);
  const up: AgentEvent = { event: "local.status", time, local, state: "up", why: null, connectMs: 1 };
  expect([isFirstGood(view, ready), isFirstGood(view, up)]).toEqual([true, true]);
  applyEvent(view, ready, 0);
  applyEvent(view, { ...up, state: "down" }, 0);
  expect([isFirstGood(view, ready), isFirstGood(view, up)]).toEqual([false, false]);
});

test("a URL that the block has no room for leaves a line", () => {
  const view = createView(Array.from({ length: 8 }, (_, index) => ({ ...spec, subdomain: `n${index}` })));
  expect([24, 30].map((rows) => saidByBlock(view, ready, rows))).toEqual([false, true]);
  expect(saidByBlock(createView([spec]), ready, 5)).toBe(true);
  expect(scrollLine(ready, plain, 20, true)).toEndWith(`online  ${url} → ${local}`);
});

test("totals count requests, failures and bytes", () => {
  const view = createView([spec]);
  expect(totalsText(view)).toBe("no requests");
  applyEvent(view, request(), 0);
  expect(totalsText(view)).toBe("1 request · 10 B in, 2.0 KB out");
  for (let count = 0; count < 1233; count++) applyEvent(view, request({ status: count === 0 ? 502 : 404 }), 0);
  expect(totalsText(view)).toBe("1,234 requests, 1 failed · 12 KB in, 2.5 MB out");
  applyEvent(view, request({ error: "the visitor left", cancelled: true }), 0);
  expect(totalsText(view)).toStartWith("1,235 requests, 1 failed");
});

test("of TCP tunnels connections are counted, and which port one came by is told where there are several", () => {
  const view = createView([{ ...spec, protocol: "tcp" }]);
  const block = (): string | undefined => statusBlock(view, plain, 80, 24, 0, "Ctrl-C stops").at(-1);
  expect(block()).toBe("  no connections yet · Ctrl-C stops");
  const connection: AgentEvent = {
    ...{ event: "connection", time, url: "tcp://tunnel.example.com:20007", address: "203.0.113.200:45076" },
    ...{ durationMs: 3.6, bytesIn: 5, bytesOut: 10, error: null, cancelled: false },
  };
  applyEvent(view, connection, 0);
  expect(block()).toBe("  1 connection · 5 B in, 10 B out · Ctrl-C stops");
  expect(scrollLine(connection, plain, 80, false)).toMatch(/  tcp  203\.0\.113\.200:45076 +in 5 B, out 10 B +3\.6 ms$/);
  expect(scrollLine(connection, plain, 80, true)).toMatch(/  tcp  :20007 203\.0\.113\.200:45076 +in 5 B, out/);
});

test("no line is wider than the terminal, and the block is not taller", () => {
  const view = createView(
    Array.from({ length: 30 }, (_, index) => ({ ...spec, subdomain: `n${index}`, localPort: 3000 + index })),
  );
  for (const columns of [20, 40, 80, 200]) {
    for (const rows of [5, 10, 24]) {
      const block = statusBlock(view, createStyle(true), columns, rows, 0, "Ctrl-C stops");
      // What is left belongs to requests.
      expect(block.length).toBeLessThanOrEqual(Math.max(Math.floor(rows * 0.75), 6));
      for (const line of block) expect(Bun.stringWidth(line)).toBeLessThan(columns);
    }
    for (const path of ["/", `/${"x".repeat(500)}`, `/${"你好".repeat(99)}`, "/🙂"]) {
      const line = scrollLine(request({ path, error: "e".repeat(200) }), createStyle(true), columns, true) ?? "";
      expect(Bun.stringWidth(line)).toBeLessThan(columns);
    }
  }
  expect(statusBlock(view, plain, 80, 24, 0, "").join("\n")).toContain("… and 24 more tunnels");
});

test("what matters is never cut off: a URL to copy, and why something is wrong", () => {
  const view = createView([spec]);
  const block = (rows = 24): string[] => statusBlock(view, plain, 60, rows, 0, "Ctrl-C stops");
  const whole = (lines: string[]): string => lines.map((line) => line.trim()).join(" ");
  const reason = "tunnel.example.com can't be reached (EPROTO: The TLS handshake failed. Does the server speak TLS?).";
  applyEvent(view, { event: "tunnel.retry", time, url: null, subdomain: "myapp", local, inMs: 3000, reason }, 0);
  expect(whole(block())).toContain(`connecting in 3 s: ${reason}`);
  const long = `https://${"x".repeat(60)}.example.com`;
  applyEvent(view, { ...ready, url: long }, 0);
  expect(block().join("").replaceAll(" ", "")).toContain(`${long}→${local}`);
  const why = "the connection ended before an answer; if the local service speaks TLS, give --local-https";
  const down: AgentEvent = { event: "local.status", time, local, state: "down", why, connectMs: null };
  applyEvent(view, down, 0);
  expect(whole(block())).toContain(`local service down: ${why}`);
  for (const line of block()) expect(Bun.stringWidth(line)).toBeLessThan(60);
  expect(block(6)).toHaveLength(5);
  expect(scrollLine(down, plain, 60, false)).toEndWith(why);
  const lost: AgentEvent = { event: "tunnel.lost", time, url, local, reason };
  expect(scrollLine(lost, plain, 60, false)).toEndWith(`connection lost  ${reason}`);
  expect(scrollLine(lost, plain, 60, true)).toContain("connection lost  myapp  ");
});

test("numbers and times", () => {
  expect([0.04, 0.44, 9.94, 12.4, 999.4, 1000, 59_900, 61_000, 7_260_000].map(formatDuration)).toEqual([
    "0.0 ms",
    "0.4 ms",
    "9.9 ms",
    "12 ms",
    "999 ms",
    "1.0 s",
    "59.9 s",
    "1 min 1 s",
    "2 h 1 min",
  ]);
  expect([Number.NaN, -1].map(formatDuration)).toEqual(["?", "?"]);
  expect([0, 999, 1000, 12_345, 999_600, 5e9].map(formatBytes)).toEqual([
    "0 B",
    "999 B",
    "1.0 KB",
    "12 KB",
    "1.0 MB",
    "5.0 GB",
  ]);
  expect([formatCount(1, "request"), formatCount(1_234_567, "request")]).toEqual(["1 request", "1,234,567 requests"]);
  expect(formatClock("nonsense")).toBe("--:--:--");
});

describe("security", () => {
  const evil = "/\u001b[2J\u009b31m\r\n2026-11-23T00:00:00Z online forged\u2028\u202e\u0007";
  // oxlint-disable-next-line no-control-regex -- that is what must not be there
  const dangerous = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202e]/;

  test("text from visitors and servers can forge no line and send no escape", () => {
    const events: AgentEvent[] = [
      request({ path: evil, method: evil, url: evil, error: evil, time: evil }),
      {
        event: "connection",
        time: evil,
        url: evil,
        address: evil,
        durationMs: 1,
        bytesIn: 0,
        bytesOut: 0,
        error: evil,
        cancelled: false,
      },
      { event: "tunnel.ready", time: evil, url: evil, subdomain: evil, tunnelId: evil, local: evil, port: null },
      { event: "tunnel.lost", time: evil, url: evil, local: evil, reason: evil },
      { event: "tunnel.retry", time: evil, url: null, subdomain: evil, local: evil, inMs: 1, reason: evil },
      { event: "session", time: evil, url: evil, open: 1, wanted: 2 },
      { event: "local.status", time: evil, local: evil, state: "down", why: evil, connectMs: null },
      { event: "notice", time: evil, message: evil },
      { event: "refused", time: evil, url: evil, subdomain: evil, local: evil, code: evil, message: evil },
      { event: "refused", time: evil, url: null, subdomain: evil, local: evil, code: evil, message: evil },
    ];
    const view = createView([{ ...spec, subdomain: evil, localHost: evil }]);
    for (const event of events) {
      applyEvent(view, event, 0);
      expect(plainLine(event)).not.toMatch(dangerous);
      expect(safeJson(event)).not.toMatch(dangerous);
      expect(scrollLine(event, plain, 2000, true) ?? "").not.toMatch(dangerous);
      for (const line of statusBlock(view, plain, 2000, 24, 0, "")) expect(line).not.toMatch(dangerous);
    }
  });

  test("a JSON line is exactly the event", () => {
    const event = request({ path: evil });
    expect(JSON.parse(safeJson(event))).toEqual(event);
  });

  test("harmless text stays as it is", () => {
    expect(safe("/café/你好?x=🙂")).toBe("/café/你好?x=🙂");
  });
});

// What is known of a local service, with its age.

import { expect, test } from "bun:test";
import type { AgentEvent, TunnelSpec } from "../agent/types.ts";
import { statusBlock } from "./screen-lines.ts";
import { createStyle } from "./style.ts";
import { applyEvent, createView } from "./tunnel-view.ts";

const plain = createStyle(false);
const time = "2026-11-23T03:33:43.123Z";
const url = "https://myapp.example.com";
const local = "localhost:3000";
const spec: TunnelSpec = {
  ...{ protocol: "http", subdomain: "myapp", localHost: "localhost", localPort: 3000 },
  ...{ localHttps: false, insecureLocal: false, hostHeader: "preserve" },
};
const ready: AgentEvent = { event: "tunnel.ready", time, url, subdomain: "myapp", tunnelId: "t", local, port: null };
const request = (status = 200, error: string | null = null): AgentEvent => ({
  ...{ event: "request", time, url, method: "GET", path: "/a", status },
  ...{ durationMs: 12, bytesIn: 10, bytesOut: 2_000, error, cancelled: false },
});

test("the block says how old the last proof is: an answer, or since when there is none", () => {
  const view = createView([spec]);
  const minute = 60_000;
  const service = (nowMs: number): string =>
    statusBlock(view, plain, 120, 24, nowMs, "")
      .join("\n")
      .replace(/^[^]*local service (.*)\n[^]*$/, "$1");
  const status = (state: "up" | "down", nowMs: number): void => {
    const why = state === "up" ? null : "connection refused";
    applyEvent(view, { event: "local.status", time, local, state, why, connectMs: why === null ? 0.4 : null }, nowMs);
  };
  applyEvent(view, ready, 0);
  status("up", minute);
  expect([1.9, 2, 61, 121].map((minutes) => service(minutes * minute))).toEqual([
    "up, 0.4 ms, answered just now",
    "up, 0.4 ms, answered 1 min ago",
    "up, 0.4 ms, answered 1 h ago",
    "up, 0.4 ms, answered 2 h ago",
  ]);
  applyEvent(view, request(), 50 * minute);
  applyEvent(view, request(502, "connection refused"), 55 * minute);
  expect(service(60 * minute)).toBe("up, 0.4 ms, answered 10 min ago");
  // A clock that was set back.
  expect(service(0)).toBe("up, 0.4 ms, answered just now");
  status("down", 60 * minute);
  status("down", 62 * minute);
  applyEvent(view, request(), 62 * minute);
  expect([60.5, 63, 60 * 80].map((minutes) => service(minutes * minute))).toEqual([
    "down: connection refused",
    "down for 3 min: connection refused",
    "down for 3 d: connection refused",
  ]);
  status("up", 70 * minute);
  expect(service(70 * minute)).toBe("up, 0.4 ms, answered just now");
});

// The numbers for Prometheus: what is counted, and that the text is what its format asks for.

import { expect, test } from "bun:test";
import type { TunnelCounters } from "../link/messages.ts";
import type { AuditEntry } from "./audit.ts";
import { createMetrics } from "./metrics.ts";

const counters = (change: Partial<TunnelCounters>): TunnelCounters => ({
  ...{ tunnelId: "tun_1", requests: 0, connections: 0, bytesIn: 0, bytesOut: 0, rttMs: null, streams: 0 },
  ...{ status2xx: 0, status3xx: 0, status4xx: 0, status5xx: 0, local: { state: "unknown" } },
  ...change,
});
const refusal = (reason: string, times?: number): AuditEntry => ({
  ...{ action: "visitor.refused", success: false, reason },
  ...(times === undefined ? {} : { details: { times } }),
});

test("counts what the shards tell, in lines that Prometheus reads", () => {
  const tunnels = [
    { state: "live", sessions: 2, streams: 3 },
    { state: "held", sessions: 0, streams: 0 },
  ];
  const metrics = createMetrics({ tunnels: () => tunnels, shards: 2 });
  metrics.onCounters(0, [counters({ requests: 3, status2xx: 2, status5xx: 1, bytesIn: 5, bytesOut: 7 })]);
  metrics.onCounters(1, [counters({ requests: 1, status4xx: 1, connections: 1 })]);
  for (const one of [refusal("denied_ip"), refusal("denied_ip", 4), refusal("no_credentials")]) metrics.onAudit(one);
  metrics.onAudit({ action: "login.failed", success: false, reason: "wrong" });
  metrics.onAudit({ action: "visitor.auth", authType: "basic" });
  metrics.onReplaced(1);
  const text = metrics.render();
  metrics.close();
  for (const line of text.trimEnd().split("\n")) {
    expect(line).toMatch(
      /^(# (HELP|TYPE) digit_link_[a-z_]+ .+|digit_link_[a-z_]+(\{[a-z]+="[^"\\]*"(,[a-z]+="[^"\\]*")*\})? [0-9.e+-]+)$/,
    );
  }
  const lines = text.split("\n");
  expect(lines.filter((line) => line.startsWith("digit_link_refusals_total"))).toHaveLength(2);
  for (const wanted of [
    'digit_link_tunnels{state="live"} 1',
    'digit_link_tunnels{state="away"} 1',
    "digit_link_sessions 2",
    "digit_link_streams 3",
    "digit_link_requests_total 4",
    'digit_link_responses_total{class="2xx"} 2',
    'digit_link_responses_total{class="4xx"} 1',
    'digit_link_responses_total{class="5xx"} 1',
    "digit_link_connections_total 1",
    'digit_link_bytes_total{direction="in"} 5',
    'digit_link_bytes_total{direction="out"} 7',
    'digit_link_refusals_total{rule="denied_ip"} 5',
    'digit_link_refusals_total{rule="no_credentials"} 1',
    'digit_link_shard_restarts_total{shard="0"} 0',
    'digit_link_shard_restarts_total{shard="1"} 1',
    "# TYPE digit_link_event_loop_lag_seconds histogram",
  ])
    expect(lines).toContain(wanted);
});

test("rules are bounded, whatever they are", () => {
  const metrics = createMetrics({ tunnels: () => [], shards: 1 });
  for (let i = 0; i < 1_000; i++) metrics.onAudit(refusal(`rule "${i}"\n`));
  const rules = metrics.render().match(/^digit_link_refusals_total\{.*$/gm) ?? [];
  metrics.close();
  expect(rules.length).toBe(65);
  expect(rules.at(-1)).toBe('digit_link_refusals_total{rule="other"} 936');
});

test("a blocked event loop shows as lag", async () => {
  const metrics = createMetrics({ tunnels: () => [], shards: 1, lagEveryMs: 5 });
  await Bun.sleep(10);
  Bun.sleepSync(120);
  await Bun.sleep(20);
  const text = metrics.render();
  metrics.close();
  const value = (name: string): number =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`digit_link_event_loop_lag_seconds_${name} `))
        ?.split(" ")[1],
    );
  const bucket = (le: string): number => value(`bucket{le="${le}"}`);
  expect(bucket("+Inf")).toBe(value("count"));
  expect(bucket("0.1")).toBeLessThan(value("count"));
  expect(value("sum")).toBeGreaterThan(0.1);
});

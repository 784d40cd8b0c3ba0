// What a Prometheus scrapes: counters since the start, gauges of now. No names of tenants, so that the series stay few.

import type { TunnelCounters } from "../link/messages.ts";
import type { AuditEntry } from "./audit.ts";
import { isRefusal, timesOf } from "./refusals.ts";

export interface MetricsOptions {
  /** The tunnels that are known now, connected or away for a moment. */
  tunnels: () => readonly { state: string; sessions: number; streams: number }[];
  shards: number;
  /** How often the lag of this thread's event loop is looked at. */
  lagEveryMs?: number;
  /** A monotonic clock. */
  clockMs?: () => number;
}

export interface Metrics {
  // From the shards: the composition forwards these callbacks of ShardListener.
  onCounters(shard: number, counters: readonly TunnelCounters[]): void;
  onReplaced(shard: number): void;
  /** Every event that the audit log is told (`onRecord` of createAudit): refusals among them are counted. */
  onAudit(entry: AuditEntry): void;
  /** All series in Prometheus' text format 0.0.4. */
  render(): string;
  close(): void;
}

const classes = ["2xx", "3xx", "4xx", "5xx"] as const;
const lagBucketsSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5];
/** Rules are words of this program; the bound only holds should one ever not be. */
const mostRules = 64;

/** Starts to watch the event loop of the calling thread. The caller closes it. */
export function createMetrics(options: MetricsOptions): Metrics {
  const clockMs = options.clockMs ?? (() => performance.now());
  const everyMs = options.lagEveryMs ?? 250;
  const totals = { requests: 0, connections: 0, bytesIn: 0, bytesOut: 0, "2xx": 0, "3xx": 0, "4xx": 0, "5xx": 0 };
  const refusals = new Map<string, number>();
  const restarts = Array.from({ length: options.shards }, () => 0);
  const lag = { counts: lagBucketsSeconds.map(() => 0), count: 0, sumSeconds: 0 };

  let lastMs = clockMs();
  const timer = setInterval(() => {
    const nowMs = clockMs();
    const seconds = Math.max(0, nowMs - lastMs - everyMs) / 1_000;
    lastMs = nowMs;
    lag.count++;
    lag.sumSeconds += seconds;
    for (const [i, bound] of lagBucketsSeconds.entries()) if (seconds <= bound) lag.counts[i]!++;
  }, everyMs);
  timer.unref();

  function render(): string {
    const known = options.tunnels();
    const live = known.filter(({ state }) => state === "live").length;
    const sum = (of: (tunnel: (typeof known)[number]) => number) => known.reduce((total, one) => total + of(one), 0);
    const series: Series[] = [
      [
        "tunnels",
        "gauge",
        "Tunnels by whether an agent is connected.",
        [
          [{ state: "live" }, live],
          [{ state: "away" }, known.length - live],
        ],
      ],
      ["sessions", "gauge", "Sessions of agents.", [[{}, sum(({ sessions }) => sessions)]]],
      [
        "streams",
        "gauge",
        "Requests and connections in flight, as last reported.",
        [[{}, sum(({ streams }) => streams)]],
      ],
      [
        "requests_total",
        "counter",
        "Requests of visitors that were answered, WebSockets at their end.",
        [[{}, totals.requests]],
      ],
      [
        "responses_total",
        "counter",
        "Answers to visitors by class of status; 2xx has the 101 of WebSockets.",
        classes.map((name): Sample => [{ class: name }, totals[name]]),
      ],
      ["connections_total", "counter", "Connections to TCP tunnels.", [[{}, totals.connections]]],
      [
        "bytes_total",
        "counter",
        "Bytes from visitors (in) and to them (out), told twice a second while they move.",
        [
          [{ direction: "in" }, totals.bytesIn],
          [{ direction: "out" }, totals.bytesOut],
        ],
      ],
      [
        "refusals_total",
        "counter",
        "Visitors and agents turned away, by rule; repeats arrive once a minute.",
        [...refusals].map(([rule, count]): Sample => [{ rule }, count]),
      ],
      [
        "shard_restarts_total",
        "counter",
        "Shards that died or hung and were replaced.",
        restarts.map((count, shard): Sample => [{ shard: String(shard) }, count]),
      ],
    ];
    return [...series.map((one) => renderSeries(one)), renderLag(lag)].join("");
  }

  return {
    onAudit(entry) {
      if (!isRefusal(entry)) return;
      const named = entry.reason ?? entry.action;
      const rule = refusals.has(named) || refusals.size < mostRules ? named : "other";
      refusals.set(rule, (refusals.get(rule) ?? 0) + timesOf(entry));
    },
    onCounters(_shard, counters) {
      for (const one of counters) {
        totals.requests += one.requests;
        totals.connections += one.connections;
        totals.bytesIn += one.bytesIn;
        totals.bytesOut += one.bytesOut;
        totals["2xx"] += one.status2xx;
        totals["3xx"] += one.status3xx;
        totals["4xx"] += one.status4xx;
        totals["5xx"] += one.status5xx;
      }
    },
    onReplaced(shard) {
      restarts[shard] = (restarts[shard] ?? 0) + 1;
    },
    render,
    close: () => clearInterval(timer),
  };
}

type Sample = readonly [labels: Record<string, string>, value: number];
type Series = readonly [name: string, type: "counter" | "gauge", help: string, samples: readonly Sample[]];

function renderSeries([name, type, help, samples]: Series): string {
  const lines = samples.map(([labels, value]) => `digit_link_${name}${renderLabels(labels)} ${value}\n`);
  return `${heading(name, type, help)}${lines.join("")}`;
}

function renderLag(lag: { counts: readonly number[]; count: number; sumSeconds: number }): string {
  const name = "event_loop_lag_seconds";
  const bucket = (bound: string, count: number): string => `digit_link_${name}_bucket{le="${bound}"} ${count}\n`;
  return (
    heading(name, "histogram", "How late the main thread's timers are.") +
    lagBucketsSeconds.map((bound, i) => bucket(String(bound), lag.counts[i] ?? 0)).join("") +
    `${bucket("+Inf", lag.count)}digit_link_${name}_sum ${lag.sumSeconds}\ndigit_link_${name}_count ${lag.count}\n`
  );
}

const heading = (name: string, type: string, help: string): string =>
  `# HELP digit_link_${name} ${help}\n# TYPE digit_link_${name} ${type}\n`;

function renderLabels(labels: Record<string, string>): string {
  const pairs = Object.entries(labels).map(([name, value]) => `${name}="${value.replace(/[\\"\n]/g, "_")}"`);
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

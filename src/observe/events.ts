// The hub of live events: what shards and registry tell becomes one bounded stream per reader, only while somebody reads.

import type { CapturedRequest, ShardEvent, ToShard, TunnelCounters } from "../link/messages.ts";
import type { AuditEntry } from "./audit.ts";
import { EventRing, type LiveEvent } from "./event-ring.ts";
import { isRefusal, toRefusal } from "./refusals.ts";
import { toRequestView } from "./request-view.ts";
import type { TunnelOwner } from "./traffic.ts";

/** Events kept for readers that come back. */
const mostKept = { events: 1_000, bytes: 8 * 1024 * 1024 };
/** Requests told at once; more in one batch of a shard nobody could read. */
const mostRequestsPerBatch = 100;

export type Reader = (text: string) => void;

export interface EventHub {
  /**
   * Adds a reader of one organization's events (null: all). It first gets what came after `lastEventId`. Returns how to
   * remove it.
   */
  read(options: { orgId: string | null; lastEventId: string | null; reader: Reader }): () => void;
  readonly readers: number;
  // From the shards: server.ts forwards these callbacks of ShardListener, after the registry has had them.
  onReady(shard: number): void;
  onEvents(shard: number, events: readonly ShardEvent[]): void;
  onCounters(shard: number, counters: readonly TunnelCounters[]): void;
  onRequests(shard: number, requests: readonly CapturedRequest[]): void;
  /** Every event that the audit log is told (`onRecord` of createAudit): refusals among them are told here. */
  onAudit(entry: AuditEntry): void;
  /** Ends the timers; readers are not told. */
  close(): void;
}

interface Rates {
  requests: number;
  bytes: number;
}

export interface EventHubOptions {
  link: { readonly shards: number; send(shard: number, message: ToShard): void };
  /** Whose a tunnel is, while it is known. */
  ownerOf: (tunnelId: string) => TunnelOwner | null;
  /** Connected tunnels by organization. */
  countConnected: () => Map<string, number>;
  /** Connected tunnels in all. */
  count: () => number;
  /** How long the shards go on telling after the last reader left: it may only have lost its connection. */
  lingerMs?: number;
  statsMs?: number;
}

export function createEventHub(options: EventHubOptions): EventHub {
  const { link, ownerOf } = options;
  const lingerMs = options.lingerMs ?? 30_000;
  const statsMs = options.statsMs ?? 1_000;
  const ring = new EventRing(mostKept);
  const readers = new Set<{ orgId: string | null; reader: Reader }>();
  let watching = false;
  let linger: Timer | undefined;
  let ticker: Timer | undefined;
  let countedFromMs = 0;
  let rates = new Map<string, Rates>();

  function publish(type: string, orgId: string | null, data: unknown): void {
    tell(ring.push(type, orgId, JSON.stringify(data)));
  }

  function tell(event: LiveEvent): void {
    for (const one of readers) if (one.orgId === null || one.orgId === event.orgId) one.reader(event.text);
  }

  function watch(on: boolean): void {
    if (watching === on) return;
    watching = on;
    for (let shard = 0; shard < link.shards; shard++) link.send(shard, { type: "watch", on });
    if (on) {
      countedFromMs = performance.now();
      ticker = setInterval(tellStats, statsMs);
    } else {
      clearInterval(ticker);
      ring.clear();
      rates = new Map();
    }
  }

  /** Numbers of the last second; without an id, because nobody wants old ones back. */
  function tellStats(): void {
    const seconds = Math.max(0.001, (performance.now() - countedFromMs) / 1_000);
    countedFromMs = performance.now();
    const counted = rates;
    rates = new Map();
    const connected = options.countConnected();
    const sum: Rates = { requests: 0, bytes: 0 };
    for (const { requests, bytes } of counted.values()) {
      sum.requests += requests;
      sum.bytes += bytes;
    }
    const texts = new Map<string | null, string>();
    const textOf = (orgId: string | null): string => {
      const { requests, bytes } = orgId === null ? sum : (counted.get(orgId) ?? { requests: 0, bytes: 0 });
      const data = {
        activeTunnels: orgId === null ? options.count() : (connected.get(orgId) ?? 0),
        requestsPerSecond: Math.round((requests / seconds) * 10) / 10,
        bytesPerSecond: Math.round(bytes / seconds),
      };
      return `event: stats\ndata: ${JSON.stringify(data)}\n\n`;
    };
    for (const { orgId, reader } of readers) {
      const text = texts.get(orgId) ?? textOf(orgId);
      texts.set(orgId, text);
      reader(text);
    }
  }

  function tunnelEvent(type: string, event: { tunnelId: string; address?: string; reason?: string; atMs: number }) {
    const owner = ownerOf(event.tunnelId);
    if (owner === null) return;
    publish(type, owner.orgId, {
      id: event.tunnelId,
      subdomain: owner.name,
      appId: owner.appId,
      orgId: owner.orgId,
      address: event.address ?? null,
      reason: event.reason ?? null,
      time: new Date(event.atMs).toISOString(),
    });
  }

  return {
    read({ orgId, lastEventId, reader }) {
      clearTimeout(linger);
      watch(true);
      if (lastEventId !== null) {
        const missed = ring.after(lastEventId).filter((event) => orgId === null || event.orgId === orgId);
        for (const event of missed) reader(event.text);
      }
      const entry = { orgId, reader };
      readers.add(entry);
      return () => {
        if (!readers.delete(entry) || readers.size > 0) return;
        clearTimeout(linger);
        linger = setTimeout(() => watch(false), lingerMs);
      };
    },
    get readers() {
      return readers.size;
    },
    onReady(shard) {
      if (watching) link.send(shard, { type: "watch", on: true });
    },
    onEvents(_shard, events) {
      if (!watching) return;
      for (const event of events) {
        if (event.type === "session.opened" && event.sessions === 1) tunnelEvent("tunnel.opened", event);
        else if (event.type === "session.closed" && event.sessions === 0) tunnelEvent("tunnel.closed", event);
      }
    },
    onCounters(_shard, counters) {
      if (!watching) return;
      for (const one of counters) {
        const orgId = ownerOf(one.tunnelId)?.orgId ?? "";
        const rate = rates.get(orgId) ?? { requests: 0, bytes: 0 };
        rate.requests += one.requests;
        rate.bytes += one.bytesIn + one.bytesOut;
        rates.set(orgId, rate);
      }
    },
    onRequests(_shard, requests) {
      if (!watching) return;
      // The tunnel says whose they are now, whatever its shard believed.
      const known = requests.slice(-mostRequestsPerBatch).flatMap((request) => {
        const owner = ownerOf(request.tunnelId);
        return owner === null ? [] : [{ orgId: owner.orgId, view: toRequestView(request) }];
      });
      for (const [orgId, group] of Map.groupBy(known, (one) => one.orgId)) {
        publish(
          "request",
          orgId,
          group.map(({ view }) => view),
        );
      }
    },
    onAudit(entry) {
      if (!watching || !isRefusal(entry)) return;
      publish("refusal", entry.orgId ?? null, toRefusal({ ...entry, atMs: entry.atMs ?? Date.now() }));
    },
    close() {
      clearTimeout(linger);
      clearInterval(ticker);
      readers.clear();
      watching = false;
    },
  };
}

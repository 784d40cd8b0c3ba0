// The hub of live events: what shards and registry tell becomes one bounded stream per reader, only while somebody reads.

import type { CapturedRequest, ShardEvent, ToShard, TunnelCounters } from "../link/messages.ts";
import type { AuditEntry } from "./audit.ts";
import { EventRing, type LiveEvent } from "./event-ring.ts";
import { gapText, LiveTicks, sees, type Reader, type TickSources } from "./live-ticks.ts";
import { isRefusal, toRefusal } from "./refusals.ts";
import { toRequestView } from "./request-view.ts";
import type { TunnelOwner } from "./traffic.ts";

/** Events kept for readers that come back. */
const mostKept = { events: 1_000, bytes: 8 * 1024 * 1024 };
/** Requests told at once; more in one batch of a shard nobody could read. */
const mostRequestsPerBatch = 100;

export interface EventHub {
  /**
   * Adds a reader. It first gets all that came after `lastEventId`, or `gap` when that can't be said any more. Returns
   * how to remove it.
   */
  read(reader: Reader, lastEventId: string | null): () => void;
  readonly readers: number;
  // From the shards: server.ts forwards these callbacks of ShardListener, after the registry has had them.
  onReady(shard: number): void;
  onReplaced(shard: number): void;
  onEvents(shard: number, events: readonly ShardEvent[]): void;
  onCounters(shard: number, counters: readonly TunnelCounters[]): void;
  onRequests(shard: number, requests: readonly CapturedRequest[]): void;
  /** Every event that the audit log is told (`onRecord` of createAudit): refusals among them are told here. */
  onAudit(entry: AuditEntry): void;
  /** Traffic of these organizations ("" is none) was stored: charts have something new. */
  onTrafficStored(orgIds: ReadonlySet<string>): void;
  /** A tunnel that was offline left the lists. */
  onCleared(tunnelId: string, owner: TunnelOwner): void;
  /** The server leaves: all readers are ended, and no more are to be added. */
  leave(): void;
  readonly hasLeft: boolean;
  /** Ends the timers; readers are not told. */
  close(): void;
}

export interface EventHubOptions extends TickSources {
  link: { readonly shards: number; send(shard: number, message: ToShard): void };
  /** Ids of all that are leased. */
  tunnelIds: () => string[];
  /** How long the shards go on telling after the last reader left: it may only have lost its connection. */
  lingerMs?: number;
  statsMs?: number;
}

export function createEventHub(options: EventHubOptions): EventHub {
  const { link, ownerOf } = options;
  const lingerMs = options.lingerMs ?? 30_000;
  const statsMs = options.statsMs ?? 1_000;
  const ring = new EventRing(mostKept);
  const readers = new Set<Reader>();
  let watching = false;
  let hasLeft = false;
  let linger: Timer | undefined;
  let ticker: Timer | undefined;
  let ticks = new LiveTicks(options);

  function publish(type: string, orgId: string | null, data: unknown): void {
    tell(ring.push(type, orgId, JSON.stringify(data)));
  }

  function tell(event: LiveEvent): void {
    for (const one of readers) if (sees(one, event.orgId)) one.tell(event.text);
  }

  function watch(on: boolean): void {
    if (watching === on) return;
    watching = on;
    for (let shard = 0; shard < link.shards; shard++) link.send(shard, { type: "watch", on });
    ticks = new LiveTicks(options);
    if (on) {
      ticker = setInterval(() => ticks.tell(readers, ring.lastId), statsMs);
    } else {
      clearInterval(ticker);
      ring.clear();
    }
  }

  function tunnelEvent(
    type: string,
    tunnelId: string,
    more: { address?: string; reason?: string; atMs: number },
  ): void {
    const owner = ownerOf(tunnelId);
    if (owner !== null) publishTunnel(type, tunnelId, owner, more);
  }

  function publishTunnel(
    type: string,
    id: string,
    { name, appId, orgId }: TunnelOwner,
    { address = null, reason = null, atMs }: { address?: string | null; reason?: string | null; atMs: number },
  ): void {
    publish(type, orgId, { id, subdomain: name, appId, orgId, address, reason, time: new Date(atMs).toISOString() });
  }

  return {
    read(reader, lastEventId) {
      clearTimeout(linger);
      watch(true);
      if (lastEventId !== null) {
        const missed = ring.after(lastEventId);
        if (typeof missed === "string") {
          reader.tell(gapText(ring.lastId, missed));
        } else for (const event of missed) if (sees(reader, event.orgId)) reader.tell(event.text);
      }
      readers.add(reader);
      return () => {
        if (!readers.delete(reader) || readers.size > 0) return;
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
    onReplaced() {
      if (watching) for (const id of options.tunnelIds()) ticks.changed(id);
    },
    onEvents(_shard, events) {
      if (!watching) return;
      for (const event of events) {
        if (event.type === "refusal" || event.type === "session.refused") continue;
        ticks.changed(event.tunnelId);
        if (event.type === "session.opened" && event.sessions === 1)
          tunnelEvent("tunnel.opened", event.tunnelId, event);
        else if (event.type === "session.closed" && event.sessions === 0)
          tunnelEvent("tunnel.closed", event.tunnelId, event);
      }
    },
    onCounters(_shard, counters) {
      if (!watching) return;
      for (const one of counters) ticks.counted(one);
    },
    onRequests(_shard, requests) {
      if (!watching) return;
      // The tunnel says whose they are now, whatever its shard believed.
      const known = requests.slice(-mostRequestsPerBatch).flatMap((request) => {
        const owner = ownerOf(request.tunnelId);
        return owner === null ? [] : [{ orgId: owner.orgId, view: toRequestView(request) }];
      });
      const skipped = Map.groupBy(requests.slice(0, -mostRequestsPerBatch), ({ tunnelId }) => tunnelId);
      for (const [tunnelId, { length: count }] of skipped) {
        const owner = ownerOf(tunnelId);
        if (owner !== null) publish("request.skipped", owner.orgId, { tunnelId, appId: owner.appId, count });
      }
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
    onTrafficStored(orgIds) {
      if (watching) ticks.trafficStored(orgIds);
    },
    onCleared(tunnelId, owner) {
      if (watching) publishTunnel("tunnel.cleared", tunnelId, owner, { atMs: Date.now() });
    },
    leave() {
      hasLeft = true;
      for (const one of readers) one.end();
    },
    get hasLeft() {
      return hasLeft;
    },
    close() {
      clearTimeout(linger);
      clearInterval(ticker);
      readers.clear();
      watching = false;
    },
  };
}

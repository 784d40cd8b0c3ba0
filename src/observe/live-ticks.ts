// What the live stream tells each second: numbers of the reader's scope, and the tunnels in it that changed.

import type { TunnelCounters } from "../link/messages.ts";
import type { Gap } from "./event-ring.ts";
import { LiveNumbers, type Rates } from "./live-numbers.ts";
import type { TunnelOwner } from "./traffic.ts";

/** Somebody who listens. */
export interface Reader {
  /** Whose events; null: all. */
  orgId: string | null;
  /** Whether the audit log is for these eyes. */
  readsAudit: boolean;
  tell(text: string): void;
  /** Nothing more comes: its stream ends. */
  end(): void;
}

/** What is asked at a tick. */
export interface TickSources {
  /** Whose a tunnel is, while it is in the lists. */
  ownerOf: (tunnelId: string) => TunnelOwner | null;
  /** A tunnel as it is now, for readers of its organization; null when it is not in the lists. */
  viewOf: (tunnelId: string) => object | null;
  /** Connected tunnels by organization. */
  countConnected: () => Map<string, number>;
  /** Connected tunnels in all. */
  count: () => number;
  /** The newest entry of the audit log (of an organization). */
  newestAudit: (orgId: string | null) => Promise<string | null>;
}

/** What `stats` says. */
export interface LiveStats extends Rates {
  activeTunnels: number;
  /** When traffic of the reader's scope was last stored; null: not since somebody listens. */
  trafficStoredAt: string | null;
  /** Null for those who may not read the log, and at first. */
  newestAudit: string | null;
}

export class LiveTicks {
  readonly #numbers = new LiveNumbers();
  /** By organization; null is all. */
  readonly #trafficStoredAt = new Map<string | null, string>();
  readonly #newestAudit = new Map<string | null, string | null>();
  #askingAudit = false;

  constructor(private readonly sources: TickSources) {}

  counted(one: TunnelCounters): void {
    this.#numbers.counted(one, this.sources.ownerOf(one.tunnelId)?.orgId ?? "");
  }

  /** Something of this tunnel is another than before. */
  changed(tunnelId: string): void {
    this.#numbers.changed(tunnelId);
  }

  trafficStored(orgIds: ReadonlySet<string>): void {
    for (const orgId of [...orgIds, null]) this.#trafficStoredAt.set(orgId, new Date().toISOString());
  }

  /** Nobody wants old numbers back, so they are not kept; `lastId` says what whoever heard them has heard besides. */
  tell(readers: ReadonlySet<Reader>, lastId: string): void {
    const { sources } = this;
    const { ratesOf, tunnels, waiting, isOverrun } = this.#numbers.take(sources.count);
    const lost = isOverrun ? gapText(lastId, "too_old") : "";
    const connected = sources.countConnected();
    const views = tunnels.flatMap(([id, rates]) => {
      const view = sources.viewOf(id);
      return view === null ? [] : [{ orgId: sources.ownerOf(id)?.orgId ?? null, view: { ...view, ...rates } }];
    });
    const texts = new Map<string, string>();
    const textFor = ({ orgId, readsAudit }: Reader): string => {
      const stats: LiveStats = {
        activeTunnels: orgId === null ? sources.count() : (connected.get(orgId) ?? 0),
        ...ratesOf(orgId),
        trafficStoredAt: this.#trafficStoredAt.get(orgId) ?? null,
        newestAudit: readsAudit ? (this.#newestAudit.get(orgId) ?? null) : null,
      };
      const seen = views.filter((one) => sees({ orgId }, one.orgId)).map(({ view }) => view);
      const text = `${lost}id: ${lastId}\nevent: stats\ndata: ${JSON.stringify(stats)}\n\n`;
      if (seen.length === 0) return text;
      return `${text}event: tunnel.stats\ndata: ${JSON.stringify({ tunnels: seen, waiting })}\n\n`;
    };
    for (const reader of readers) {
      const key = `${reader.orgId} ${reader.readsAudit}`;
      const text = texts.get(key) ?? textFor(reader);
      texts.set(key, text);
      reader.tell(text);
    }
    void this.#askAudit(readers);
  }

  async #askAudit(readers: ReadonlySet<Reader>): Promise<void> {
    if (this.#askingAudit) return;
    this.#askingAudit = true;
    try {
      const scopes = new Set([...readers].filter(({ readsAudit }) => readsAudit).map(({ orgId }) => orgId));
      for (const orgId of scopes) this.#newestAudit.set(orgId, await this.sources.newestAudit(orgId));
    } catch {
      // The database is away, which the page that shows the log says by itself.
    } finally {
      this.#askingAudit = false;
    }
  }
}

/** What tells a reader that it has missed something, and has to fetch again what it shows. */
export function gapText(lastId: string, reason: Gap): string {
  return `id: ${lastId}\nevent: gap\ndata: ${JSON.stringify({ reason })}\n\n`;
}

/** Whether what belongs to an organization is for this reader. */
export function sees(reader: Pick<Reader, "orgId">, orgId: string | null): boolean {
  return reader.orgId === null || reader.orgId === orgId;
}

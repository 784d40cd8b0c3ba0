// What the event stream does to what was fetched: rows change in place, lists are fetched again when something came or went.

import { createSignal } from "solid-js";
import type { Page } from "./client.ts";
import { listen, liveState, lostAtMs, observe, type LiveEvent } from "./live.ts";
import { queryClient, refresh, refreshIdle } from "./query-client.ts";
import type { LiveStats, Overview, Tunnel, TunnelStats } from "./types.ts";

const mostTop = 10;
/** Whatever happens at once is one reason to fetch again. */
const betweenFetchesMs = 1_000;
const betweenCountsMs = 5_000;

const [stats, setStats] = createSignal<LiveStats | null>(null);
/** Numbers of the last second; null while nothing is heard. */
export const liveStats = (): LiveStats | null => (liveState() === "live" ? stats() : null);

interface Told {
  rates: ReadonlyMap<string, number>;
  /** Every tunnel that changed has been told. */
  whole: boolean;
}
const [told, setTold] = createSignal<Told>({ rates: new Map(), whole: false });

/** Requests per second through a tunnel; null while that is not known. */
export function rateOf(tunnelId: string): number | null {
  if (liveStats() === null) return null;
  return told().rates.get(tunnelId) ?? (told().whole ? 0 : null);
}

/** Keeps the stream open while the calling component is on screen. */
export function useLive(): void {
  listen(() => {});
}

/** For `refetchInterval`: lists are asked for again and again only while the stream is lost, by whoever is logged in. */
export const pollWhileLost = (ms: number): number | false =>
  lostAtMs() === null || liveState() === "loggedOut" ? false : ms;

const lists = ["tunnels", "applications", "overview", "stats"];
const fetchLists = atMostEvery(betweenFetchesMs, ...lists);
const fetchRequests = atMostEvery(betweenFetchesMs, "requests");
const fetchTraffic = atMostEvery(betweenFetchesMs, "traffic", "stats", "applications");
const fetchCounts = atMostEvery(betweenCountsMs, "stats");

function fetchAll(): void {
  fetchLists();
  fetchRequests();
}

observe((event: LiveEvent) => {
  switch (event.type) {
    case "connected": {
      setTold({ rates: new Map(), whole: false });
      setStats(null);
      // What happened between the last fetch and now nobody has told; nor has the first fetch, if it is still under way.
      const wasFetching = queryClient.isFetching() > 0;
      void refresh(...lists, "requests", "traffic");
      if (wasFetching) fetchAll();
      return;
    }
    case "gap":
      return fetchAll();
    case "request":
    case "request.skipped":
      return fetchRequests();
    case "tunnel.opened":
    case "tunnel.closed":
    case "tunnel.cleared":
      return fetchLists();
    case "stats":
      return hearStats(event.data as LiveStats);
    case "tunnel.stats":
      return hearTunnels(event.data as { tunnels: TunnelStats[]; waiting: number });
  }
});

function hearStats(now: LiveStats): void {
  const before = stats();
  setStats(now);
  // What was stored since the stream began, and before its first word of that, nobody has told.
  if (now.trafficStoredAt !== (before?.trafficStoredAt ?? null)) fetchTraffic();
  if (before === null) return;
  // A whole second without a word of a tunnel: nothing passes through it.
  if (!told().whole) setTold(({ rates }) => ({ rates, whole: true }));
  if (now.newestAudit !== before.newestAudit) fetchCounts();
}

function hearTunnels({ tunnels, waiting }: { tunnels: TunnelStats[]; waiting: number }): void {
  const byId = new Map(tunnels.map((one) => [one.id, one]));
  setTold(({ rates }) => {
    const next = new Map(rates);
    for (const { id, requestsPerSecond } of tunnels) {
      if (requestsPerSecond > 0) next.set(id, requestsPerSecond);
      else next.delete(id);
    }
    return { rates: next, whole: waiting === 0 };
  });
  let cameOrWent = false;
  const now = (row: Tunnel): Tunnel => {
    const stats = byId.get(row.id);
    if (stats === undefined) return row;
    if (stats.connected !== row.connected) cameOrWent = true;
    const { requestsPerSecond: _requests, bytesPerSecond: _bytes, ...fresh } = stats;
    return { ...row, ...fresh };
  };
  update<Page<Tunnel>>("tunnels", (page) => ({ ...page, items: page.items.map(now) }));
  update<Overview>("overview", (overview) => ({ ...overview, topTunnels: topOf(overview.topTunnels, byId) }));
  // An answer that is under way may be older than this.
  if (cameOrWent || queryClient.isFetching({ queryKey: ["tunnels"] }) > 0) fetchLists();
}

/** Only of what was fetched well: a failure stays to be seen. */
function update<T>(resource: string, change: (data: T) => T): void {
  queryClient.setQueriesData<T>(
    { queryKey: [resource], predicate: ({ state }) => state.status === "success" },
    (data) => data && change(data),
  );
}

function topOf(top: Overview["topTunnels"], byId: ReadonlyMap<string, TunnelStats>): Overview["topTunnels"] {
  const before = top.filter(({ id }) => !byId.has(id));
  const fresh = [...byId.values()]
    .filter(({ connected }) => connected)
    .map(({ id, subdomain, appId, requests, bytesIn, bytesOut }) => {
      return { id, subdomain, appId, requests, bytesIn, bytesOut };
    });
  return [...before, ...fresh].sort((a, b) => b.requests - a.requests).slice(0, mostTop);
}

/** Fetches soon, and once more at the end of `ms` when there was another reason meanwhile. */
export function atMostEvery(ms: number, ...resources: string[]): () => void {
  let busy = false;
  let again = false;
  const run = (): void => {
    if (busy) {
      again = true;
      return;
    }
    busy = true;
    // An answer that is under way may be older than the reason; begun anew for each reason it would never come on a slow line.
    again = resources.some((one) => queryClient.isFetching({ queryKey: [one] }) > 0);
    void refreshIdle(...resources);
    setTimeout(() => {
      busy = false;
      const isDue = again;
      again = false;
      // Once the stream is back everything is fetched anyway.
      if (isDue && lostAtMs() === null) run();
    }, ms);
  };
  return run;
}

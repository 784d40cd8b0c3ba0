// What is known of each tunnel right now: agent events in, one small record per tunnel out. Pure.

import type { AgentEvent, TunnelSpec } from "../agent/types.ts";

type Ready = Extract<AgentEvent, { event: "tunnel.ready" }>;

/** How events name a tunnel that may not have been up: `url` is null until then, `subdomain` what was asked for. */
export type Named = Pick<Extract<AgentEvent, { event: "refused" }>, "url" | "subdomain" | "local">;

export interface TunnelView {
  /** Null until the server has said it. */
  url: string | null;
  local: string;
  /** The wanted name, shown until there is a URL. */
  wanted: string | null;
  link: "connecting" | "online" | "lost" | "refused";
  /** Why the tunnel is lost or refused. */
  reason: string | null;
  /** When the next attempt starts, on the clock of `nowMs` of `applyEvent`. */
  retryAtMs: number | null;
  /** Sessions open and wanted; null until the agent says so. */
  sessions: { open: number; wanted: number } | null;
  service: ServiceView | null;
}

/** Its times are on the clock of `nowMs` of `applyEvent`. */
export interface ServiceView {
  state: "up" | "down";
  /** When it came to be so. */
  sinceMs: number;
  /** When it last showed that it is. */
  provenAtMs: number;
  why: string | null;
  connectMs: number | null;
}

export interface Totals {
  /** Requests, or connections of a TCP tunnel. */
  exchanges: number;
  failed: number;
  bytesIn: number;
  bytesOut: number;
}

export interface AgentView {
  readonly tunnels: TunnelView[];
  readonly totals: Totals;
  /** URL of the inspector's page; null: nobody inspects. */
  inspector: string | null;
  /** What the totals count. */
  readonly counted: "request" | "connection";
}

/** The view before the first event. */
export function createView(specs: readonly TunnelSpec[]): AgentView {
  return {
    tunnels: specs.map((spec) => ({
      url: null,
      local: `${spec.localHost.includes(":") ? `[${spec.localHost}]` : spec.localHost}:${spec.localPort}`,
      wanted: spec.subdomain,
      link: "connecting",
      reason: null,
      retryAtMs: null,
      sessions: null,
      service: null,
    })),
    inspector: null,
    totals: { exchanges: 0, failed: 0, bytesIn: 0, bytesOut: 0 },
    counted: specs.every(({ protocol }) => protocol === "tcp") ? "connection" : "request",
  };
}

/** Updates the view in place. */
export function applyEvent(view: AgentView, event: AgentEvent, nowMs: number): void {
  switch (event.event) {
    case "tunnel.ready": {
      const tunnel = findReady(view, event) ?? addTunnel(view, event.local);
      Object.assign(tunnel, { url: event.url, local: event.local, link: "online", reason: null, retryAtMs: null });
      return;
    }
    case "tunnel.lost":
      for (const tunnel of matching(view, event.url, event.local))
        Object.assign(tunnel, { link: "lost", reason: event.reason, sessions: null });
      return;
    case "tunnel.retry": {
      const tunnel = findNamed(view, event);
      if (tunnel !== undefined) Object.assign(tunnel, { reason: event.reason, retryAtMs: nowMs + event.inMs });
      return;
    }
    case "session":
      for (const tunnel of matching(view, event.url, "")) tunnel.sessions = { open: event.open, wanted: event.wanted };
      return;
    case "local.status":
      for (const tunnel of matching(view, null, event.local)) {
        const { state, why, connectMs } = event;
        const sinceMs = tunnel.service?.state === state ? tunnel.service.sinceMs : nowMs;
        tunnel.service = { state, sinceMs, provenAtMs: nowMs, why, connectMs };
      }
      return;
    case "refused": {
      const tunnel = findNamed(view, event);
      if (tunnel !== undefined) Object.assign(tunnel, { link: "refused", reason: event.message, retryAtMs: null });
      return;
    }
    case "request":
    case "connection":
      view.totals.exchanges++;
      if (hasFailed(event)) view.totals.failed++;
      view.totals.bytesIn += event.bytesIn;
      view.totals.bytesOut += event.bytesOut;
      if (event.error !== null) return;
      for (const { url, service } of view.tunnels)
        if (url === event.url && service?.state === "up") service.provenAtMs = nowMs;
      return;
    case "inspector.ready":
      view.inspector = event.url;
      return;
    case "notice":
      return;
  }
}

/** Whether the visitor got no answer, no whole one, or one that says so. */
function hasFailed(event: Extract<AgentEvent, { event: "request" | "connection" }>): boolean {
  return (event.error !== null && !event.cancelled) || (event.event === "request" && event.status >= 500);
}

/** Whether the event, asked before it is applied, only says that all is well for the first time: the block shows that already. */
export function isFirstGood(view: AgentView, event: AgentEvent): boolean {
  if (event.event === "tunnel.ready") return (findReady(view, event)?.url ?? null) === null;
  if (event.event !== "local.status" || event.state !== "up") return false;
  return matching(view, null, event.local).every((tunnel) => tunnel.service === null || tunnel.service.state === "up");
}

/** Same URL, else one to the same local service: that asked for this name, that has none yet, or that had to take another. */
function findReady(view: AgentView, { url, subdomain, local }: Ready): TunnelView | undefined {
  const candidates = view.tunnels.filter((tunnel) => tunnel.link !== "online" && sameLocal(tunnel.local, local));
  return (
    view.tunnels.find((tunnel) => tunnel.url === url) ??
    candidates.find((tunnel) => tunnel.wanted === subdomain) ??
    candidates.find((tunnel) => tunnel.url === null) ??
    candidates.find((tunnel) => tunnel.link === "lost" && tunnel.wanted === null)
  );
}

/** By its URL, before it has one by what was asked for. */
function findNamed(view: AgentView, { url, subdomain, local }: Named): TunnelView | undefined {
  const isAsked = (one: TunnelView): boolean => one.wanted === subdomain && sameLocal(one.local, local);
  return view.tunnels.find((one) => (url === null ? one.url === null && isAsked(one) : one.url === url));
}

function addTunnel(view: AgentView, local: string): TunnelView {
  const added: TunnelView = {
    ...{ url: null, local, wanted: null, link: "connecting" },
    ...{ reason: null, retryAtMs: null, sessions: null, service: null },
  };
  view.tunnels.push(added);
  return added;
}

/** By URL where the event has one; several tunnels may share a local service. */
function matching(view: AgentView, url: string | null, local: string): TunnelView[] {
  const byUrl = url === null ? [] : view.tunnels.filter((tunnel) => tunnel.url === url);
  return byUrl.length > 0 ? byUrl : view.tunnels.filter((tunnel) => sameLocal(tunnel.local, local));
}

function sameLocal(a: string, b: string): boolean {
  return bare(a) === bare(b);
}

/** `http://localhost:3000/` and `localhost:3000` mean the same service. */
function bare(local: string): string {
  return local.replace(/^[a-z]+:\/\//, "").replace(/\/$/, "");
}

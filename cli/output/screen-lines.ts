// The terminal's picture: a line per request that scrolls away, and a block at the bottom that stays. Pure.

import type { AgentEvent } from "../agent/types.ts";
import { formatAge, formatBytes, formatClock, formatCount, formatDuration } from "./format.ts";
import { nameOf } from "./plain.ts";
import { safe } from "./safe.ts";
import type { Style } from "./style.ts";
import { type AgentView, isFirstGood, type TunnelView } from "./tunnel-view.ts";

/** `scrollLine` as it stands on a terminal: no line, one, or what doesn't fit broken between words. */
export function foldedLine(event: AgentEvent, style: Style, columns: number, several: boolean): string[] {
  const line = scrollLine(event, style, columns, several);
  return line === null ? [] : fold(line, columns);
}

/** The line an event leaves behind in the scrollback, or null when the block below says enough. Those of requests keep to the terminal's width; others are as long as they are, so that reasons and URLs are whole. */
export function scrollLine(event: AgentEvent, style: Style, columns: number, several: boolean): string | null {
  const time = `  ${style.dim(formatClock(event.time))}`;
  switch (event.event) {
    case "request": {
      const name = several ? `${style.dim(shortName(event.url))} ` : "";
      const error = errorText(event, style, columns);
      const start = `${time}  ${paintStatus(event.status, style)}  ${style.bold(safe(event.method).padEnd(7))} ${name}`;
      const duration = `  ${style.dim(formatDuration(event.durationMs).padStart(7))}`;
      return spread(start, safe(event.path), error, duration, columns);
    }
    case "connection": {
      const error = errorText(event, style, columns);
      const bytes = `in ${formatBytes(event.bytesIn)}, out ${formatBytes(event.bytesOut)}`;
      const numbers = `  ${style.dim(`${bytes}  ${formatDuration(event.durationMs).padStart(7)}`)}`;
      const name = several ? `${style.dim(shortName(event.url))} ` : "";
      return spread(`${time}  ${style.cyan("tcp")}  ${name}`, safe(event.address), error, numbers, columns);
    }
    case "local.status": {
      const up = event.state === "up";
      return `${time}  ${up ? style.green("local service up") : style.red("local service down")}  ${safe(event.local)}${up ? "" : `  ${safe(event.why ?? "")}`}`;
    }
    case "tunnel.lost": {
      const name = several && event.url !== null ? `${style.dim(shortName(event.url))}  ` : "";
      return `${time}  ${style.yellow("connection lost")}  ${name}${safe(event.reason)}`;
    }
    case "tunnel.ready":
      return `${time}  ${style.green("online")}  ${safe(event.url)} ${style.dim("→")} ${safe(event.local)}`;
    case "notice":
      return `${time}  ${style.yellow("notice")}  ${safe(event.message)}`;
    case "refused":
      return `  ${style.red("✕")} ${nameOf(event)}: ${style.red(safe(event.message))}`;
    case "tunnel.retry":
    case "session":
    case "inspector.ready":
      return null;
  }
}

/** Whether the block alone says what the event, asked before it is applied, does: that all is well for the first time, with a URL that has room there. */
export function saidByBlock(view: AgentView, event: AgentEvent, rows: number): boolean {
  return isFirstGood(view, event) && (event.event !== "tunnel.ready" || view.tunnels.length <= tunnelRoom(view, rows));
}

/** The rest of the terminal belongs to requests. */
function blockRows(rows: number): number {
  return Math.floor((rows * 3) / 4);
}

function tunnelRoom({ inspector }: AgentView, rows: number): number {
  const others = inspector === null ? 4 : 6;
  return Math.max(1, Math.floor((blockRows(rows) - others) / 2));
}

/** The block that stays at the bottom: two lines per tunnel, or more where `rows` has room for what is longer, then the totals with `hint`; at most three quarters of `rows`, none wider than `columns`. */
export function statusBlock(
  view: AgentView,
  style: Style,
  columns: number,
  rows: number,
  nowMs: number,
  hint: string,
): string[] {
  const room = tunnelRoom(view, rows);
  const shown = view.tunnels.length <= room ? view.tunnels : view.tunnels.slice(0, Math.max(1, room - 1));
  const lines = [""];
  for (const tunnel of shown) lines.push(...tunnelLines(tunnel, style, nowMs));
  if (shown.length < view.tunnels.length)
    lines.push(`  ${style.dim(`… and ${formatCount(view.tunnels.length - shown.length, "more tunnel")}`)}`);
  if (view.inspector !== null) lines.push("", `  ${style.dim("inspector")}  ${safe(view.inspector)}`);
  const yet = view.totals.exchanges === 0 ? " yet" : "";
  lines.push("", `  ${style.dim(`${totalsText(view)}${yet} · ${hint}`)}`);
  let spareRows = blockRows(rows) - lines.length;
  return lines.flatMap((line) => {
    const folded = fold(line, columns);
    if (folded.length - 1 > spareRows) return clip(line, columns);
    spareRows -= folded.length - 1;
    return folded;
  });
}

/** What is said when it is over: `128 requests, 3 failed · 1.2 MB in, 40 MB out`. */
export function totalsText(view: AgentView): string {
  const { exchanges, failed, bytesIn, bytesOut } = view.totals;
  if (exchanges === 0) return `no ${view.counted}s`;
  return `${formatCount(exchanges, view.counted)}${failed === 0 ? "" : `, ${formatCount(failed)} failed`} · ${formatBytes(bytesIn)} in, ${formatBytes(bytesOut)} out`;
}

function tunnelLines(tunnel: TunnelView, style: Style, nowMs: number): string[] {
  const online = tunnel.link === "online";
  const address = tunnel.url === null ? safe(tunnel.wanted ?? "new tunnel") : safe(tunnel.url);
  const head = `  ${markOf(tunnel, style)} ${online ? style.bold(style.cyan(address)) : style.bold(address)} ${style.dim("→")} ${safe(tunnel.local)}`;
  if (!online && tunnel.service === null) return [head, `    ${linkText(tunnel, tunnel.reason, style, nowMs)}`];
  const link = linkText(tunnel, tunnel.reason?.replace(/\.$/, "") ?? null, style, nowMs);
  return [head, `    ${link}${style.dim(" · ")}${serviceText(tunnel, style, nowMs)}`];
}

/** Green only when visitors get answers; shape and colour as in the dashboard. */
function markOf({ link, service }: TunnelView, style: Style): string {
  if (link === "refused") return style.red("✕");
  if (link !== "online") return style.yellow("○");
  if (service === null) return style.yellow("◆");
  return service.state === "up" ? style.green("●") : style.red("■");
}

function linkText(tunnel: TunnelView, reason: string | null, style: Style, nowMs: number): string {
  const sessions = tunnel.sessions;
  switch (tunnel.link) {
    case "online":
      if (sessions === null) return style.green("online");
      if (sessions.open >= sessions.wanted)
        return `${style.green("online")}${style.dim(`, ${formatCount(sessions.open, "connection")}`)}`;
      return `${style.green("online")}, ${style.yellow(`${sessions.open} of ${sessions.wanted} connections`)}`;
    case "refused":
      return style.red(safe(reason ?? "refused"));
    case "connecting":
    case "lost": {
      const what = tunnel.link === "lost" ? "reconnecting" : "connecting";
      const leftMs = tunnel.retryAtMs === null ? 0 : tunnel.retryAtMs - nowMs;
      const when = leftMs > 0 ? ` in ${Math.ceil(leftMs / 1000)} s` : reason === null ? "…" : "";
      return `${style.yellow(`${what}${when}`)}${reason === null ? "" : style.dim(`: ${safe(reason)}`)}`;
    }
  }
}

/** Both states with their age: what was so an hour ago need not be so now. */
function serviceText({ service }: TunnelView, style: Style, nowMs: number): string {
  if (service === null) return style.dim("local service not checked yet");
  if (service.state === "down") {
    const age = formatAge(nowMs - service.sinceMs);
    const down = `local service down${age === null ? "" : ` for ${age}`}`;
    return style.red(`${down}: ${safe(service.why ?? "it does not answer")}`);
  }
  const took = service.connectMs === null ? "" : `, ${formatDuration(service.connectMs)}`;
  const age = formatAge(nowMs - service.provenAtMs);
  return `local service ${style.green("up")}${style.dim(`${took}, answered ${age === null ? "just now" : `${age} ago`}`)}`;
}

function paintStatus(status: number, style: Style): string {
  const text = status > 0 ? String(status) : "---";
  if (status >= 500 || status <= 0) return style.red(text);
  if (status >= 400) return style.yellow(text);
  return status >= 300 ? style.cyan(text) : style.green(text);
}

/** The first label of the public host, or the port of a TCP tunnel. */
function shortName(url: string): string {
  if (!URL.canParse(url)) return safe(url);
  const { protocol, hostname, port } = new URL(url);
  return safe(protocol === "tcp:" ? `:${port}` : (hostname.split(".", 1)[0] ?? url));
}

/** At most a third of the line, so that the path stays readable. */
function errorText(
  { error, cancelled }: { error: string | null; cancelled: boolean },
  style: Style,
  columns: number,
): string {
  return error === null
    ? ""
    : `  ${(cancelled ? style.dim : style.red)(Bun.sliceAnsi(safe(error), 0, Math.max(12, Math.floor(columns / 3)), "…"))}`;
}

/** `start` and what follows whole, `middle` cut so that the line fills `columns`; where that leaves too little of it, `numbers` are left out, as half of one says something else. */
function spread(start: string, middle: string, error: string, numbers: string, columns: number): string {
  const roomBefore = (tail: string): number => columns - 1 - Bun.stringWidth(start) - Bun.stringWidth(tail);
  const tail = roomBefore(error + numbers) < 8 ? error : error + numbers;
  const room = Math.max(8, roomBefore(tail));
  const cut = Bun.sliceAnsi(middle, 0, room, "…");
  return clip(`${start}${cut}${" ".repeat(Math.max(0, room - Bun.stringWidth(cut)))}${tail}`, columns);
}

/** A coloured line as however many it takes at the terminal's width, the later ones further in. */
function fold(line: string, columns: number): string[] {
  if (Bun.stringWidth(line) < columns) return [line];
  const parts = Bun.wrapAnsi(line, Math.max(1, columns - 5), { hard: true, trim: true }).split("\n");
  return parts.map((part, index) => `${index === 0 ? /^ */.exec(line)?.[0] : "    "}${part}`);
}

/** Cuts a coloured line to the terminal's width, so that it never wraps. */
function clip(line: string, columns: number): string {
  return Bun.sliceAnsi(line, 0, Math.max(1, columns - 1), "…");
}

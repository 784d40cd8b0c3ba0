// One line per event for logs, pipes and --quiet. Pure.

import type { AgentEvent } from "../agent/types.ts";
import { formatBytes, formatDuration } from "./format.ts";
import { safe } from "./safe.ts";
import type { Named } from "./tunnel-view.ts";

/** A log line: UTC time to the second, a fixed-width word, and what happened. */
export function plainLine(event: AgentEvent): string {
  const [word, text] = describe(event);
  return `${safe(event.time).replace(/\.\d+Z$/, "Z")} ${word.padEnd(8)} ${text}`;
}

/** Whether --quiet shows the event: something is wrong, or was asked for and stands nowhere else. */
export function isProblem(event: AgentEvent): boolean {
  if (event.event === "request" || event.event === "connection") return event.error !== null && !event.cancelled;
  return (
    ["tunnel.lost", "tunnel.retry", "refused", "notice", "inspector.ready"].includes(event.event) ||
    (event.event === "local.status" && event.state === "down")
  );
}

/** Which tunnel was refused or waits: several may serve one local service, and the service alone would read as what waits. */
export function nameOf({ url, subdomain, local }: Named): string {
  return `${safe(url ?? subdomain ?? "new tunnel")} -> ${safe(local)}`;
}

function describe(event: AgentEvent): [word: string, text: string] {
  switch (event.event) {
    case "tunnel.ready":
      return ["online", `${safe(event.url)} -> ${safe(event.local)}`];
    case "tunnel.lost":
      return ["lost", `${safe(event.url ?? event.local)}: ${safe(event.reason)}`];
    case "tunnel.retry":
      return ["retry", `${nameOf(event)} in ${formatDuration(event.inMs)}: ${safe(event.reason)}`];
    case "session":
      return ["session", `${safe(event.url)} has ${event.open} of ${event.wanted} connections`];
    case "request": {
      const failed = endText(event);
      return [
        "request",
        `${event.status} ${safe(event.method)} ${safe(event.url)}${safe(event.path)} ${formatDuration(event.durationMs)}${failed}`,
      ];
    }
    case "connection": {
      const failed = endText(event);
      const bytes = `in ${formatBytes(event.bytesIn)} out ${formatBytes(event.bytesOut)}`;
      return [
        "tcp",
        `${safe(event.url)} from ${safe(event.address)} ${formatDuration(event.durationMs)} ${bytes}${failed}`,
      ];
    }
    case "local.status": {
      const detail =
        event.state === "up"
          ? event.connectMs === null
            ? ""
            : ` (${formatDuration(event.connectMs)})`
          : `: ${safe(event.why ?? "unknown")}`;
      return ["local", `${safe(event.local)} is ${event.state}${detail}`];
    }
    case "inspector.ready":
      return ["inspect", `requests are shown at ${safe(event.url)}`];
    case "notice":
      return ["notice", safe(event.message)];
    case "refused":
      return ["refused", `${nameOf(event)}: ${safe(event.message)} (${safe(event.code)})`];
  }
}

function endText({ error, cancelled }: { error: string | null; cancelled: boolean }): string {
  return error === null ? "" : ` ${cancelled ? "ended" : "error"}: ${safe(error)}`;
}

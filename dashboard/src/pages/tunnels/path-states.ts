// What may be said of each part of a request's way: green only where the whole way is proven.

import type { Tunnel } from "../../api/types.ts";
import type { Tone } from "../../ui/note.tsx";

export interface Part {
  tone: Tone;
  word: string;
  /** The way from here to the next part; the last one has none. */
  line?: Tone;
}

export type PathParts = Record<"visitor" | "server" | "agent" | "local", Part>;

/** `open`: anybody may visit. "accent" is connected, with nothing proven beyond. */
export function pathStates({ connected, local }: Pick<Tunnel, "connected" | "local">, open: boolean): PathParts {
  const access: Part = { tone: open ? "warn" : "idle", word: "" };
  if (!connected) {
    return {
      visitor: { ...access, line: "idle" },
      server: { tone: "idle", word: "Waits for an agent", line: "bad" },
      agent: { tone: "bad", word: "Offline", line: "idle" },
      local: { tone: "idle", word: "Out of reach" },
    };
  }
  if (local.state === "up") {
    return {
      visitor: { ...access, line: open ? "warn" : "good" },
      server: { tone: "good", word: "Passes requests on", line: "good" },
      agent: { tone: "good", word: "Connected", line: "good" },
      local: { tone: "good", word: "Answers" },
    };
  }
  const isDown = local.state === "down";
  return {
    visitor: { ...access, line: "idle" },
    server: { tone: "accent", word: "Agent connected", line: "accent" },
    agent: { tone: "accent", word: "Connected", line: isDown ? "bad" : "warn" },
    local: isDown ? { tone: "bad", word: "Does not answer" } : { tone: "warn", word: "Not proven yet" },
  };
}

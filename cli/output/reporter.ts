// What the user sees of the agent: chosen once by flags and terminal, fed with every event.

import { openTerminal, typedLines } from "../../src/lib/terminal-stream.ts";
import type { AgentEvent, TunnelSpec } from "../agent/types.ts";
import { isProblem, nameOf, plainLine } from "./plain.ts";
import { safe, safeJson } from "./safe.ts";
import { createScreen } from "./screen.ts";
import { createSink } from "./sink.ts";
import { createStyle, wantsColor } from "./style.ts";

export interface Reporter {
  event(event: AgentEvent): void;
  /** Ctrl-C was pressed; streams may still finish. */
  stopping(): void;
  /** Writes what is left. */
  close(): Promise<void>;
}

export type OutputMode = "screen" | "plain" | "json" | "quiet";

/** `--json`, `--quiet`, or by whether standard output is a terminal. */
export function resolveMode(
  flags: { json: boolean; quiet: boolean },
  isTerminal: boolean,
  term: string | undefined,
): OutputMode {
  if (flags.json) return "json";
  if (flags.quiet) return "quiet";
  return isTerminal && term !== "dumb" ? "screen" : "plain";
}

/** Creates the reporter for `mode`. `onClosed` is called when nobody reads standard output any more. */
export function createReporter(options: {
  mode: OutputMode;
  specs: readonly TunnelSpec[];
  title: string;
  env: Readonly<Record<string, string | undefined>>;
  onClosed(): void;
}): Reporter {
  const json = options.mode === "json";
  const quiet = options.mode === "quiet";
  const stream = quiet ? process.stderr : process.stdout;
  const now = (): string => new Date().toISOString();
  const sink = createSink((stream.isTTY ? openTerminal(quiet ? 2 : 1) : null) ?? stream, {
    onDropped: (count) => {
      const notice: AgentEvent = {
        event: "notice",
        time: now(),
        message: `${count} events were left out because the reader of this output is slow.`,
      };
      return json ? safeJson(notice) : plainLine(notice);
    },
    onClosed: quiet ? () => undefined : options.onClosed,
  });
  if (options.mode === "screen") {
    return createScreen({
      sink,
      style: createStyle(wantsColor(options.env, true)),
      specs: options.specs,
      title: options.title,
      // A terminal that does not know its size says 0.
      size: () => ({ columns: process.stdout.columns || 80, rows: process.stdout.rows || 24 }),
      typed: typedLines,
      hint: "Ctrl-C stops",
      stoppingHint: "stopping; Ctrl-C again exits at once",
    });
  }
  return {
    event(event) {
      if (event.event === "refused") {
        const which = options.specs.length > 1 ? `${nameOf(event)}: ` : "";
        const sentence = `digit-link: ${which}${safe(event.message)}`;
        if (quiet) sink.line(sentence);
        else process.stderr.write(`${sentence}\n`);
      }
      if (json) sink.line(safeJson(event), isDroppable(event));
      else if (event.event === "refused") return;
      else if (!quiet || isProblem(event)) sink.line(plainLine(event), isDroppable(event));
    },
    stopping() {},
    close: () => sink.flush(),
  };
}

function isDroppable(event: AgentEvent): boolean {
  return event.event === "request" || event.event === "connection";
}

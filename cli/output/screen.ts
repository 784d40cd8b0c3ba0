// Draws on a terminal: request lines scroll by, the status block stays at the bottom.

import type { AgentEvent, TunnelSpec } from "../agent/types.ts";
import { formatCount } from "./format.ts";
import type { Reporter } from "./reporter.ts";
import { foldedLine, saidByBlock, statusBlock, totalsText } from "./screen-lines.ts";
import type { Sink } from "./sink.ts";
import type { Style } from "./style.ts";
import { applyEvent, createView } from "./tunnel-view.ts";

const frameMs = 60;
/** How often to look whether a countdown, or the age of what is known, reads differently by now. */
const lookMs = 1_000;
/** More than this many requests between two frames are counted, not shown. */
const maxLinesPerFrame = 40;

export interface Terminal {
  columns: number;
  rows: number;
}

/** Creates the terminal reporter. `size` is asked at every frame, so that resizing works. */
export function createScreen(options: {
  sink: Sink;
  style: Style;
  specs: readonly TunnelSpec[];
  title: string;
  size(): Terminal;
  /** What was typed since it was asked last, as the terminal echoed it: it moved the cursor down. */
  typed(): string;
  hint: string;
  stoppingHint: string;
}): Reporter {
  const { sink, style } = options;
  const view = createView(options.specs);
  let hint = options.hint;
  let pending: AgentEvent[] = [];
  let skipped = 0;
  let drawn: string[] = [];
  let timer: Timer | null = null;
  let closed = false;
  /** No line has scrolled yet; the first one keeps a distance from the title. */
  let untouched = true;

  const frame = (): void => {
    timer = null;
    if (!sink.ready) return schedule();
    const { columns, rows } = options.size();
    const lines = pending.flatMap((event) => foldedLine(event, style, columns, view.tunnels.length > 1));
    if (skipped > 0) lines.push(style.dim(`  … ${formatCount(skipped, `more ${view.counted}`)}`));
    pending = [];
    skipped = 0;
    if (lines.length > 0 && untouched) {
      untouched = false;
      lines.unshift("");
    }
    const block = closed ? [] : statusBlock(view, style, columns, rows, Date.now(), hint);
    const all = [...lines, ...block];
    // Synchronized output (mode 2026) keeps terminals that know it from showing a half-drawn frame.
    if (lines.length > 0 || block.join("\n") !== drawn.join("\n")) {
      sink.raw(
        `\x1b[?2026h${erase(drawn, options.typed(), columns)}${all.map((line) => `${line}\n`).join("")}\x1b[?2026l`,
      );
    }
    drawn = block;
  };
  const schedule = (): void => {
    if (timer !== null) return;
    // In two steps: of a program that was stopped the timers ring before its signals are told.
    timer = setTimeout(() => (timer = setTimeout(frame, 1)), frameMs);
  };
  const redraw = (): void => {
    if (timer !== null) clearTimeout(timer);
    timer = null;
    schedule();
  };
  const onResize = (): void => redraw();
  process.stdout.on("resize", onResize);
  // After Ctrl-Z and `fg`: what stands above the cursor now is the shell's, and who was stopped heard of no resizing.
  const onContinue = (): void => {
    drawn = [];
    process.kill(process.pid, "SIGWINCH");
    redraw();
  };
  process.on("SIGCONT", onContinue);
  const looks = setInterval(schedule, lookMs);
  sink.raw(`\n  ${options.title}\n`);
  frame();

  return {
    event(event) {
      const shown = !saidByBlock(view, event, options.size().rows);
      applyEvent(view, event, Date.now());
      const busy = event.event === "request" || event.event === "connection";
      if (busy && pending.length >= maxLinesPerFrame) skipped++;
      else if (shown) pending.push(event);
      schedule();
    },
    stopping() {
      hint = options.stoppingHint;
      redraw();
    },
    async close() {
      closed = true;
      process.stdout.off("resize", onResize);
      process.off("SIGCONT", onContinue);
      clearInterval(looks);
      if (timer !== null) clearTimeout(timer);
      frame();
      if (timer !== null) clearTimeout(timer);
      sink.raw(`\n${style.dim(`  stopped · ${totalsText(view)}`)}\n`);
      await sink.flush();
    },
  };
}

/** Moves to the first line of what was drawn, as the terminal wraps it now with what was typed below, and clears from there. */
function erase(drawn: readonly string[], typed: string, columns: number): string {
  if (drawn.length === 0) return "";
  const lines = [...drawn, ...typed.split("\n").slice(0, -1)];
  const rows = lines.reduce((sum, line) => sum + Math.max(1, Math.ceil(Bun.stringWidth(line) / columns)), 0);
  return `\x1b[${rows}A\r\x1b[J`;
}

// What a soak scenario is, and the facts it reports.

export interface SoakOptions {
  /** 1 is the full size; smaller numbers shrink counts (never limits). */
  scale: number;
  /** Cuts short how long connections that must survive silence are left alone; null is as long as is promised. */
  minutes: number | null;
  /** A line for whoever watches. */
  say(line: string): void;
}

/** One figure. `want` is null for figures without a limit. */
export interface Fact {
  what: string;
  got: string;
  want: string | null;
  ok: boolean;
}

export interface Scenario {
  name: string;
  about: string;
  run(options: SoakOptions): Promise<Fact[]>;
}

/** `full` at scale 1, never less than `least`. */
export function scaled(options: SoakOptions, full: number, least: number): number {
  return Math.max(least, Math.round(full * options.scale));
}

export function atMost(what: string, got: number, limit: number, unit = ""): Fact {
  return { what, got: shown(got, unit), want: `≤ ${shown(limit, unit)}`, ok: got <= limit };
}

export function atLeast(what: string, got: number, limit: number, unit = ""): Fact {
  return { what, got: shown(got, unit), want: `≥ ${shown(limit, unit)}`, ok: got >= limit };
}

export function exactly(what: string, got: number, want: number): Fact {
  return { what, got: String(got), want: String(want), ok: got === want };
}

/** Nothing may be in `list`; the first of it are shown. */
export function nothingIn(what: string, list: readonly string[]): Fact {
  const got = list.length === 0 ? "0" : `${list.length}: ${list.slice(0, 3).join("; ")}`;
  return { what, got, want: "0", ok: list.length === 0 };
}

export function figure(what: string, got: number, unit = ""): Fact {
  return { what, got: shown(got, unit), want: null, ok: true };
}

function shown(value: number, unit: string): string {
  if (unit === "bytes") return `${(value / 1_048_576).toFixed(1)} MiB`;
  const digits = Math.abs(value) < 100 && !Number.isInteger(value) ? 1 : 0;
  return `${value.toFixed(digits)}${unit === "" ? "" : ` ${unit}`}`;
}

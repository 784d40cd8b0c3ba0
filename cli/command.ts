// What a command is: its words, its flags, its help, and what it does.

import type { Style } from "./output/style.ts";

export interface Flag {
  readonly type: "string" | "boolean";
  /** One letter. */
  readonly short?: string;
  /** What stands for the value in the help: `URL`. */
  readonly value?: string;
  /** May be given more than once. */
  readonly multiple?: boolean;
  readonly help: string;
}

export type FlagTable = Readonly<Record<string, Flag>>;

/** The border to the world that a command sees; tests make their own. */
export interface Io {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes one line to standard output. */
  out(line: string): void;
  /** Writes one line to standard output that exists nowhere else. Resolves to null when the system has it, else to why not. */
  deliver(line: string): Promise<string | null>;
  /** Writes one line to standard error. */
  problem(line: string): void;
  /** Colours for standard output. */
  readonly style: Style;
  /** Colours for standard error. */
  readonly problemStyle: Style;
}

export interface Parsed {
  readonly positionals: readonly string[];
  /** The value of a string flag that may be given once. */
  text(flag: string): string | undefined;
  /** All values of a flag that may be repeated. */
  list(flag: string): readonly string[];
  /** Whether a boolean flag is given. */
  on(flag: string): boolean;
}

export interface Command {
  /** One or two words: `http`, `admin create`. */
  readonly name: string;
  /** What it does, in a few words without a full stop. */
  readonly summary: string;
  /** What follows the name in the usage line: `PORT`. */
  readonly usage: string;
  readonly flags: FlagTable;
  /** Command line and what it does. */
  readonly examples: readonly (readonly [string, string])[];
  /** Paragraphs under the flags. */
  readonly notes?: readonly string[];
  /** Everything after the name goes to `run` as it is, `--help` aside. */
  readonly passThrough?: boolean;
  /** Returns the exit code. Throws UsageError for what the user can mend on the command line. */
  run(parsed: Parsed, io: Io): Promise<number>;
}

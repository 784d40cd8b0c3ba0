// Flags and values of one command from argv: strict, with one sentence and a suggestion for every mistake.

import { parseArgs } from "node:util";
import type { Command, Flag, FlagTable, Parsed } from "./command.ts";
import { safe } from "./output/safe.ts";
import { nearest } from "../src/lib/nearest.ts";
import { UsageError } from "./usage-error.ts";

/** Flags that every command has. */
export const commonFlags = {
  help: { type: "boolean", short: "h", help: "show this help" },
  version: { type: "boolean", short: "v", help: "show the version" },
} as const satisfies FlagTable;

/** Parses `argv` (without program and command name). `others`: commands that an unknown flag may be meant for. Throws UsageError. */
export function parseFlags(
  argv: readonly string[],
  flags: FlagTable,
  others: readonly Pick<Command, "name" | "flags">[] = [],
): Parsed {
  const all: FlagTable = { ...flags, ...commonFlags };
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  for (const token of tokenize(argv, all)) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(all, token.name) ? all[token.name] : undefined;
    // What joined letters take to be one more of them.
    if (token.rawName === "-=") throw new UsageError(`${safe(argv[token.index]!.split("=", 1)[0]!)} takes no value.`);
    if (flag === undefined) throw unknownFlag(token.rawName, all, others);
    const value = checkValue(token.rawName, flag, valueOf(token), token.inlineValue === true);
    const known = values.get(token.name) ?? [];
    if (known.length > 0 && flag.type === "string" && flag.multiple !== true) {
      throw new UsageError(`${safe(token.rawName)} is given twice; give it once.`);
    }
    values.set(token.name, [...known, value]);
  }
  return {
    positionals,
    text: (flag) => values.get(flag)?.[0],
    list: (flag) => values.get(flag) ?? [],
    on: (flag) => values.has(flag),
  };
}

/** Where in `argv` the first word stands that is neither a flag nor the value of one of `flags`; -1 when there is none. Judges nothing. */
export function firstWordAt(argv: readonly string[], flags: FlagTable): number {
  return tokenize(argv, { ...flags, ...commonFlags }).find(({ kind }) => kind === "positional")?.index ?? -1;
}

/** The one argument of a command that needs exactly one; `what` says what it is. Throws UsageError. */
export function oneArgument(parsed: Parsed, what: string): string {
  const [argument, extra] = parsed.positionals;
  if (argument === undefined || argument === "") throw new UsageError(`Give ${what}.`);
  // Without repeating it: what follows may be a password that does not belong there.
  if (extra !== undefined) throw new UsageError(`One argument is enough here: give ${what}.`);
  return argument;
}

/** Whether help is asked for, wherever in `argv`, rightly or not: as a flag, among joined letters (`-qh`), or where a flag wants its value. */
export function asksForHelp(argv: readonly string[], flags: FlagTable): boolean {
  return tokenize(argv, { ...flags, ...commonFlags }).some(
    (token) =>
      token.kind === "option" &&
      (token.name === "help" || (token.inlineValue === false && ["--help", "-h"].includes(token.value))),
  );
}

type OptionToken = Extract<ReturnType<typeof tokenize>[number], { kind: "option" }>;

function tokenize(argv: readonly string[], flags: FlagTable) {
  return parseArgs({
    args: [...argv],
    options: Object.fromEntries(Object.entries(flags).map(([name, flag]) => [name, toOption(flag)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  }).tokens;
}

function toOption(flag: Flag): { type: "string" | "boolean"; short?: string; multiple: boolean } {
  return { type: flag.type, multiple: true, ...(flag.short === undefined ? {} : { short: flag.short }) };
}

/** `-n=x` means what `--subdomain=x` does. */
function valueOf({ rawName, value, inlineValue }: OptionToken): string | undefined {
  return inlineValue === true && !rawName.startsWith("--") ? value?.replace(/^=/, "") : value;
}

function checkValue(rawName: string, flag: Flag, value: string | undefined, inline: boolean): string {
  const shown = safe(rawName);
  if (flag.type === "boolean") {
    if (value !== undefined) throw new UsageError(`${shown} takes no value.`);
    return "";
  }
  if (value === undefined || value === "")
    throw new UsageError(`${shown} needs a value: ${shown} ${flag.value ?? "VALUE"}.`);
  if (!inline && value.length > 1 && value.startsWith("-")) {
    throw new UsageError(
      `${shown} needs a value, but ${safe(value)} follows; if that is the value, write ${shown}=${safe(value)}.`,
    );
  }
  return value;
}

function unknownFlag(rawName: string, all: FlagTable, others: readonly Pick<Command, "name" | "flags">[]): UsageError {
  const other = others.find(({ flags }) =>
    Object.entries(flags).some(([name, { short }]) => rawName === `--${name}` || rawName === `-${short}`),
  );
  if (other !== undefined) return new UsageError(`Unknown flag ${safe(rawName)}; "digit-link ${other.name}" has it.`);
  const guess = rawName.startsWith("--") ? nearest(rawName.slice(2), Object.keys(all)) : null;
  return new UsageError(
    `Unknown flag ${safe(rawName)}${guess === null ? "; --help lists what there is." : `; did you mean --${guess}?`}`,
  );
}

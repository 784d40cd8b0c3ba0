// Flags and values of one command from argv: strict, with one sentence and a suggestion for every mistake.

import { parseArgs } from "node:util";
import type { Flag, FlagTable, Parsed } from "./command.ts";
import { safe } from "./output/safe.ts";
import { nearest } from "../src/lib/nearest.ts";
import { UsageError } from "./usage-error.ts";

/** Flags that every command has. */
export const commonFlags = {
  help: { type: "boolean", short: "h", help: "show this help" },
  version: { type: "boolean", short: "v", help: "show the version" },
} as const satisfies FlagTable;

/** Parses `argv` (without program and command name). Throws UsageError. */
export function parseFlags(argv: readonly string[], flags: FlagTable): Parsed {
  const all: FlagTable = { ...flags, ...commonFlags };
  const { tokens } = parseArgs({
    args: [...argv],
    options: Object.fromEntries(Object.entries(all).map(([name, flag]) => [name, toOption(flag)])),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const positionals: string[] = [];
  const values = new Map<string, string[]>();
  for (const token of tokens) {
    if (token.kind === "positional") positionals.push(token.value);
    if (token.kind !== "option") continue;
    const flag = Object.hasOwn(all, token.name) ? all[token.name] : undefined;
    if (flag === undefined) throw unknownFlag(token.rawName, all);
    const value = checkValue(token.rawName, flag, token.value, token.inlineValue === true);
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

/** The one argument of a command that needs exactly one; `what` says what it is. Throws UsageError. */
export function oneArgument(parsed: Parsed, what: string): string {
  const [argument, extra] = parsed.positionals;
  if (argument === undefined || argument === "") throw new UsageError(`Give ${what}.`);
  // Without repeating it: what follows may be a password that does not belong there.
  if (extra !== undefined) throw new UsageError(`One argument is enough here: give ${what}.`);
  return argument;
}

function toOption(flag: Flag): { type: "string" | "boolean"; short?: string; multiple: boolean } {
  return { type: flag.type, multiple: true, ...(flag.short === undefined ? {} : { short: flag.short }) };
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

function unknownFlag(rawName: string, all: FlagTable): UsageError {
  const guess = rawName.startsWith("--") ? nearest(rawName.slice(2), Object.keys(all)) : null;
  return new UsageError(
    `Unknown flag ${safe(rawName)}${guess === null ? "; --help lists what there is." : `; did you mean --${guess}?`}`,
  );
}

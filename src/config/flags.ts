// The server's command line: every setting as `--name value`, `--name=value`, or `--name` for switches.

import { ConfigError } from "./config.ts";

/** Reads flags for `loadConfig`; `--config FILE` names the settings file. Throws `ConfigError`. */
export function parseServerFlags(argv: readonly string[]): { flags: Record<string, string | boolean>; file?: string } {
  const given = new Map<string, string | boolean>();
  for (let i = 0; i < argv.length; i++) {
    const match = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(argv[i]!);
    if (match === null)
      throw new ConfigError(argv[i]!, `${argv[i]} is not a setting: write --port 8080 or --port=8080.`);
    const name = match[1]!;
    const next = argv[i + 1];
    const value = match[2] ?? (next !== undefined && !next.startsWith("--") ? next : undefined);
    if (match[2] === undefined && value !== undefined) i++;
    if (given.has(name)) throw new ConfigError(name, `--${name} is given twice; give it once.`);
    given.set(name, value ?? true);
  }
  const { config: file, ...flags } = Object.fromEntries(given);
  if (typeof file === "boolean") throw new ConfigError("config", "--config needs the path of a settings file.");
  return file === undefined ? { flags } : { flags, file };
}

// The server's command line: every setting as `--name value`, `--name=value`, or `--name` for switches.

import { ConfigError } from "./config.ts";

/** Reads flags for `loadConfig`; `--config FILE` names the settings file. Throws `ConfigError`. */
export function parseServerFlags(argv: readonly string[]): { flags: Record<string, string | boolean>; file?: string } {
  const flags: Record<string, string | boolean> = {};
  let file: string | undefined;
  for (let i = 0; i < argv.length; i++) {
    const match = /^--([a-z][a-z0-9-]*)(?:=(.*))?$/s.exec(argv[i]!);
    if (match === null)
      throw new ConfigError(argv[i]!, `${argv[i]} is not a setting: write --port 8080 or --port=8080.`);
    const name = match[1]!;
    const next = argv[i + 1];
    const value = match[2] ?? (next !== undefined && !next.startsWith("--") ? next : undefined);
    if (match[2] === undefined && value !== undefined) i++;
    if (name === "config") {
      if (value === undefined) throw new ConfigError("config", "--config needs the path of a settings file.");
      file = value;
    } else flags[name] = value ?? true;
  }
  return file === undefined ? { flags } : { flags, file };
}

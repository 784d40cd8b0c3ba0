// Reads the settings: defaults < digit-link.toml < environment < flags; anything not allowed stops the start with one sentence.

import { existsSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { descriptorLimit } from "../lib/descriptor.ts";
import { nearest } from "../lib/nearest.ts";
import { ConfigError, type Config } from "./config.ts";
import { onOff } from "./kinds.ts";
import type { Setting } from "./setting.ts";
import { settings, type RawSettings, type SettingKey } from "./settings.ts";
import { isBelow, warningsOf } from "./warnings.ts";

export interface ConfigSources {
  env: Record<string, string | undefined>;
  /** A path that must exist; undefined takes `digit-link.toml` of the working directory when there is one; null none. */
  file?: string | null | undefined;
  /** By flag or variable name: `port`, `db-path` or `DB_PATH`. */
  flags?: Record<string, string | boolean | undefined>;
}

/** The file that is read when it exists and none is named. */
const defaultConfigFile = "digit-link.toml";

const keyOfName = new Map<string, SettingKey>(
  Object.entries(settings).map(([key, { name }]) => [name, key as SettingKey]),
);

/** Returns the frozen configuration; throws `ConfigError` with one sentence. Reads nothing but the file; opens nothing. */
export function loadConfig(sources: ConfigSources): Config {
  const texts = new Map<SettingKey, string>();
  for (const [name, value] of readFile(sources.file)) {
    if (Object.prototype.toString.call(value) === "[object Object]")
      throw new ConfigError(
        name,
        `[${name}]: the configuration file has no sections; write each setting as a line of its own, like port = 8080.`,
      );
    const key = keyOf(name, "the configuration file has no setting");
    const isNone = Array.isArray(value) && value.length === 0 && Array.isArray(settings[key].initial);
    texts.set(key, isNone ? "none" : textOf(name, value));
  }
  for (const [name, key] of keyOfName) {
    const text = sources.env[name];
    if (text !== undefined && text !== "") texts.set(key, text);
  }
  for (const [name, value] of Object.entries(sources.flags ?? {})) {
    if (value === undefined) continue;
    const key = keyOf(name, "there is no option");
    const { kind } = settings[key] as Setting<unknown>;
    // "on" would do as the name of a file or host as well.
    if (value === true && kind !== onOff) throw new ConfigError(name, `--${name} needs a value: ${kind.allowed}.`);
    texts.set(key, value === true ? "on" : value === false ? "off" : value);
  }
  const raw: Record<string, unknown> = {};
  for (const key of Object.keys(settings) as SettingKey[])
    raw[key] = readValue(settings[key] as Setting<unknown>, texts.get(key));
  return fillIn(raw as RawSettings, new Set(texts.keys()));
}

function readValue(setting: Setting<unknown>, text: string | undefined): unknown {
  if (text === undefined) return setting.initial;
  const value = setting.kind.parse(text.trim());
  if (value !== undefined) return value;
  const shown = setting.kind.secret === true ? "the value given" : JSON.stringify(text);
  throw new ConfigError(setting.name, `${setting.name} must be ${setting.kind.allowed}; ${shown} is not.`);
}

function keyOf(name: string, complaint: string): SettingKey {
  const key = keyOfName.get(name.toUpperCase().replaceAll("-", "_"));
  if (key !== undefined) return key;
  // As it would stand there: hyphens in a flag, underscores in the file.
  const joint = name.includes("_") || complaint.includes("file") ? "_" : "-";
  const guess = nearest(
    name.toLowerCase().replaceAll("_", joint),
    [...keyOfName.keys()].map((one) => one.toLowerCase().replaceAll("_", joint)),
  );
  const advice = guess === null ? " (docs/configuration.md lists all)." : `; did you mean ${guess}?`;
  throw new ConfigError(name, `${name}: ${complaint} of this name${advice}`);
}

function readFile(file: string | null | undefined): [string, unknown][] {
  if (file === null || (file === undefined && !existsSync(defaultConfigFile))) return [];
  const path = file ?? defaultConfigFile;
  let table: object;
  try {
    table = Bun.TOML.parse(readFileSync(path, "utf8"));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new ConfigError(path, `The configuration file ${path} cannot be read: ${why}.`);
  }
  return Object.entries(table);
}

function textOf(name: string, value: unknown): string {
  if (Array.isArray(value)) return value.map((part) => textOf(name, part)).join(",");
  if (typeof value === "string" || typeof value === "number") return String(value);
  if (typeof value === "boolean") return value ? "on" : "off";
  throw new ConfigError(
    name,
    `${name} in the configuration file must be a text, a number, true, false or a list of those.`,
  );
}

function fillIn(raw: RawSettings, given: ReadonlySet<SettingKey>): Config {
  const openFiles = descriptorLimit();
  const most = mostConnections(openFiles, raw.tlsCert !== null || raw.handover === "pipe");
  const dashboardDomain = raw.dashboardDomain ?? raw.domain;
  const config = {
    ...raw,
    // There the dashboard answers.
    reservedNames: isBelow(dashboardDomain, raw.domain)
      ? [...raw.reservedNames, dashboardDomain.slice(0, -raw.domain.length - 1)]
      : raw.reservedNames,
    publicPort: raw.publicPort ?? (raw.scheme === "http" ? raw.port : 443),
    dashboardDomain,
    tcpHost: raw.tcpHost ?? raw.host,
    shards: raw.shards ?? Math.min(8, Math.max(1, availableParallelism() - 1)),
    maxConnections: Math.min(most, raw.maxConnections ?? 100_000),
  };
  checkTogether(config);
  const warnings = warningsOf(raw, given);
  if (raw.maxConnections !== null && raw.maxConnections > most)
    warnings.push(
      `MAX_CONNECTIONS is lowered from ${raw.maxConnections} to ${most}: this process may open ${openFiles} files. Raise that limit (LimitNOFILE, --ulimit nofile) for more.`,
    );
  return deepFreeze({ ...config, warnings });
}

/** Neither is of use alone. */
const pairs = [
  ["tlsCert", "tlsKey"],
  ["githubClientId", "githubClientSecret"],
  ["googleClientId", "googleClientSecret"],
  ["oidcLoginIssuer", "oidcLoginClientId"],
] as const satisfies [SettingKey, SettingKey][];

function checkTogether(config: Omit<Config, "warnings">): void {
  for (const [one, other] of pairs) {
    if ((config[one] === null) === (config[other] === null)) continue;
    const { name } = settings[one];
    throw new ConfigError(name, `${name} and ${settings[other].name} must be set together; only one of them is.`);
  }
  if (config.shardPorts.length > 0 && config.shardPorts.length !== config.shards) {
    throw new ConfigError(
      "SHARD_PORTS",
      `SHARD_PORTS must have one port per shard (SHARDS is ${config.shards}); it has ${config.shardPorts.length}.`,
    );
  }
  const taken = new Set<number>();
  for (const port of [config.port, ...config.shardPorts, ...config.tcpPorts]) {
    if (taken.has(port)) {
      throw new ConfigError("PORT", `PORT, SHARD_PORTS and TCP_PORTS must not overlap; ${port} is in two of them.`);
    }
    taken.add(port);
  }
  if (config.deadAfterMs <= config.pingIntervalMs) {
    throw new ConfigError(
      "DEAD_AFTER_MS",
      `DEAD_AFTER_MS must be longer than PING_INTERVAL_MS (${config.pingIntervalMs}ms); ${config.deadAfterMs}ms is not.`,
    );
  }
  if (config.databaseUrl === null) return;
  for (const [name, value] of [
    ["JWT_SECRET", config.jwtSecret],
    ["ENCRYPTION_KEY", config.encryptionKeys],
  ] as const) {
    if (value === null)
      throw new ConfigError(
        name,
        `${name} must be set when DATABASE_URL is: every server of one database needs the same.`,
      );
  }
}

/** Four fifths of the open files. Out of them accepting fails again and again at full speed, so `piped` connections count as the three that each has. */
function mostConnections(openFiles: number, piped: boolean): number {
  return Math.max(16, Math.floor((openFiles * 0.8) / (piped ? 3 : 1)));
}

function deepFreeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === "object" && part !== null) deepFreeze(part as object);
  return Object.freeze(value);
}

// The configuration as the program sees it: every value filled in, checked and frozen.

import { AppError } from "../lib/errors.ts";
import type { RawSettings } from "./settings.ts";

/** The values that follow from others when they are not given. */
interface Derived {
  publicPort: number;
  dashboardDomain: string;
  tcpHost: string;
  shards: number;
  maxConnections: number;
}

/** All settings, frozen. Names and meanings: the settings tables; durations in ms, sizes in bytes. */
export type Config = Readonly<Omit<RawSettings, keyof Derived> & Derived> & {
  /** Sentences that the operator should see at the start. */
  readonly warnings: readonly string[];
};

/** A setting that is not allowed. `message` is one sentence with variable, value and what is allowed; secrets are not shown. */
export class ConfigError extends AppError {
  constructor(
    readonly variable: string,
    message: string,
  ) {
    super("validation", message, { field: variable });
    this.name = "ConfigError";
  }
}

/** The public URL of a tunnel (`name`), or of the base domain (null), without a trailing slash. */
export function publicUrl(config: Pick<Config, "scheme" | "domain" | "publicPort">, name: string | null): string {
  const host = name === null ? config.domain : `${name}.${config.domain}`;
  return `${config.scheme}://${host}${portSuffix(config)}`;
}

/** The same for the host of the dashboard. */
export function dashboardUrl(config: Pick<Config, "scheme" | "dashboardDomain" | "publicPort">): string {
  return `${config.scheme}://${config.dashboardDomain}${portSuffix(config)}`;
}

/** The configuration once the listener's real port is known (`PORT=0`). */
export function withListenPort(config: Config, listenPort: number): Config {
  const followed = config.publicPort === config.port && config.scheme === "http";
  return Object.freeze({ ...config, port: listenPort, publicPort: followed ? listenPort : config.publicPort });
}

function portSuffix({ scheme, publicPort }: Pick<Config, "scheme" | "publicPort">): string {
  return publicPort === (scheme === "https" ? 443 : 80) ? "" : `:${publicPort}`;
}

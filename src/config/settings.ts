// Every setting of the server in one table; docs/configuration.md is generated from it.

import type { Setting } from "./setting.ts";
import { access } from "./settings-access.ts";
import { listening, storage, threads } from "./settings-server.ts";
import { agents, visitors } from "./settings-tunnels.ts";

/** The table in the order of the documentation. */
export const settingGroups = [
  { title: "Listening", settings: listening },
  { title: "Threads", settings: threads },
  { title: "Storage, secrets, logs", settings: storage },
  { title: "Agents and names", settings: agents },
  { title: "Visitors", settings: visitors },
  { title: "Logins and limits", settings: access },
] as const;

export const settings = { ...listening, ...threads, ...storage, ...agents, ...visitors, ...access };

export type SettingKey = keyof typeof settings;
type ValueOf<S> = S extends Setting<infer T> ? T : never;
/** The settings as given, before defaults that depend on others are filled in. */
export type RawSettings = { [K in SettingKey]: ValueOf<(typeof settings)[K]> };

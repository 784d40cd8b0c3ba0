// Every command and group, in the order the help shows them.

import type { Command } from "../command.ts";
import type { Group } from "../help.ts";
import { accountCommands } from "./account.ts";
import { adminCommands } from "./admin.ts";
import { http } from "./http.ts";
import { login } from "./login.ts";
import { server } from "./server.ts";
import { settings } from "./settings.ts";
import { tcp } from "./tcp.ts";
import { upkeepCommands } from "./upkeep.ts";
import { whitelistCommands } from "./whitelist.ts";

export const commands: readonly Command[] = [
  http,
  tcp,
  login,
  server,
  settings,
  ...adminCommands,
  ...accountCommands,
  ...whitelistCommands,
  ...upkeepCommands,
];

export const groups: readonly Group[] = [
  { name: "admin", summary: "administrators of this server, when nobody can log in" },
  { name: "account", summary: "accounts of this server" },
  { name: "whitelist", summary: "the addresses that may open tunnels" },
  { name: "audit", summary: "the audit log" },
];

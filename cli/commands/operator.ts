// The operator's commands on this machine's database.

import type { Command } from "../command.ts";

export const operatorCommands: readonly Command[] = [];

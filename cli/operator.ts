// Lets a command of the operator use src/admin.ts: the database of this machine's server, opened for one command.

import type { Operator } from "../src/operator/operator.ts";
import type { FlagTable, Io, Parsed } from "./command.ts";

/** For the help of every such command. */
export const settingsNote =
  "It works on the server's database: run it where the server runs, with its environment (DB_PATH, DATABASE_URL, …) and digit-link.toml.";

/** Of every such command, and of the server. */
export const settingsFlag = {
  config: { type: "string", value: "FILE", help: "a settings file instead of digit-link.toml" },
} as const satisfies FlagTable;

/** Opens the operator's access by the settings of environment and file, for the time of `work`. */
export async function withOperator<T>(parsed: Parsed, io: Io, work: (operator: Operator) => Promise<T>): Promise<T> {
  const { openOperator } = await import("../src/admin.ts");
  await using operator: Operator = await openOperator(io.env, parsed.text("config"));
  return await work(operator);
}

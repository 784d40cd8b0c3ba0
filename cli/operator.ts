// Lets a command of the operator use src/admin.ts: the database of this machine's server, opened for one command.

import type { Operator } from "../src/operator/operator.ts";
import type { Io } from "./command.ts";

/** Opens the operator's access by the settings of environment and digit-link.toml, for the time of `work`. */
export async function withOperator<T>(io: Io, work: (operator: Operator) => Promise<T>): Promise<T> {
  const { openOperator } = await import("../src/admin.ts");
  await using operator: Operator = await openOperator(io.env);
  return await work(operator);
}

// A token that was just made: shown once, alone on standard output.

import type { Io, Parsed } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { safe } from "../output/safe.ts";

/** Says `sentence` and hands the token of the account `name` over; the exit code. Where it can't be written the account keeps it, so another one is needed. */
export async function showToken(
  parsed: Parsed,
  io: Io,
  name: string,
  sentence: string,
  token: string,
): Promise<number> {
  io.problem(`${sentence} The token is shown this once:`);
  const problem = await io.deliver(token);
  if (problem === null) return exitCodes.ok.exitCode;
  const config = parsed.text("config");
  const again = `digit-link account token ${safe(name)}${config === undefined ? "" : ` --config ${safe(config)}`}`;
  io.problem(`digit-link: The token cannot be written to standard output: ${problem}. Make another one: ${again}`);
  return exitCodes.failure.exitCode;
}

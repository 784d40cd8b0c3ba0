// `digit-link settings`: every setting of the server, from the table that docs/configuration.md is made of.

import type { Command } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { safe } from "../output/safe.ts";
import { UsageError } from "../usage-error.ts";

export const settings: Command = {
  name: "settings",
  summary: "list every setting of the server",
  usage: "[WORD]",
  flags: {},
  examples: [
    ["digit-link settings", "all, with meaning, allowed values and default"],
    ["digit-link settings tls", "those that have the word in name or meaning"],
  ],
  async run(parsed, io) {
    if (parsed.positionals.length > 1) throw new UsageError("settings takes one word, or none for all of them.");
    const word = parsed.positionals[0] ?? "";
    const { findSettings } = await import("../../src/config/find.ts");
    const groups = findSettings(word);
    if (groups.length === 0)
      throw new UsageError(`No setting has "${safe(word)}" in its name or meaning; "digit-link settings" lists all.`);
    for (const { title, settings: found } of groups) {
      io.out(io.style.bold(title));
      for (const { name, doc, allowed, initial } of found)
        for (const line of [
          "",
          name,
          ...indent(doc),
          ...indent(`allowed: ${allowed}`),
          ...indent(`default: ${initial}`),
        ])
          io.out(line);
      io.out("");
    }
    return exitCodes.ok.exitCode;
  },
};

function indent(text: string): string[] {
  return Bun.wrapAnsi(text, 74, { trim: true })
    .split("\n")
    .map((line) => `    ${line}`);
}

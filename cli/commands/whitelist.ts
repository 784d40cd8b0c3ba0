// `digit-link whitelist …`: the addresses from which agents may open tunnels, on the system's list.

import type { Command } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { settingsFlag, settingsNote, withOperator } from "../operator.ts";
import { safe } from "../output/safe.ts";
import { table } from "../output/table.ts";
import { oneArgument } from "../parse-flags.ts";

const add: Command = {
  name: "whitelist add",
  summary: "let agents from there open tunnels",
  usage: "CIDR",
  flags: { description: { type: "string", short: "d", value: "TEXT", help: "what it is" }, ...settingsFlag },
  examples: [
    ["digit-link whitelist add 192.0.2.7", "one address"],
    ["digit-link whitelist add 10.0.0.0/8 -d office", "a range, with a note"],
  ],
  notes: ["An empty list lets nobody in. The running server follows within a second.", settingsNote],
  async run(parsed, io) {
    const range = oneArgument(parsed, "an address or range like 192.0.2.0/24");
    const { cidr, warning } = await withOperator(parsed, io, (operator) =>
      operator.allow(range, parsed.text("description") ?? ""),
    );
    if (warning !== null) io.problem(`digit-link: ${io.problemStyle.yellow("warning:")} ${safe(warning)}`);
    io.out(`Agents from ${safe(cidr)} may open tunnels.`);
    return exitCodes.ok.exitCode;
  },
};

const list: Command = {
  name: "whitelist list",
  summary: "list the addresses that may open tunnels",
  usage: "",
  flags: { json: { type: "boolean", help: "one JSON object per line" }, ...settingsFlag },
  examples: [["digit-link whitelist list", "those of AGENT_WHITELIST have the source env"]],
  notes: [settingsNote],
  async run(parsed, io) {
    const ranges = await withOperator(parsed, io, (operator) => operator.allowed());
    if (parsed.on("json")) for (const range of ranges) io.out(JSON.stringify(range));
    else if (ranges.length === 0)
      io.problem("The list is empty, so no agent may open tunnels; add a range: digit-link whitelist add CIDR");
    else
      for (const line of table(
        ["range", "source", "description"],
        ranges.map((range) => [range.cidr, range.source, range.description]),
        io.style,
      ))
        io.out(line);
    return exitCodes.ok.exitCode;
  },
};

const remove: Command = {
  name: "whitelist remove",
  summary: "take an address or range off the list",
  usage: "CIDR",
  flags: settingsFlag,
  examples: [["digit-link whitelist remove 192.0.2.7", "its agents are disconnected at once"]],
  notes: [settingsNote],
  async run(parsed, io) {
    const range = oneArgument(parsed, "an address or range like 192.0.2.0/24");
    await withOperator(parsed, io, (operator) => operator.disallow(range));
    io.out(`${safe(range)} is off the list.`);
    return exitCodes.ok.exitCode;
  },
};

export const whitelistCommands: readonly Command[] = [add, list, remove];

// `digit-link account …`: accounts of this server, from a shell.

import type { Command } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { settingsFlag, settingsNote, withOperator } from "../operator.ts";
import { safe } from "../output/safe.ts";
import { table } from "../output/table.ts";
import { oneArgument } from "../parse-flags.ts";
import { UsageError } from "../usage-error.ts";
import { showToken } from "./show-token.ts";

const createAccount: Command = {
  name: "account create",
  summary: "create one, print the token once",
  usage: "NAME",
  flags: settingsFlag,
  examples: [["digit-link account create bob > bob.token", "keeps the token in a file"]],
  notes: ["The token alone goes to standard output, so that a script can keep it.", settingsNote],
  async run(parsed, io) {
    const name = oneArgument(parsed, "the account's name");
    const { token } = await withOperator(parsed, io, (operator) => operator.createAccount(name));
    return showToken(parsed, io, name, `Account ${safe(name)} is created.`, token);
  },
};

const listAccounts: Command = {
  name: "account list",
  summary: "list the accounts",
  usage: "",
  flags: { json: { type: "boolean", help: "one JSON object per line" }, ...settingsFlag },
  examples: [["digit-link account list", "administrators among them; times are UTC"]],
  notes: [settingsNote],
  async run(parsed, io) {
    const accounts = await withOperator(parsed, io, (operator) => operator.listAccounts());
    if (parsed.on("json")) for (const account of accounts) io.out(JSON.stringify(account));
    else if (accounts.length === 0) io.problem("There is no account yet; create one: digit-link account create NAME");
    else {
      const rows = accounts.map(({ name, active, role, organization, lastUsedAt }) => [
        ...[name, active ? "active" : "deactivated", role, organization ?? "none"],
        lastUsedAt?.replace("T", " ").replace(/:\d\d\.\d+Z$/, "") ?? "never",
      ]);
      for (const line of table(["name", "state", "role", "organization", "last used"], rows, io.style)) io.out(line);
    }
    return exitCodes.ok.exitCode;
  },
};

const changeToken: Command = {
  name: "account token",
  summary: "give an account a new token",
  usage: "NAME",
  flags: settingsFlag,
  examples: [["digit-link account token bob > bob.token", "who lost the old one"]],
  notes: ["The old token ends at once, and the tunnels that it opened.", settingsNote],
  async run(parsed, io) {
    const name = oneArgument(parsed, "the account's name");
    const { token } = await withOperator(parsed, io, (operator) => operator.changeToken(name));
    return showToken(parsed, io, name, `Account ${safe(name)} has a new token, and the old one is void.`, token);
  },
};

const setEmail: Command = {
  name: "account email",
  summary: "set the address for sign-in",
  usage: "NAME [ADDRESS]",
  flags: { remove: { type: "boolean", help: "remove it instead" }, ...settingsFlag },
  examples: [
    [
      "digit-link account email bob bob@example.com",
      "who may sign in where GitHub, Google or OpenID Connect is set up",
    ],
    ["digit-link account email bob --remove", "and no more"],
  ],
  notes: ["It ends every session of the account, and sign-ins that were linked by the address before.", settingsNote],
  async run(parsed, io) {
    const [name, address, ...more] = parsed.positionals;
    const isRemoved = parsed.on("remove");
    if (name === undefined || more.length > 0 || (address === undefined) !== isRemoved)
      throw new UsageError("Say the account's name and its address, or the name and --remove.");
    await withOperator(parsed, io, (operator) => operator.setEmail(name, address ?? null));
    io.out(
      `The address of ${safe(name)} is ${isRemoved ? "removed" : "set"}, and every session of the account is ended.`,
    );
    return exitCodes.ok.exitCode;
  },
};

export const accountCommands: readonly Command[] = [createAccount, listAccounts, changeToken, setEmail];

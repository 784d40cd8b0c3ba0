// `digit-link admin …` and `digit-link account …`: people of this server, from a shell, when nobody can log in.

import type { Command, Io, Parsed } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { settingsFlag, settingsNote, withOperator } from "../operator.ts";
import { safe } from "../output/safe.ts";
import { table } from "../output/table.ts";
import { askSecret, readAll } from "../prompt.ts";
import { oneArgument } from "../parse-flags.ts";
import { UsageError } from "../usage-error.ts";

const create: Command = {
  name: "admin create",
  summary: "create one, print the token once",
  usage: "NAME",
  flags: { allow: { type: "string", value: "CIDR", help: "also let agents from there open tunnels" }, ...settingsFlag },
  examples: [
    ["digit-link admin create alice", "who can then set a password and log in"],
    ["digit-link admin create alice --allow 192.0.2.7", "and open tunnels from that address"],
  ],
  notes: ["The token alone goes to standard output, so that a script can keep it.", settingsNote],
  async run(parsed, io) {
    const name = oneArgument(parsed, "the administrator's name");
    const { token } = await withOperator(parsed, io, (operator) =>
      operator.createAdmin(name, parsed.text("allow") ?? null),
    );
    return showToken(parsed, io, name, `Administrator ${safe(name)} is created.`, token);
  },
};

const list: Command = {
  name: "admin list",
  summary: "list the administrators",
  usage: "",
  flags: { json: { type: "boolean", help: "one JSON object per line" }, ...settingsFlag },
  examples: [["digit-link admin list", "who can do what"]],
  notes: [settingsNote],
  async run(parsed, io) {
    const admins = await withOperator(parsed, io, (operator) => operator.listAdmins());
    if (parsed.on("json")) for (const admin of admins) io.out(JSON.stringify(admin));
    else if (admins.length === 0) io.problem("There is no administrator yet; create one: digit-link admin create NAME");
    else {
      const rows = admins.map((admin) => [
        admin.name,
        admin.active ? "active" : "deactivated",
        yes(admin.hasPassword),
        yes(admin.totp),
      ]);
      for (const line of table(["name", "state", "password", "two-factor"], rows, io.style)) io.out(line);
    }
    return exitCodes.ok.exitCode;
  },
};

const resetTotp: Command = {
  name: "admin reset-totp",
  summary: "remove two-factor authentication",
  usage: "NAME",
  flags: settingsFlag,
  examples: [["digit-link admin reset-totp alice", "who lost the phone and the recovery codes"]],
  notes: ["An administrator has to set it up again at the next login.", settingsNote],
  async run(parsed, io) {
    const name = oneArgument(parsed, "the account's name");
    await withOperator(parsed, io, (operator) => operator.resetTotp(name));
    io.out(`Two-factor authentication of ${safe(name)} is removed, and every session of the account is ended.`);
    return exitCodes.ok.exitCode;
  },
};

const setPassword: Command = {
  name: "admin set-password",
  summary: "set an account's password",
  usage: "NAME",
  flags: settingsFlag,
  examples: [
    ["digit-link admin set-password alice", "asks twice, without showing it"],
    ["digit-link admin set-password alice < file", "reads it from standard input"],
  ],
  notes: ["A password is never an argument: those show in ps and in the shell's history.", settingsNote],
  async run(parsed, io) {
    const name = oneArgument(parsed, "the account's name; the password is asked for, or read from standard input");
    const password = await newPassword(name);
    await withOperator(parsed, io, (operator) => operator.setPassword(name, password));
    io.out(`The password of ${safe(name)} is set, and every session of the account is ended.`);
    return exitCodes.ok.exitCode;
  },
};

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

export const adminCommands: readonly Command[] = [
  create,
  list,
  resetTotp,
  setPassword,
  createAccount,
  changeToken,
  setEmail,
];

async function showToken(parsed: Parsed, io: Io, name: string, sentence: string, token: string): Promise<number> {
  io.problem(`${sentence} The token is shown this once:`);
  const problem = await io.deliver(token);
  if (problem === null) return exitCodes.ok.exitCode;
  const config = parsed.text("config");
  const again = `digit-link account token ${safe(name)}${config === undefined ? "" : ` --config ${safe(config)}`}`;
  io.problem(`digit-link: The token cannot be written to standard output: ${problem}. Make another one: ${again}`);
  return exitCodes.failure.exitCode;
}

async function newPassword(name: string): Promise<string> {
  if (!process.stdin.isTTY) {
    const text = (await readAll()).replace(/^\ufeff/, "").replace(/\r?\n$/, "");
    return parsePassword(text, "Standard input");
  }
  const password = parsePassword(await askSecret(`New password for ${safe(name)} (not shown): `), "The input");
  if ((await askSecret("Once more: ")) !== password)
    throw new UsageError("The two passwords differ; nothing was changed.");
  return password;
}

/** What a browser's field takes: cut or changed, it would be another one than its owner believes. */
function parsePassword(text: string, source: string): string {
  if (text === "") throw new UsageError(`${source} holds no password.`);
  if (/[\p{Cc}\ufffd]/u.test(text))
    throw new UsageError(
      `${source} holds something that is no password: that is one line of text without control characters. Nothing was changed.`,
    );
  return text;
}

const yes = (value: boolean): string => (value ? "yes" : "no");

// `digit-link admin …`: administrators of this server, from a shell, when nobody can log in.

import type { Command } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { settingsFlag, settingsNote, withOperator } from "../operator.ts";
import { safe } from "../output/safe.ts";
import { table } from "../output/table.ts";
import { askSecret, readAll } from "../prompt.ts";
import { oneArgument } from "../parse-flags.ts";
import { UsageError } from "../usage-error.ts";
import { showToken } from "./show-token.ts";

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

export const adminCommands: readonly Command[] = [create, list, resetTotp, setPassword];

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

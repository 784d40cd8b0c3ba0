// The help: complete, within a screen, and the same facts as docs/cli.md.

import { expect, test } from "bun:test";
import { errorCatalogue } from "../src/lib/errors.ts";
import { commands, groups } from "./commands/table.ts";
import { exitCodeOfRefusal, exitCodes } from "./exit-codes.ts";
import { commandHelp, groupHelp, mainHelp } from "./help.ts";
import { createStyle } from "./output/style.ts";
import { commonFlags } from "./parse-flags.ts";

const plain = createStyle(false);

test("the program's help fits 80 columns and 24 rows", () => {
  const lines = mainHelp(plain);
  expect(lines.length).toBeLessThanOrEqual(24);
  for (const line of lines) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
});

test.each(commands.map((command) => [command.name, command] as const))(
  "%s has help within 80 columns, with examples",
  (_name, command) => {
    const lines = commandHelp(command, commonFlags, plain);
    for (const line of lines) expect(Bun.stringWidth(line), line).toBeLessThanOrEqual(80);
    expect(command.examples.length).toBeGreaterThan(0);
    const shorts = Object.values({ ...command.flags, ...commonFlags }).flatMap((flag) =>
      "short" in flag && flag.short ? [flag.short] : [],
    );
    expect(new Set(shorts).size).toBe(shorts.length);
  },
);

test("the help of a command that hands the server a token has the exit code for one that is refused", () => {
  for (const command of commands) {
    const said = commandHelp(command, commonFlags, plain).join("\n").includes(exitCodes.credential.meaning);
    expect([command.name, said]).toEqual([command.name, "token" in command.flags]);
  }
});

test("the help of each command that reads the server's settings says where from, and how to name another file", () => {
  for (const command of commands) {
    const isOperators = groups.some((group) => command.name.startsWith(`${group.name} `));
    if (!isOperators && !["server", "backup", "restore"].includes(command.name)) continue;
    const help = commandHelp(command, commonFlags, plain).join(" ");
    expect([command.name, help]).toEqual([command.name, expect.stringContaining("digit-link.toml")]);
    expect([command.name, help]).toEqual([command.name, expect.stringContaining("--config FILE")]);
  }
});

test("the help of every command has the exit codes that it ends with", () => {
  for (const command of commands) {
    const help = commandHelp(command, commonFlags, plain).join("\n");
    for (const { meaning } of [exitCodes.ok, exitCodes.failure, exitCodes.usage])
      expect([command.name, help]).toEqual([command.name, expect.stringContaining(meaning)]);
    // Ctrl-C at the question for a token.
    if ("token" in command.flags) expect(help).toContain(exitCodes.interrupted.meaning);
  }
});

test("every command is in the program's help or in its group's", () => {
  const main = mainHelp(plain).join("\n");
  for (const command of commands) {
    const group = groups.find((candidate) => command.name.startsWith(`${candidate.name} `));
    const text =
      group === undefined
        ? main
        : groupHelp(
            group,
            commands.filter((other) => other.name.startsWith(`${group.name} `)),
            plain,
          ).join("\n");
    expect(text).toContain(command.name);
  }
});

test.each(groups.map((group) => [group.name, group] as const))("the help of %s fits 80 columns", (_name, group) => {
  const members = commands.filter((command) => command.name.startsWith(`${group.name} `));
  expect(members.length).toBeGreaterThan(0);
  for (const line of groupHelp(group, members, plain)) expect(Bun.stringWidth(line), line).toBeLessThanOrEqual(80);
});

test("docs/cli.md has every command, flag and exit code", async () => {
  const docs = await Bun.file(`${import.meta.dir}/../docs/cli.md`).text();
  for (const command of commands) {
    expect(docs).toContain(`digit-link ${command.name}`);
    for (const flag of Object.keys(command.flags)) expect(docs).toContain(`--${flag}`);
  }
  for (const row of Object.values(exitCodes)) expect(docs).toContain(`| ${row.exitCode} | ${row.meaning} |`);
});

test("a permanent refusal at registration has an exit code that says more than 1", () => {
  expect([
    exitCodeOfRefusal("bad_token"),
    exitCodeOfRefusal("name_taken"),
    exitCodeOfRefusal("version_unsupported"),
  ]).toEqual([3, 4, 5]);
  expect([exitCodeOfRefusal("something_new"), exitCodeOfRefusal("toString")]).toEqual([1, 1]);
  const permanent = [
    "bad_token",
    "account_inactive",
    "not_whitelisted",
    "invalid_name",
    "name_reserved",
    "name_taken",
    "name_in_use",
    "port_unavailable",
  ] as const;
  for (const code of [
    ...permanent,
    "application_forbidden",
    "scope_forbidden",
    "version_unsupported",
    "protocol_unavailable",
  ] as const) {
    expect(errorCatalogue[code].retryable).toBe(false);
    expect(exitCodeOfRefusal(code)).toBeGreaterThan(2);
  }
});

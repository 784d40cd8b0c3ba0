// The help texts: one screen for the program, one page per command.

import type { Command, Flag, FlagTable, Io } from "./command.ts";
import { exitCodes } from "./exit-codes.ts";
import type { Style } from "./output/style.ts";
import { version } from "./version.ts";

/** What a group of commands is about: `admin`, `whitelist`. */
export interface Group {
  readonly name: string;
  readonly summary: string;
}

/** The program's own help: fits 80 columns and 24 rows. */
export function mainHelp(style: Style): string[] {
  const row = (left: string, right: string): string => `  ${left.padEnd(36)} ${style.dim(right)}`;
  const title = (text: string): string => style.bold(text);
  return [
    `${style.bold("digit-link")} ${version} ${style.dim("· a public address for a local service, on your own server")}`,
    "",
    title("Serve something"),
    row("digit-link 3000", "http://localhost:3000"),
    row("digit-link http 3000 -n myapp", "the same, as myapp.YOUR-DOMAIN"),
    row("digit-link -f web:3000 -f shop:4000", "several at once"),
    row("digit-link tcp 5432", "any TCP service"),
    row("digit-link login", "save your server and token first"),
    "",
    title("Run a server"),
    row("digit-link server", "the server itself"),
    row("digit-link settings [WORD]", "what it can be told, and the defaults"),
    row("digit-link admin | account", "administrators, accounts"),
    row("digit-link whitelist add CIDR", "who may open tunnels"),
    row("digit-link audit | backup | restore", "verify the log, copy the database"),
    "",
    title("Common flags"),
    row("-s, --server URL", "or DIGIT_LINK_SERVER"),
    row("-t, --token T, --token-file FILE", "or DIGIT_LINK_TOKEN; login saves both"),
    row("--json, -q, --quiet", "output for programs; only problems"),
    row("-h, --help, -v, --version", "on every command"),
    "",
    `${style.dim("Exit codes and all flags:")} digit-link http --help`,
  ];
}

/** The help of one command. */
export function commandHelp(command: Command, common: FlagTable, style: Style): string[] {
  const lines = [`${style.bold(`digit-link ${command.name}`)} ${style.dim(`· ${command.summary}`)}`, ""];
  const hasFlags = Object.keys(command.flags).length > 0;
  lines.push(
    style.bold("Usage"),
    `  digit-link ${command.name}${command.usage === "" ? "" : ` ${command.usage}`}${hasFlags ? " [FLAGS]" : ""}`,
    "",
  );
  lines.push(style.bold("Flags"), ...flagRows({ ...command.flags, ...common }, style), "");
  lines.push(style.bold("Examples"), ...exampleRows(command.examples, style));
  for (const note of command.notes ?? []) lines.push("", ...wrap(note));
  const asks = "token" in command.flags;
  const most = "connections" in command.flags ? Infinity : asks ? exitCodes.credential.exitCode : 2;
  const rows = Object.values(exitCodes).filter(
    (row) => row.exitCode <= most || (asks && row === exitCodes.interrupted),
  );
  lines.push("", style.bold("Exit codes"), ...exitCodeRows(rows, style));
  return lines;
}

/** The help of a group: its commands. */
export function groupHelp(group: Group, commands: readonly Command[], style: Style): string[] {
  const rows = commands.map(
    (command) =>
      [`digit-link ${command.name}${command.usage === "" ? "" : ` ${command.usage}`}`, command.summary] as const,
  );
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return [
    `${style.bold(`digit-link ${group.name}`)} ${style.dim(`· ${group.summary}`)}`,
    "",
    ...rows.map(([left, right]) => `  ${left.padEnd(width)}${style.dim(right)}`),
    "",
    style.dim(`Add --help to any of them.`),
  ];
}

/** Shows lines on standard output. */
export function show(lines: readonly string[], io: Io): void {
  for (const line of lines) io.out(line);
}

function flagRows(flags: FlagTable, style: Style): string[] {
  return Object.entries(flags).map(([name, flag]) => `  ${flagLabel(name, flag).padEnd(26)} ${style.dim(flag.help)}`);
}

function flagLabel(name: string, flag: Flag): string {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  return `${short}--${name}${flag.value === undefined ? "" : ` ${flag.value}`}`;
}

/** Side by side where every line stays within 80 columns, else one above the other. */
function exampleRows(examples: Command["examples"], style: Style): string[] {
  const width = Math.max(...examples.map(([line]) => line.length)) + 2;
  const fits = examples.every(([, what]) => width + 2 + what.length <= 80);
  return examples.flatMap(([line, what]) =>
    fits ? [`  ${line.padEnd(width)}${style.dim(what)}`] : [`  ${style.dim(`# ${what}`)}`, `  ${line}`],
  );
}

function exitCodeRows(rows: readonly { exitCode: number; meaning: string }[], style: Style): string[] {
  return rows.map((row) => `  ${String(row.exitCode).padStart(3)}  ${style.dim(row.meaning)}`);
}

function wrap(text: string): string[] {
  return Bun.wrapAnsi(text, 80, { trim: true }).split("\n");
}

// From argv to a command: which one is meant, its help, its mistakes, its exit code.

import { AppError } from "../src/lib/errors.ts";
import type { Command, Io } from "./command.ts";
import { http } from "./commands/http.ts";
import { commands, groups } from "./commands/table.ts";
import { tcp } from "./commands/tcp.ts";
import { exitCodes } from "./exit-codes.ts";
import { commandHelp, groupHelp, mainHelp, show } from "./help.ts";
import { safe } from "./output/safe.ts";
import { asksForHelp, commonFlags, firstWordAt, parseFlags } from "./parse-flags.ts";
import { nearest } from "../src/lib/nearest.ts";
import { UsageError } from "./usage-error.ts";
import { version } from "./version.ts";

/** Runs one command line (without the program's name). Returns the exit code; never throws. */
export async function run(argv: readonly string[], io: Io): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    if (error instanceof UsageError) {
      io.problem(`digit-link: ${error.message}`);
      return exitCodes.usage.exitCode;
    }
    if (error instanceof AppError) {
      io.problem(`digit-link: ${safe(error.message)}`);
      return error.code === "validation" ? exitCodes.usage.exitCode : exitCodes.failure.exitCode;
    }
    io.problem(`digit-link: ${safe(error instanceof Error ? error.message : String(error))}`);
    if (io.env.DIGIT_LINK_DEBUG && error instanceof Error) io.problem(error.stack ?? "");
    return exitCodes.failure.exitCode;
  }
}

async function dispatch(argv: readonly string[], io: Io): Promise<number> {
  const first = argv[0];
  if (first === undefined || (argv.length === 1 && ["-h", "--help"].includes(first))) {
    show(mainHelp(io.style), io);
    return exitCodes.ok.exitCode;
  }
  if (first === "help") return help(argv.slice(1), io);
  if (first === "version") return runCommand(http, ["--version"], io);
  if (first.startsWith("-") || isTarget(first)) return exposeForm(argv, io);
  if (groups.some((group) => group.name === first)) return runGroup(first, argv.slice(1), io);
  const command = commands.find((candidate) => candidate.name === first);
  if (command === undefined) throw unknownCommand(first);
  return runCommand(command, argv.slice(1), io);
}

/** `digit-link 3000 …` and `digit-link --server URL --port 3000 …`; `digit-link --server URL tcp 5432` is understood as well. */
function exposeForm(argv: readonly string[], io: Io): Promise<number> | number {
  const at = firstWordAt(argv, { ...tcp.flags, ...http.flags });
  const named = argv[at];
  if (named === undefined || isTarget(named)) return runCommand(http, argv, io);
  const command = commands.find((candidate) => candidate.name === named);
  if (command === undefined ? groups.some((group) => group.name === named) : command.passThrough) {
    if (asksForHelp(argv, {})) return help([named], io);
    throw new UsageError(`Write "digit-link ${named}" first, then the flags.`);
  }
  if (command === undefined) throw unknownCommand(named);
  return runCommand(command, [...argv.slice(0, at), ...argv.slice(at + 1)], io);
}

function runGroup(name: string, rest: readonly string[], io: Io): Promise<number> | number {
  const members = commands.filter((command) => command.name.startsWith(`${name} `));
  const word = rest[0];
  if (word === undefined || (word.startsWith("-") && asksForHelp(rest, {}))) {
    const group = groups.find((candidate) => candidate.name === name);
    if (group !== undefined) show(groupHelp(group, members, io.style), io);
    return word === undefined ? exitCodes.usage.exitCode : exitCodes.ok.exitCode;
  }
  if (word === "-v" || word === "--version") return runCommand(http, ["--version"], io);
  const command = members.find((candidate) => candidate.name === `${name} ${word}`);
  if (command !== undefined) return runCommand(command, rest.slice(1), io);
  const words = members.map((member) => member.name.slice(name.length + 1));
  const guess = nearest(word, words);
  throw new UsageError(
    `Unknown command "${name} ${safe(word)}"; ${guess === null ? `there are: ${words.join(", ")}.` : `did you mean "${name} ${guess}"?`}`,
  );
}

async function runCommand(command: Command, argv: readonly string[], io: Io): Promise<number> {
  // Help wins over any other mistake on the line: who asks for help wants no scolding.
  if (asksForHelp(argv, command.flags)) {
    show(commandHelp(command, commonFlags, io.style), io);
    return exitCodes.ok.exitCode;
  }
  if (command.passThrough) {
    if (argv.some((word) => word === "-v" || word === "--version")) return runCommand(http, ["--version"], io);
    return command.run({ positionals: argv, text: () => undefined, list: () => [], on: () => false }, io);
  }
  const parsed = parseFlags(argv, command.flags, [http, tcp].includes(command) ? [http, tcp] : []);
  if (parsed.on("version")) {
    io.out(`digit-link ${version} (Bun ${Bun.version})`);
    return exitCodes.ok.exitCode;
  }
  const [extra] = parsed.positionals;
  if (command.usage === "" && extra !== undefined)
    throw new UsageError(`"digit-link ${command.name}" takes no argument; leave ${safe(extra)} out.`);
  return command.run(parsed, io);
}

function help(argv: readonly string[], io: Io): Promise<number> | number {
  const words = argv.filter((word) => !word.startsWith("-"));
  if (words.length === 0) {
    show(mainHelp(io.style), io);
    return exitCodes.ok.exitCode;
  }
  if (groups.some((group) => group.name === words[0]) && words.length === 1)
    return runGroup(words[0] ?? "", ["--help"], io);
  return runCommand(find(words), ["--help"], io);
}

function find(words: readonly string[]): Command {
  const name = words.join(" ");
  const command = commands.find((candidate) => candidate.name === name);
  if (command === undefined) throw unknownCommand(name);
  return command;
}

/** A port, `host:port` or a URL: what may stand without the word `http`. */
function isTarget(word: string): boolean {
  return (
    /^\d+$/.test(word) || /^https?:\/\//i.test(word) || /^[^\s:]*:\d+$/.test(word) || /^\[[^\]]*\]:\d+$/.test(word)
  );
}

function unknownCommand(word: string): UsageError {
  const words = [
    ...new Set([...commands.map((command) => command.name), ...groups.map((group) => group.name), "help"]),
  ];
  const guess = nearest(word, words);
  return new UsageError(
    `Unknown command "${safe(word)}"; ${guess === null ? '"digit-link --help" lists what there is.' : `did you mean "${guess}"?`}`,
  );
}

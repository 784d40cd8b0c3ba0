// `digit-link audit verify`, `backup` and `restore`: is the record intact, and a copy of it all.

import type { Command } from "../command.ts";
import { exitCodes } from "../exit-codes.ts";
import { settingsFlag, settingsNote, withOperator } from "../operator.ts";
import { safe } from "../output/safe.ts";
import { formatCount } from "../output/format.ts";
import { oneArgument } from "../parse-flags.ts";
import { UsageError } from "../usage-error.ts";

const verify: Command = {
  name: "audit verify",
  summary: "check the audit log's chain of hashes",
  usage: "[FILE]",
  flags: { compare: { type: "boolean", help: "compare the export with the server's database" }, ...settingsFlag },
  examples: [
    ["digit-link audit verify", "the server's database"],
    ["digit-link audit verify export.jsonl", "a whole, unfiltered export (JSON lines)"],
    ["digit-link audit verify export.jsonl --compare", "and whether it is the database's"],
  ],
  notes: [
    "Exit code 1 means that a row was changed or is missing, or that nobody can tell whether one is.",
    settingsNote,
  ],
  async run(parsed, io) {
    if (parsed.positionals.length > 1) throw new UsageError("audit verify takes one file, or none for the database.");
    const [file = null] = parsed.positionals;
    const compare = parsed.on("compare");
    if (compare && file === null) throw new UsageError("--compare needs the file of an export.");
    const verdict = await withOperator(parsed, io, (operator) => operator.verifyAudit(file, compare));
    if (verdict.intact) {
      io.out(`${io.style.green("Intact")}: ${formatCount(verdict.rows, "row")}.`);
      return exitCodes.ok.exitCode;
    }
    io.problem(
      `digit-link: ${io.problemStyle.red(verdict.unproven ? "Not proven whole" : "Not intact")} at row ${verdict.seq}: ${safe(verdict.problem.replace(/\.$/, ""))}.`,
    );
    return exitCodes.failure.exitCode;
  },
};

const backup: Command = {
  name: "backup",
  summary: "copy the database while the server runs",
  usage: "FILE",
  flags: settingsFlag,
  examples: [["digit-link backup /backups/digit-link-monday.db", "a file that must not exist yet"]],
  notes: [
    "With PostgreSQL use pg_dump. JWT_SECRET and ENCRYPTION_KEY are not in the copy: keep them apart from it.",
    settingsNote,
  ],
  async run(parsed, io) {
    const file = oneArgument(parsed, "the file to write");
    const { notes } = await withOperator(parsed, io, (operator) => operator.backup(file));
    io.out(`The database is copied to ${safe(file)}.`);
    for (const note of notes) io.problem(safe(note));
    return exitCodes.ok.exitCode;
  },
};

const restore: Command = {
  name: "restore",
  summary: "put a copy in the database's place",
  usage: "FILE",
  flags: settingsFlag,
  examples: [["digit-link restore /backups/digit-link-monday.db", "stop the server first"]],
  notes: ["The database that was there is kept beside the new one.", settingsNote],
  async run(parsed, io) {
    const file = oneArgument(parsed, "the file to read");
    const { notes } = await withOperator(parsed, io, (operator) => operator.restore(file));
    io.out(`The database is restored from ${safe(file)}.`);
    for (const note of notes) io.problem(safe(note));
    return exitCodes.ok.exitCode;
  },
};

export const upkeepCommands: readonly Command[] = [verify, backup, restore];

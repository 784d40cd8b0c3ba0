// Mistakes in what is given to the operator's commands and to a start, DB_PATH above all: one sentence that helps, and nothing is left behind.

import { Database as SqliteFile } from "bun:sqlite";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { openOperator } from "../../src/admin.ts";
import type { Operator } from "../../src/operator/operator.ts";
import { program } from "../helpers/program.ts";
import { testEnv } from "../helpers/server.ts";

/** A folder with what is named by mistake in it, and how to tell that all is as it was. */
function place() {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-wrong-"));
  const within = (name: string): string => join(folder, name);
  mkdirSync(within("folder"));
  writeFileSync(within("text"), "root:x:0:0:root:/root:/bin/bash\n");
  const other = new SqliteFile(within("other.db"), { create: true });
  other.run("create table moz_places (id integer primary key, url text)");
  other.close();
  const all = (): string[] => (readdirSync(folder, { recursive: true }) as string[]).toSorted();
  const contents = () =>
    ["text", "other.db"].map((name) => [statSync(within(name)).mode, readFileSync(within(name), "latin1")]);
  const before = [all(), contents()];
  return {
    ...{ folder, within },
    isAsBefore: () => expect([all(), contents()]).toEqual(before),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true }),
  };
}

const refusalOf = (work: Promise<unknown>): Promise<string> =>
  work.then(
    () => Promise.reject(new Error("was not refused")),
    (error: unknown) => (error as Error).message,
  );

test.each<[string, (operator: Operator) => Promise<unknown>, string]>([
  ["admin create x", (operator) => operator.createAdmin("x", null), "username must have"],
  ["admin create, --allow here", (operator) => operator.createAdmin("alice", "here"), "here is neither"],
  ["account create x", (operator) => operator.createAccount("x"), "username must have"],
  ["account email, no address", (operator) => operator.setEmail("bob", "bob"), "email must be"],
  ["admin set-password, a short one", (operator) => operator.setPassword("bob", "short"), "at least 10"],
  ["whitelist add here", (operator) => operator.allow("here", ""), "here is neither"],
  ["whitelist add, a long text", (operator) => operator.allow("192.0.2.1", "a".repeat(201)), "A description has"],
  ["whitelist remove here", (operator) => operator.disallow("here"), "here is neither"],
])("%s is refused before there is a database", async (_, work, sentence) => {
  using here = place();
  await using operator = await openOperator({ DB_PATH: here.within("new/deep/server.db") });
  expect(await refusalOf(work(operator))).toContain(sentence);
  here.isAsBefore();
});

test("a database that this user can't look at isn't said to be missing", async () => {
  using here = place();
  // As root too, who may look everywhere.
  symlinkSync("loop", here.within("loop"));
  await using operator = await openOperator({ DB_PATH: here.within("loop/server.db") });
  for (const work of [() => operator.listAdmins(), () => operator.backup(here.within("copy.db"))]) {
    const path = here.within("loop/server.db");
    const sentence = `The database ${path} can't be reached (ELOOP): run this as the user that the server runs as.`;
    expect(await refusalOf(work())).toBe(sentence);
  }
});

test("restore makes no folder for what is no backup, and says when DB_PATH can't be", async () => {
  using here = place();
  const restore = async (dbPath: string): Promise<string> => {
    await using operator = await openOperator({ DB_PATH: here.within(dbPath) });
    return await refusalOf(operator.restore(here.within("text")));
  };
  expect(await restore("new/deep/server.db")).toBe(`${here.within("text")} is no backup of a digit-link database.`);
  expect(await restore("folder")).toContain("it is a folder: set DB_PATH");
  expect(await restore("other.db/server.db")).toContain("other.db is a file and no folder: set DB_PATH");
  here.isAsBefore();
});

const wrong: [string, string, string][] = [
  ["a folder", "folder", "it is a folder: set DB_PATH to a file, such as DB_PATH/digit-link.db."],
  ["a text", "text", "it is not a database: set DB_PATH to the server's, or to a file that is not there yet."],
  [
    "another program's database",
    "other.db",
    "it belongs to another program: set DB_PATH to the server's, or to a file that is not there yet.",
  ],
  ["below a file", "text/server.db", "FOLDER/text is a file and no folder: set DB_PATH to a file in a folder."],
  [
    "deep below a file",
    "text/a/b/server.db",
    "FOLDER/text is a file and no folder: set DB_PATH to a file in a folder.",
  ],
];

describe.each(wrong)("DB_PATH is %s:", (_, name, reason) => {
  const sentence = (folder: string): string => {
    const path = join(folder, name);
    return `The database file ${path} cannot be used: ${reason.replace("DB_PATH/", `${path}/`).replace("FOLDER", folder)}`;
  };

  test("commands say so", async () => {
    using here = place();
    await using operator = await openOperator({ DB_PATH: here.within(name) });
    const making = [() => operator.createAdmin("alice", null), () => operator.createAccount("bob")];
    for (const work of [...making, () => operator.allow("::1", "")])
      expect(await refusalOf(work())).toBe(sentence(here.folder));
    const missing = `There is no database ${here.within(name)}. Run this with the server's settings (DB_PATH) and folder.`;
    for (const work of [
      () => operator.listAdmins(),
      () => operator.changeToken("bob"),
      () => operator.verifyAudit(null),
    ])
      expect(await refusalOf(work())).toBe(name.includes("/") ? missing : sentence(here.folder));
    here.isAsBefore();
  });

  test("a server says so", async () => {
    using here = place();
    const child = Bun.spawn([process.execPath, await program("src/main.ts")], {
      env: {
        PATH: process.env["PATH"],
        ...testEnv(here.folder, { LOG_FORMAT: "json", DB_PATH: here.within(name) }),
      },
      stdio: ["ignore", "ignore", "pipe"],
    });
    const [said, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
    expect([
      exitCode,
      said
        .trim()
        .split("\n")
        .filter((line) => !line.startsWith("{")),
    ]).toEqual([1, [`digit-link: ${sentence(here.folder)}`]]);
    here.isAsBefore();
  }, 60_000);
});

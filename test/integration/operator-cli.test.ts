// The operator's commands as processes, on a database in a folder of their own, beside a server that has it open.

import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseToken } from "../../src/auth/tokens.ts";
import type { Change } from "../../src/db/changes.ts";
import { findAccountByEmail } from "../../src/db/sign-ins.ts";
import { createDatabase } from "../../src/db/database.ts";
import { exportLine } from "../../src/observe/audit-chain.ts";
import { eventually } from "../helpers/eventually.ts";

const program = join(import.meta.dir, "../../cli/main.ts");
const folder = mkdtempSync(join(tmpdir(), "digit-link-operator-"));
const path = join(folder, "data", "server.db");
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function digitLink(argv: string[], options: { env?: Record<string, string>; input?: string } = {}) {
  const child = Bun.spawn([process.execPath, program, ...argv], {
    cwd: folder,
    env: { PATH: process.env.PATH ?? "", HOME: folder, DB_PATH: path, BCRYPT_COST: "4", ...options.env },
    stdin: options.input === undefined ? "ignore" : new TextEncoder().encode(options.input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, problems, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { exitCode, out, problems };
}

describe("the operator's commands", () => {
  test("an administrator from first start to restore", async () => {
    const created = await digitLink(["admin", "create", "alice", "--allow", "127.0.0.0/8"]);
    expect(created).toMatchObject({ exitCode: 0 });
    expect(parseToken(created.out.trim())).toBe("dlt");
    expect(created.problems).toContain("Administrator alice is created");
    // Who stands in the wrong folder shall not wonder why the server knows nothing of it.
    expect(created.problems).toContain(`there was no database ${path}: a new one is made`);

    const heard: Change[] = [];
    const server = await createDatabase({
      url: null,
      path,
      pollMs: 20,
      onError: (error) => void Promise.reject(error),
    });
    await server.changes.start();
    server.changes.subscribe((changes) => void heard.push(...changes));

    const password = await digitLink(["admin", "set-password", "alice"], { input: "quiet-river-stone\n" });
    expect(password).toMatchObject({ exitCode: 0, problems: "" });
    expect(password.out).toContain("every session of the account is ended");
    const admins = await digitLink(["admin", "list", "--json"]);
    expect(JSON.parse(admins.out)).toEqual({ name: "alice", active: true, hasPassword: true, totp: false });
    expect((await digitLink(["admin", "reset-totp", "alice"])).exitCode).toBe(0);
    const bob = await digitLink(["account", "create", "bob"]);
    expect([parseToken(bob.out.trim()), bob.problems.includes("new one")]).toEqual(["dlt", false]);
    const people = await digitLink(["account", "list"]);
    expect(people.out.split("\n").map((line) => line.split(/ {2,}/))).toEqual([
      ["name", "state", "role", "organization", "last used"],
      ["alice", "active", "system admin", "none", "never"],
      ["bob", "active", "account", "none", "never"],
      [""],
    ]);
    const [, bobs] = (await digitLink(["account", "list", "--json"])).out.split("\n");
    const nobody = { organization: null, email: null, lastUsedAt: null };
    expect(JSON.parse(bobs ?? "")).toEqual({ name: "bob", active: true, role: "account", ...nobody });
    const renewed = await digitLink(["account", "token", "bob"]);
    expect([renewed.exitCode, parseToken(renewed.out.trim())]).toEqual([0, "dlt"]);
    expect(renewed.problems).toContain("the old one is void");

    const email = await digitLink(["account", "email", "bob", "Bob@Example.com"]);
    expect(email).toMatchObject({
      exitCode: 0,
      problems: "",
      out: expect.stringContaining("The address of bob is set"),
    });
    const account = await findAccountByEmail(server.kysely, "bob@example.com");
    expect(account?.username).toBe("bob");
    expect((await digitLink(["account", "list", "--json"])).out).toContain('"email":"bob@example.com"');
    expect((await digitLink(["account", "email", "bob", "--remove"])).out).toContain("is removed");
    expect(await findAccountByEmail(server.kysely, "bob@example.com")).toBeNull();

    expect(await digitLink(["whitelist", "add", "192.0.2.7", "-d", "office"])).toMatchObject({
      exitCode: 0,
      out: "Agents from 192.0.2.7 may open tunnels.\n",
    });
    const listed = await digitLink(["whitelist", "list"], { env: { AGENT_WHITELIST: "10.0.0.0/8" } });
    for (const text of ["127.0.0.0/8", "192.0.2.7", "office", "10.0.0.0/8", "env"]) expect(listed.out).toContain(text);
    expect((await digitLink(["whitelist", "remove", "192.0.2.7"])).exitCode).toBe(0);
    await eventually(
      () => heard.some(({ kind, action }) => kind === "whitelist" && action === "deleted"),
      "the server hears",
    );

    expect((await digitLink(["audit", "verify"])).out).toContain("Intact");
    const lines = (await server.kysely.selectFrom("audit_log").selectAll().orderBy("seq").execute()).map(exportLine);
    writeFileSync(join(folder, "export.jsonl"), lines.join("\n").replace("alice", "mallory"));
    const verdict = await digitLink(["audit", "verify", "export.jsonl"]);
    expect(verdict.exitCode).toBe(1);
    expect(verdict.problems).toContain("Not intact at row 1");

    expect(await digitLink(["backup", "monday.db"])).toMatchObject({ exitCode: 0 });
    const busy = await digitLink(["restore", "monday.db"]);
    expect(busy.exitCode).toBe(1);
    expect(busy.problems).toContain("stop the server first");
    await server.close();
    expect(await digitLink(["restore", "monday.db"])).toMatchObject({ exitCode: 0 });
  }, 60_000);

  const closed = 'exec "$@" >&-';
  const readerGone = 'mkfifo f && exec 3<>f 4>f 3>&- && rm f && exec "$@" >&4 4>&-';
  test.each([
    ["admin create", "carol", "it is closed", closed],
    ["account create", "dave", "nobody reads it", readerGone],
    ["account token", "dave", "nobody reads it", readerGone],
  ])(
    "%s: a token that reaches nobody is no success, and it is said how to get another",
    async (words, name, why, by) => {
      const argv = [process.execPath, program, ...words.split(" "), name];
      const child = Bun.spawn(["sh", "-c", by, "sh", ...argv], {
        cwd: folder,
        env: { PATH: process.env.PATH ?? "", HOME: folder, DB_PATH: path },
        stdio: ["ignore", "ignore", "pipe"],
      });
      const [problems, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
      const sentence = `The token cannot be written to standard output: ${why}. Make another one: digit-link account token ${name}`;
      expect([exitCode, problems.trim().split("\n").at(-1)]).toEqual([1, `digit-link: ${sentence}`]);
      expect(parseToken((await digitLink(["account", "token", name])).out.trim())).toBe("dlt");
    },
  );

  test("--config names the server's settings file, as for the server itself", async () => {
    writeFileSync(join(folder, "other.toml"), 'db_path = "other/server.db"\n');
    const other = (argv: string[]) => digitLink([...argv, "--config", "other.toml"], { env: { DB_PATH: "" } });
    expect(await other(["admin", "create", "olga"])).toMatchObject({ exitCode: 0 });
    expect(JSON.parse((await other(["admin", "list", "--json"])).out)).toMatchObject({ name: "olga" });
    expect(await other(["whitelist", "add", "192.0.2.8"])).toMatchObject({ exitCode: 0 });
    const lost = Bun.spawnSync(
      ["sh", "-c", closed, "sh", process.execPath, program, "account", "token", "olga", "--config", "other.toml"],
      { cwd: folder, env: { PATH: process.env.PATH ?? "", HOME: folder }, stdio: ["ignore", "ignore", "pipe"] },
    );
    expect(lost.stderr.toString()).toEndWith("Make another one: digit-link account token olga --config other.toml\n");
    expect(await other(["backup", "olga.db"])).toMatchObject({ exitCode: 0 });
    expect(await digitLink(["admin", "list", "--config", "none.toml"])).toEqual({
      ...{ exitCode: 2, out: "" },
      problems: expect.stringMatching(/^digit-link: The configuration file none.toml cannot be read: .*\n$/),
    });
  }, 60_000);

  test("mistakes are one sentence and an exit code", async () => {
    const cases: [string[], number, string][] = [
      [
        ["admin", "create", "alice"],
        1,
        'There is an account alice already: a new token of it is made by "digit-link account token alice".',
      ],
      [["admin", "create", "!"], 2, "username must have"],
      [["account", "email", "bob", "bob"], 2, "email must be one plain address"],
      [["account", "email", "bob"], 2, "Say the account's name and its address"],
      [["account", "email", "nobody", "n@example.com"], 1, "There is no account nobody."],
      [["admin", "reset-totp", "nobody"], 1, "There is no account nobody."],
      [["account", "token", "nobody"], 1, "There is no account nobody."],
      [["whitelist", "remove", "192.0.2.99"], 1, "192.0.2.99 is not on the list."],
      [["whitelist", "add", "here"], 2, "here is neither"],
      [["restore", "none.db"], 1, "There is no file none.db."],
    ];
    for (const [argv, exitCode, sentence] of cases) {
      const result = await digitLink(argv);
      expect({ argv, exitCode: result.exitCode, out: result.out }).toEqual({ argv, exitCode, out: "" });
      expect(result.problems).toContain(sentence);
      expect(result.problems.trim().split("\n")).toHaveLength(1);
    }
  }, 60_000);
});

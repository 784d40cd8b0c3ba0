// The command line as a process: help, mistakes, exit codes, and what a terminal shows.

import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  closeSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCli } from "../helpers/cli-process.ts";

const program = join(import.meta.dir, "../../cli/main.ts");
const folder = mkdtempSync(join(tmpdir(), "digit-link-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const { digitLink, onTerminal } = createCli(folder);

describe("help and version", () => {
  test.each([[[]], [["--help"]], [["-h"]], [["help"]]])("%j shows the program's help", async (argv) => {
    const { exitCode, out, problems } = await digitLink(argv);
    expect([exitCode, problems]).toEqual([0, ""]);
    expect(out).toContain("digit-link http 3000");
    expect(out).not.toContain("\u001b");
  });

  test.each([
    [["--version"]],
    [["-v"]],
    [["version"]],
    [["http", "--version"]],
    [["server", "--version"]],
    [["server", "--port", "1", "--version"]],
    [["server", "-v", "--port", "1"]],
    [["admin", "-v"]],
  ])("%j shows the version", async (argv) => {
    const { exitCode, out } = await digitLink(argv);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^digit-link \d+\.\d+\.\d+ \(Bun \d+\.\d+\.\d+\)\n$/);
  });

  test.each([
    ["http", ["http", "--nope", "--help"]],
    ["http", ["--nope", "--help"]],
    ["http", ["3000", "-qh"]],
    ["tcp", ["--nope", "tcp", "--help"]],
    ["tcp", ["--subdomain", "http", "-h", "tcp"]],
    ["server", ["--json", "server", "-h"]],
    ["server", ["server", "--port", "1", "--port", "2", "--help"]],
    ["admin", ["admin", "--nope", "--help"]],
    ["admin", ["--json", "admin", "--help"]],
    ["login", ["help", "login", "--nope"]],
  ])("that of %s wins over other mistakes on the line: %j", async (name, argv) => {
    const { exitCode, out, problems } = await digitLink(argv);
    expect([exitCode, problems]).toEqual([0, ""]);
    expect(out).toStartWith(`digit-link ${name} ·`);
  });
});

test.each([
  [["htpp", "3000"], 'Unknown command "htpp"; did you mean "http"?'],
  [["banana"], 'Unknown command "banana"; "digit-link --help" lists what there is.'],
  [["http", "3000", "--sudomain", "x"], "Unknown flag --sudomain; did you mean --subdomain?"],
  [["http", "3000", "--remote-port", "20007"], 'Unknown flag --remote-port; "digit-link tcp" has it.'],
  [["tcp", "5432", "-n", "x"], 'Unknown flag -n; "digit-link http" has it.'],
  [["tcp", "5432", "--inspect", "4040"], 'Unknown flag --inspect; "digit-link http" has it.'],
  [["--server", "https://a.example", "--prot", "3000"], "Unknown flag --prot; did you mean --port?"],
  [["http", "0"], '"0" is not a port; a port is a number from 1 to 65535.'],
  [["70000"], '"70000" is not a port; a port is a number from 1 to 65535.'],
  [["http", "3000", "--connections", "9"], '--connections "9" is not possible; it takes a whole number from 1 to 8.'],
  [
    ["http", "3000"],
    'No server is known; give --server URL, set DIGIT_LINK_SERVER, or save it with "digit-link login".',
  ],
  [
    ["http", "3000", "--server", "ftp://a"],
    'The server "ftp://a" is no address; write it like https://tunnel.example.com.',
  ],
  [
    ["--subdomain", "http", "--json", "http", "3000"],
    'No server is known; give --server URL, set DIGIT_LINK_SERVER, or save it with "digit-link login".',
  ],
  [["--remote-port", "0", "tcp", "22"], '--remote-port "0" is not a port; a port is a number from 1 to 65535.'],
  [["--quiet", "server"], 'Write "digit-link server" first, then the flags.'],
  [["--quiet", "admin"], 'Write "digit-link admin" first, then the flags.'],
  [["http", "3000", "--json", "--quiet"], "--json and --quiet are both given; give one."],
  [["whitelist", "list", "10.0.0.0/8"], '"digit-link whitelist list" takes no argument; leave 10.0.0.0/8 out.'],
  [["login", "a", "b"], "login takes one server; give the token by --token-file, standard input, or when asked."],
])("%j ends with 2 and one sentence", async (argv, sentence) => {
  expect(await digitLink(argv)).toEqual({ exitCode: 2, out: "", problems: `digit-link: ${sentence}\n` });
});

describe("settings", () => {
  test("each one with meaning, allowed values and default, as in docs/configuration.md", async () => {
    const { exitCode, out, problems } = await digitLink(["settings"]);
    expect([exitCode, problems]).toEqual([0, ""]);
    const docs = await Bun.file(join(import.meta.dir, "../../docs/configuration.md")).text();
    const cells = [...docs.matchAll(/^\| `(\w+)` \| (.*) \| (.*) \| (.*) \|$/gm)];
    expect(cells.length).toBeGreaterThan(50);
    const flat = out.replace(/\s+/g, " ");
    for (const [, name, doc, allowed, initial] of cells)
      expect(flat).toContain(
        ` ${name} ${doc} allowed: ${allowed} default: ${initial!.replaceAll("`", "")} `.replaceAll("\\|", "|"),
      );
    for (const line of out.split("\n")) expect(Bun.stringWidth(line)).toBeLessThanOrEqual(80);
  });

  test("a word finds those with it in name or meaning, in each spelling", async () => {
    for (const word of ["DB_PATH", "db-path", "--db-path"]) {
      const { exitCode, out } = await digitLink(["settings", ...(word.startsWith("--") ? ["--", word] : [word])]);
      expect([exitCode, out.match(/^[A-Z_0-9]+$/gm)]).toEqual([0, ["DB_PATH"]]);
    }
    expect((await digitLink(["settings", "certificate"])).out).toContain("\nTLS_CERT\n");
    expect(await digitLink(["settings", "banana"])).toEqual({
      exitCode: 2,
      out: "",
      problems: `digit-link: No setting has "banana" in its name or meaning; "digit-link settings" lists all.\n`,
    });
  });
});

describe("a password that is not one line of text is refused, not cut", () => {
  const sentence = "no password: that is one line of text without control characters. Nothing was changed.";

  test.each([
    ["two lines pasted", "quiet-river-stone\rsecond line\r"],
    ["an arrow", "quiet-river-\u001b[Dstone\r"],
    ["Ctrl-Z", "quiet-river-stone\u001a\r"],
  ])("on a terminal: %s", async (_, typed) => {
    const talk = [["(not shown): ", typed]] as const;
    const { exitCode, screen } = await onTerminal(["admin", "set-password", "alice"], talk);
    expect([exitCode, screen.replaceAll("\r\n", "\n")]).toEqual([
      2,
      expect.stringContaining(`(not shown): \ndigit-link: The input holds something that is ${sentence}\n`),
    ]);
  });

  test.each([["quiet-river-stone\nsecond line\n"], ["quiet-\triver-stone"]])(
    "from standard input: %j",
    async (input) => {
      const problems = `digit-link: Standard input holds something that is ${sentence}\n`;
      expect(await digitLink(["admin", "set-password", "alice"], { input })).toEqual({
        exitCode: 2,
        out: "",
        problems,
      });
    },
  );

  test("nor is a token", async () => {
    const argv = ["login", "http://127.0.0.1:1"];
    const { exitCode, screen } = await onTerminal(argv, [["(not shown): ", "dlt_one\rdlt_two\r"]]);
    expect([exitCode, screen]).toEqual([2, expect.stringContaining("The input holds something that is no token;")]);
  });
});

describe("security", () => {
  test("a password given as an argument is refused and not repeated", async () => {
    const { exitCode, out, problems } = await digitLink(["admin", "set-password", "alice", "hunter2"]);
    expect([exitCode, out]).toEqual([2, ""]);
    expect(problems).toContain("One argument is enough here");
    expect(problems).not.toContain("hunter2");
  });
});

test("a broken settings file is one sentence", async () => {
  const config = join(folder, "broken");
  mkdirSync(join(config, "digit-link"), { recursive: true });
  writeFileSync(join(config, "digit-link", "config.json"), "{");
  chmodSync(join(config, "digit-link", "config.json"), 0o600);
  const { exitCode, problems } = await digitLink(["3000"], { env: { XDG_CONFIG_HOME: config } });
  expect(exitCode).toBe(2);
  expect(problems).toContain('are not valid JSON; delete the file and run "digit-link login" again.');
});

test("help on a terminal is coloured unless NO_COLOR says no", async () => {
  expect((await onTerminal(["--help"], [])).screen).toContain("\u001b[1m");
  expect((await onTerminal(["--help"], [], { NO_COLOR: "1" })).screen).not.toContain("\u001b[");
});

test.skipIf(!existsSync("/dev/full"))("output that cannot be written, a new token say, is no success", async () => {
  const full = openSync("/dev/full", "w");
  const child = Bun.spawn([process.execPath, program, "--version"], {
    stdio: ["ignore", full, "pipe"],
  });
  closeSync(full);
  const [problems, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
  expect(problems).toBe("digit-link: The output cannot be written: the disk is full.\n");
  expect(exitCode).toBe(1);
});

test("node instead of bun gets a sentence", () => {
  const node = Bun.which("node");
  expect(node).not.toBeNull();
  const built = join(folder, "main.mjs");
  writeFileSync(built, new Bun.Transpiler({ loader: "ts" }).transformSync(readFileSync(program, "utf8")));
  const result = Bun.spawnSync([node ?? "node", built], { stderr: "pipe" });
  expect(result.exitCode).toBe(1);
  expect(result.stderr.toString()).toBe(
    "digit-link: This program runs on Bun, not on Node; install it (npm install -g bun) and use: bunx digit-link\n",
  );
});

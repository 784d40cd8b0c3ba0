// The command line as a process: help, mistakes, exit codes, login, and what a terminal shows.

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const program = join(import.meta.dir, "../../cli/main.ts");
const folder = mkdtempSync(join(tmpdir(), "digit-link-cli-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Result {
  exitCode: number;
  out: string;
  problems: string;
}

async function digitLink(
  argv: string[],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<Result> {
  const child = Bun.spawn([process.execPath, program, ...argv], {
    env: { PATH: process.env.PATH ?? "", HOME: folder, XDG_CONFIG_HOME: join(folder, "config"), ...options.env },
    stdin: options.input === undefined ? "ignore" : new TextEncoder().encode(options.input),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, problems, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { exitCode, out, problems };
}

/** Runs on a pseudo-terminal; answers each expected text with what a person would type. */
async function onTerminal(
  argv: string[],
  talk: readonly (readonly [wait: string, type: string])[],
  env: Record<string, string> = {},
): Promise<{ exitCode: number; screen: string }> {
  let screen = "";
  let step = 0;
  const child = Bun.spawn([process.execPath, program, ...argv], {
    env: { PATH: process.env.PATH ?? "", HOME: folder, XDG_CONFIG_HOME: join(folder, "config"), TERM: "xterm", ...env },
    terminal: {
      cols: 90,
      rows: 24,
      data(terminal, data) {
        screen += new TextDecoder().decode(data);
        const next = talk[step];
        if (next !== undefined && screen.includes(next[0])) {
          step++;
          terminal.write(next[1]);
        }
      },
    },
  });
  const exitCode = await child.exited;
  child.terminal?.close();
  return { exitCode, screen };
}

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
    [["admin", "-v"]],
  ])("%j shows the version", async (argv) => {
    const { exitCode, out } = await digitLink(argv);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^digit-link \d+\.\d+\.\d+ \(Bun \d+\.\d+\.\d+\)\n$/);
  });

  test("help wins over other mistakes on the line", async () => {
    const { exitCode, out } = await digitLink(["http", "--nope", "--help"]);
    expect(exitCode).toBe(0);
    expect(out).toContain("--subdomain");
  });
});

test.each([
  [["htpp", "3000"], 'Unknown command "htpp"; did you mean "http"?'],
  [["banana"], 'Unknown command "banana"; "digit-link --help" lists what there is.'],
  [["http", "3000", "--sudomain", "x"], "Unknown flag --sudomain; did you mean --subdomain?"],
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
  [["http", "3000", "--json", "--quiet"], "--json and --quiet are both given; give one."],
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

describe("security", () => {
  test("a password given as an argument is refused and not repeated", async () => {
    const { exitCode, out, problems } = await digitLink(["admin", "set-password", "alice", "hunter2"]);
    expect([exitCode, out]).toEqual([2, ""]);
    expect(problems).toContain("One argument is enough here");
    expect(problems).not.toContain("hunter2");
  });
});

describe("login", () => {
  const healthy = () => Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("{}") });

  test("saves what standard input gives, for its owner only, and says where", async () => {
    await using server = healthy();
    const config = join(folder, "from-stdin");
    const origin = `http://127.0.0.1:${server.port}`;
    const { exitCode, out, problems } = await digitLink(["login", origin], {
      input: "dlt_secret\n",
      env: { XDG_CONFIG_HOME: config },
    });
    const path = join(config, "digit-link", "config.json");
    expect([exitCode, problems]).toEqual([0, ""]);
    expect(out).toContain(path);
    expect(out).toContain("The server answers.");
    expect(out).not.toContain("dlt_secret");
    expect(JSON.parse(readFileSync(path, "utf8"))).toEqual({ server: origin, token: "dlt_secret" });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
  });

  test("asks on a terminal and shows nothing of the token", async () => {
    await using server = healthy();
    const config = join(folder, "from-terminal");
    const { exitCode, screen } = await onTerminal(
      ["login"],
      [
        ["Server (https://…): ", `127.0.0.1:${server.port}\n`],
        ["(not shown): ", "dlt_wronG\u007f\u0015dlt_typeX\u007fd\r"],
      ],
      { XDG_CONFIG_HOME: config },
    );
    expect(exitCode).toBe(0);
    expect(screen).not.toContain("dlt_");
    const saved = JSON.parse(readFileSync(join(config, "digit-link", "config.json"), "utf8"));
    expect(saved).toEqual({ server: `http://127.0.0.1:${server.port}`, token: "dlt_typed" });
  });

  test("Ctrl-C while asking saves nothing", async () => {
    const config = join(folder, "interrupted");
    const { exitCode } = await onTerminal(["login", "https://a.example"], [["(not shown): ", "dlt_\u0003"]], {
      XDG_CONFIG_HOME: config,
    });
    expect(exitCode).toBe(130);
    expect(existsSync(join(config, "digit-link", "config.json"))).toBe(false);
  });

  test("a server that does not answer is a warning, not a failure", async () => {
    const config = join(folder, "unreachable");
    const { exitCode, problems } = await digitLink(["login", "http://127.0.0.1:1"], {
      input: "t",
      env: { XDG_CONFIG_HOME: config },
    });
    expect(exitCode).toBe(0);
    expect(problems).toContain("warning: http://127.0.0.1:1 does not answer right now");
    expect(existsSync(join(config, "digit-link", "config.json"))).toBe(true);
  });

  test("a place that cannot be written fails with one sentence", async () => {
    const config = join(folder, "blocked");
    writeFileSync(config, "a file where a directory should be");
    const { exitCode, problems } = await digitLink(["login", "http://127.0.0.1:1"], {
      input: "t",
      env: { XDG_CONFIG_HOME: config },
    });
    expect(exitCode).toBe(1);
    expect(problems).toMatch(/^digit-link: Nothing was saved: .*config\.json cannot be written: .*\.\n$/);
  });

  test.each([
    ["", "Standard input holds no token."],
    ["two words", "Standard input holds something that is no token; a token is one word of printable characters."],
  ])("no token in %j", async (input, sentence) => {
    const { exitCode, problems } = await digitLink(["login", "http://127.0.0.1:1"], { input });
    expect([exitCode, problems]).toEqual([2, `digit-link: ${sentence}\n`]);
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

// scripts/with-bun.mjs on a bare machine: finds or installs the pinned Bun, installs packages once, passes everything through.

import { afterAll, beforeEach, describe, expect, test } from "bun:test";
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const source = join(import.meta.dir, "../../scripts/with-bun.mjs");
const folder = mkdtempSync(join(tmpdir(), "digit-link-with-bun-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const node = Bun.which("node") ?? "node";
const lockfile = `{
  "lockfileVersion": 2,
  "configVersion": 1,
  "workspaces": { "": { "name": "sample", "dependencies": { "near": "file:./near" } } },
  "packages": { "near": ["near@file:near", {}] },
}
`;
let project = "";
let binaries = "";

beforeEach(() => {
  project = mkdtempSync(join(folder, "project-"));
  binaries = join(project, "bin");
  for (const path of ["scripts", "bin"]) mkdirSync(join(project, path));
  copyFileSync(source, join(project, "scripts/with-bun.mjs"));
  // One package that lies beside, so that installing needs no registry.
  mkdirSync(join(project, "near"));
  writeFileSync(join(project, "near/package.json"), '{ "name": "near", "version": "1.0.0" }\n');
  writeFileSync(join(project, "package.json"), '{ "name": "sample", "dependencies": { "near": "file:./near" } }\n');
  writeFileSync(join(project, "bun.lock"), lockfile);
  writeFileSync(
    join(project, "scripts/sample.ts"),
    `process.on("SIGTERM", () => process.exit(7));
process.on("SIGINT", () => process.exit(8));
console.log(JSON.stringify({ version: Bun.version, args: process.argv.slice(2), bun: Bun.which("bun") }));
if (process.argv[2] === "wait") setInterval(() => {}, 1000); else process.exit(Number(process.argv[2] ?? 0));
`,
  );
  symlinkSync(node, join(binaries, "node"));
});

function executable(name: string, text: string): void {
  writeFileSync(join(binaries, name), `#!/bin/sh\n${text}\n`);
  chmodSync(join(binaries, name), 0o755);
}

function start(argv: string[], path: string) {
  return Bun.spawn([node, join(project, "scripts/with-bun.mjs"), ...argv], {
    env: { PATH: path, HOME: project },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function finish(child: ReturnType<typeof start>) {
  const [out, problems, exitCode] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
  return { out, problems, exitCode };
}

/** The system's own tools for the stand-ins for npm; no Bun among them. */
const system = "/usr/bin:/bin";

describe("finding Bun", () => {
  test("on PATH; arguments and exit code pass through; packages are installed once", async () => {
    symlinkSync(process.execPath, join(binaries, "bun"));
    const first = await finish(start(["scripts/sample.ts", "3", "--x"], binaries));
    expect(first.exitCode).toBe(3);
    expect(JSON.parse(first.out)).toEqual({ version: Bun.version, args: ["3", "--x"], bun: join(binaries, "bun") });
    expect(first.problems).toBe("· Installing packages as bun.lock lists them …\n");
    const second = await finish(start(["scripts/sample.ts"], binaries));
    expect([second.exitCode, second.problems]).toEqual([0, ""]);
  });

  test("another version on PATH is passed over", async () => {
    executable("bun", "echo 1.0.0");
    const { exitCode, out } = await finish(start(["scripts/sample.ts"], `${binaries}:${dirname(process.execPath)}`));
    expect(exitCode).toBe(0);
    expect(JSON.parse(out).version).toBe(Bun.version);
  });

  test("from npm, where install scripts do not run and some platform's binary does not start", async () => {
    executable(
      "npm",
      `for word in "$@"; do last="$word"; done
[ "$last" = bun@${Bun.version} ] || exit 9
mkdir -p node_modules/@oven/bun-a/bin node_modules/@oven/bun-b/bin
echo broken > node_modules/@oven/bun-a/bin/bun
ln ${process.execPath} node_modules/@oven/bun-b/bin/bun 2>/dev/null || cp ${process.execPath} node_modules/@oven/bun-b/bin/bun`,
    );
    const path = `${binaries}:${system}`;
    const first = await finish(start(["scripts/sample.ts", "4"], path));
    expect(first.problems).toStartWith(`· Installing Bun ${Bun.version} from npm into .bun`);
    expect(first.exitCode).toBe(4);
    expect(JSON.parse(first.out).bun).toBe(join(project, ".bun/node_modules/@oven/bun-b/bin/bun"));
    expect((await finish(start(["scripts/sample.ts"], path))).problems).toBe("");
  });
});

describe("failing with one sentence", () => {
  test("npm cannot reach its registry", async () => {
    executable(
      "npm",
      'echo "npm warn something" >&2; echo "npm error code ECONNREFUSED" >&2; echo "npm error request to http://127.0.0.1:1/bun failed" >&2; exit 1',
    );
    const { exitCode, problems } = await finish(start(["scripts/sample.ts"], `${binaries}:${system}`));
    expect(exitCode).toBe(1);
    expect(problems.trimEnd().split("\n").at(-1)).toBe(
      `digit-link: Bun ${Bun.version} could not be installed: request to http://127.0.0.1:1/bun failed.`,
    );
  });

  test("there is no npm", async () => {
    const { exitCode, problems } = await finish(start(["scripts/sample.ts"], binaries));
    expect(exitCode).toBe(1);
    expect(problems).toContain("npm is not installed.");
  });

  test("packages that do not match bun.lock", async () => {
    symlinkSync(process.execPath, join(binaries, "bun"));
    writeFileSync(join(project, "package.json"), '{ "name": "sample", "dependencies": { "left-pad": "1.3.0" } }\n');
    writeFileSync(join(project, "bunfig.toml"), '[install]\nregistry = "http://127.0.0.1:1/"\n');
    const { exitCode, problems } = await finish(start(["scripts/sample.ts"], binaries));
    expect(exitCode).toBe(1);
    expect(problems).toMatch(/digit-link: The packages could not be installed: .+\.\n$/);
    expect(existsSync(join(project, "node_modules/.made-for"))).toBe(false);
  });

  test("the script does not exist", async () => {
    const { exitCode, problems } = await finish(start(["scripts/nope.ts"], binaries));
    expect([exitCode, problems]).toEqual([1, "digit-link: There is no scripts/nope.ts.\n"]);
  });
});

test.each([
  ["SIGTERM", 7],
  ["SIGINT", 8],
] as const)("%s reaches the script, and its exit code comes back", async (signal, exitCode) => {
  symlinkSync(process.execPath, join(binaries, "bun"));
  const child = start(["scripts/sample.ts", "wait"], binaries);
  const reader = child.stdout.getReader();
  await reader.read();
  child.kill(signal);
  expect(await child.exited).toBe(exitCode);
});

/** Runs the script as npm does, in a shell; the script waits. */
function startInShell() {
  return Bun.spawn(["/bin/sh", "-c", `${node} scripts/with-bun.mjs scripts/sample.ts wait; true`], {
    cwd: project,
    env: { PATH: binaries, HOME: project, npm_lifecycle_event: "demo" },
    stdio: ["ignore", "pipe", "ignore"],
  });
}

test("a signal to npm alone, which ends npm's shell without a word, ends the script too", async () => {
  symlinkSync(process.execPath, join(binaries, "bun"));
  const shell = startInShell();
  const reader = shell.stdout.getReader();
  await reader.read();
  shell.kill("SIGTERM");
  // The pipe ends when nobody is left who could write to it.
  for (let ended = false; !ended;) ended = (await reader.read()).done;
});

test("a signal to npm alone ends the script also when it came before the script began", async () => {
  // Asked for its version by the launcher, whose parent is the shell, it ends that shell.
  executable(
    "bun",
    `[ "$1" = --version ] && read -r _ _ _ shell _ < /proc/$PPID/stat && kill "$shell"\nexec ${process.execPath} "$@"`,
  );
  const shell = startInShell();
  expect(await shell.stdout.text()).toContain(Bun.version);
  expect(shell.signalCode).toBe("SIGTERM");
});

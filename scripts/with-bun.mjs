// Runs a script with the one Bun version this project is made for, installing Bun and the packages when they are missing.
// Plain Node, so that `npm run demo` and `npm test` work on a machine that has nothing but Node and npm:
//   node scripts/with-bun.mjs scripts/demo.ts [ARGUMENTS]

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  accessSync,
  chmodSync,
  constants as fsConstants,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { constants as osConstants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const bunVersion = "1.4.5";
const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const bunHome = join(root, ".bun");
// Read at once: npm may be told to end at any time.
const shell = process.ppid;
const executable = process.platform === "win32" ? "bun.exe" : "bun";

const [script, ...scriptArguments] = process.argv.slice(2);
if (script === undefined) fail("Say which script to run: node scripts/with-bun.mjs scripts/demo.ts");
if (!existsSync(resolve(root, script))) fail(`There is no ${script}.`);
if (Number(process.versions.node.split(".")[0]) < 18)
  fail(`Node 18 or newer is needed, and this is ${process.versions.node}.`);

const bun = findBun() ?? installBun();
const environment = { ...process.env, PATH: `${dirname(bun)}${delimiter}${process.env.PATH ?? ""}` };
installPackages();
run();

/** The path of a Bun of exactly our version, or null. */
function findBun() {
  const onPath = (process.env.PATH ?? "")
    .split(delimiter)
    .filter((folder) => folder !== "")
    .map((folder) => join(folder, executable));
  const candidates = [...installedBuns(), join(root, "node_modules", ".bin", executable), ...onPath];
  return candidates.find((path) => versionOf(path) === bunVersion) ?? null;
}

/** Where npm may have put the program: npm's own `bun` package is only a launcher, the binary lies in a package per platform. */
function installedBuns() {
  const modules = join(bunHome, "node_modules");
  const platforms = existsSync(join(modules, "@oven")) ? readdirSync(join(modules, "@oven")) : [];
  return platforms.map((platform) => join(modules, "@oven", platform, "bin", executable));
}

/** What `bun --version` says; null when it does not run (another platform's binary, for example). */
function versionOf(path) {
  if (!existsSync(path)) return null;
  try {
    accessSync(path, fsConstants.X_OK);
  } catch {
    // Some npm versions drop the executable bit when install scripts are off; only our own copy may be mended.
    if (!path.startsWith(bunHome)) return null;
    chmodSync(path, 0o755);
  }
  const result = spawnSync(path, ["--version"], { encoding: "utf8", timeout: 30_000 });
  return result.status === 0 ? result.stdout.trim() : null;
}

function installBun() {
  step(`Installing Bun ${bunVersion} from npm into .bun (about 100 MB, once) …`);
  // What an interrupted attempt left behind looks complete to npm.
  rmSync(join(bunHome, "node_modules"), { recursive: true, force: true });
  mkdirSync(bunHome, { recursive: true });
  // A package.json of its own keeps npm from walking up to ours.
  writeFileSync(join(bunHome, "package.json"), '{ "private": true }\n');
  const flags = [
    "--prefix",
    bunHome,
    "--no-save",
    "--no-audit",
    "--no-fund",
    "--no-package-lock",
    "--include=optional",
    "--ignore-scripts",
    "--loglevel=error",
  ];
  const result = runNpm(["install", ...flags, `bun@${bunVersion}`]);
  const found = findBun();
  if (found !== null) return found;
  const why =
    result.status === 0 ? `npm has no Bun that runs on ${process.platform} ${process.arch}` : reasonOf(result);
  return fail(`Bun ${bunVersion} could not be installed: ${why}.`);
}

function runNpm(args) {
  // Under `npm run` this is the very npm that started us.
  const cli = process.env.npm_execpath;
  const options = { cwd: bunHome, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] };
  if (cli !== undefined && /npm-cli\.c?js$/.test(cli)) return spawnSync(process.execPath, [cli, ...args], options);
  return spawnSync("npm", args, { ...options, shell: process.platform === "win32" });
}

/** Brings node_modules up to bun.lock; a mark inside says for which one it was made. */
function installPackages() {
  const mark = join(root, "node_modules", ".made-for");
  const hash = createHash("sha256").update(bunVersion);
  for (const file of ["package.json", "bun.lock"]) hash.update(readFileSync(join(root, file)));
  const wanted = hash.digest("hex");
  if (existsSync(mark) && readFileSync(mark, "utf8") === wanted) return;
  step("Installing packages as bun.lock lists them …");
  const result = spawnSync(bun, ["install", "--frozen-lockfile", "--ignore-scripts"], {
    cwd: root,
    env: environment,
    encoding: "utf8",
    stdio: ["ignore", "pipe", "pipe"],
  });
  if (result.status !== 0) fail(`The packages could not be installed: ${reasonOf(result)}.`);
  writeFileSync(mark, wanted);
}

function run() {
  let child = null;
  // Before the script runs: it may be told to stop as soon as it says a word, and a signal that nobody hears would end us alone.
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) {
    // A terminal's Ctrl-C reaches the child by itself; handing it on would make it two.
    process.on(signal, () => (signal === "SIGINT" && process.stdin.isTTY ? undefined : child.kill(signal)));
  }
  child = spawn(bun, [resolve(root, script), ...scriptArguments], {
    cwd: root,
    env: environment,
    stdio: "inherit",
  });
  child.on("error", (error) => fail(`${script} could not be started: ${error.message}.`));
  child.on("exit", (code, signal) => process.exit(signal === null ? (code ?? 1) : 128 + osConstants.signals[signal]));
  if (process.env.npm_lifecycle_event === undefined) return;
  // npm runs us in a shell, and a signal to npm ends that shell without a word to us.
  const watch = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(watch);
    child.kill("SIGTERM");
  }, 250);
}

/** The line of a failed command's output that says why, without a full stop. */
function reasonOf(result) {
  if (result.error !== undefined) return result.error.code === "ENOENT" ? "npm is not installed" : result.error.message;
  const lines = `${result.stderr ?? ""}\n${result.stdout ?? ""}`.split("\n").map((line) => line.trim());
  const telling = lines
    .filter((line) => /^(npm (error|ERR!)|error:)/i.test(line))
    .map((line) => line.replace(/^(npm (error|ERR!)|error:)\s*/i, ""));
  const best = telling.find((line) => /\s/.test(line) && !/^code |^errno |^syscall /.test(line)) ?? telling[0];
  return (best ?? `it ended with ${result.status ?? result.signal}`).replace(/\.$/, "");
}

function step(text) {
  process.stderr.write(`· ${text}\n`);
}

function fail(text) {
  process.stderr.write(`digit-link: ${text}\n`);
  process.exit(1);
}

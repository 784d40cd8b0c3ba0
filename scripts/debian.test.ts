// Debian packages of a fresh machine: what is asked of apt-get, and what is said when it can't help.

import { afterAll, beforeEach, expect, test } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type DebianPackage, ensurePackages } from "./debian.ts";

const root = mkdtempSync(join(tmpdir(), "digit-link-debian-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

let folder: string;
let said: string[];
let runs = 0;
beforeEach(() => {
  folder = join(root, String(++runs));
  mkdirSync(folder);
  said = [];
});

/** Puts an apt-get on the path that notes its words and installs packages as files; `faults` are lines of its shell. */
function provideAptGet(faults = ""): void {
  const script = `#!/bin/sh
echo "$DEBIAN_FRONTEND: $*" >>calls
${faults}
if [ "$1" = install ]; then
  shift 4
  for name in "$@"; do : >"$name"; done
fi
`;
  // By the script's own folder, whatever the one of whoever calls.
  writeFileSync(join(folder, "apt-get"), script.replace("\n", `\ncd "${folder}"\n`), { mode: 0o755 });
}

const wanted = (name: string, more: Partial<DebianPackage> = {}): DebianPackage => ({
  name,
  isThere: () => existsSync(join(folder, name)),
  ...more,
});
const isThere = { isThere: () => true };
const ensure = (packages: DebianPackage[], isRoot = true): boolean =>
  ensurePackages(packages, (line) => said.push(line), { isRoot, env: { PATH: folder } });
const calls = (): string[] =>
  existsSync(join(folder, "calls")) ? readFileSync(join(folder, "calls"), "utf8").trim().split("\n") : [];
const update = "noninteractive: update -qq";
const install = (...names: string[]): string =>
  `noninteractive: install -y -qq --no-install-recommends ${names.join(" ")}`;

test("where everything is there, nothing is asked or said", () => {
  provideAptGet();
  expect(ensure([wanted("git", isThere), wanted("strace", isThere)])).toBe(true);
  expect([calls(), said]).toEqual([[], []]);
});

test("what is missing, and only that, is installed from fresh lists", () => {
  provideAptGet();
  const throwing = () => {
    if (!existsSync(join(folder, "postgresql"))) throw new Error("no such folder");
    return true;
  };
  expect(ensure([wanted("git", isThere), wanted("strace"), wanted("postgresql", { isThere: throwing })])).toBe(true);
  expect(calls()).toEqual([update, install("strace", "postgresql")]);
  expect(said).toEqual(["installing strace, postgresql with apt-get …"]);
});

test("lists that can't be fetched are told, and those of before are tried", () => {
  provideAptGet(`[ "$1" = update ] && { echo "Reading" >&2; echo "E: no network" >&2; exit 100; }`);
  expect(ensure([wanted("strace")])).toBe(true);
  expect(calls()).toEqual([update, install("strace")]);
  expect(said.slice(1)).toEqual(["apt-get update failed: E: no network"]);
});

test("what can't be installed is told, with apt-get's last words", () => {
  provideAptGet(`[ "$1" = install ] && { echo "E: Unable to locate package" >&2; exit 100; }`);
  expect(ensure([wanted("strace")])).toBe(false);
  expect(said.slice(1)).toEqual(["apt-get install failed: E: Unable to locate package"]);
});

test("an apt-get that says all is well is not believed", () => {
  provideAptGet("exit 0");
  expect(ensure([wanted("strace")])).toBe(false);
});

test("what something else does as well is asked for, and not needed", () => {
  provideAptGet("exit 100");
  expect(ensure([wanted("shell", { isReplaced: () => true })])).toBe(true);
  expect(calls()).toEqual([update, install("shell")]);
  expect(ensure([wanted("shell", { isReplaced: () => true }), wanted("strace")])).toBe(false);
});

test.each(["not root", "no apt-get"])("%s: nothing is tried, and what is missing is named", (why) => {
  if (why === "not root") provideAptGet();
  const isRoot = why !== "not root";
  expect(ensure([wanted("git", isThere), wanted("strace"), wanted("libfaketime")], isRoot)).toBe(false);
  expect(said).toEqual([expect.stringMatching(/^missing: strace, libfaketime\. .*by hand\.$/)]);
  expect(calls()).toEqual([]);
  expect(ensure([wanted("shell", { isReplaced: () => true })], isRoot)).toBe(true);
});

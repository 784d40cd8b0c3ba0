// Debian packages that the tests use for real (PostgreSQL, Chromium, nginx, strace, libfaketime, git, curl): installed when missing and possible.

import { existsSync } from "node:fs";
import { fakeClockLibrary } from "../test/helpers/stepping-clock.ts";

/** A package, and a path whose existence means that it is there. */
export interface DebianPackage {
  name: string;
  isThere(): boolean;
  /** True where something dearer does its work: it is still asked for, but a run without it is none the worse. */
  isReplaced?(): boolean;
}

const onPath = (program: string): boolean => Bun.which(program) !== null;

export const testPackages: readonly DebianPackage[] = [
  {
    name: "postgresql",
    isThere: () =>
      new Bun.Glob("*/bin/postgres").scanSync({ cwd: "/usr/lib/postgresql", onlyFiles: false }).next().done === false,
  },
  {
    // Chromium without the interface that nobody sees, and half of its CPU: `startBrowser` takes the whole one otherwise.
    name: "chromium-headless-shell",
    isThere: () => existsSync("/usr/bin/chromium-headless-shell"),
    isReplaced: () => existsSync("/usr/bin/chromium"),
  },
  { name: "nginx", isThere: () => onPath("nginx") || existsSync("/usr/sbin/nginx") },
  { name: "libfaketime", isThere: () => fakeClockLibrary() !== null },
  { name: "strace", isThere: () => onPath("strace") },
  { name: "git", isThere: () => onPath("git") },
  { name: "curl", isThere: () => onPath("curl") },
];

/** Who asks, and the variables that tell where its programs are. */
export interface Asker {
  isRoot: boolean;
  env: Record<string, string | undefined>;
}

/** Installs what is missing; true when everything is there afterwards. Says what it does. */
export function ensurePackages(
  wanted: readonly DebianPackage[],
  say: (line: string) => void,
  asker: Asker = { isRoot: process.getuid?.() === 0, env: process.env },
): boolean {
  const isThere = (one: DebianPackage): boolean => {
    try {
      return one.isThere();
    } catch {
      return false;
    }
  };
  const isEnough = (): boolean => wanted.every((one) => isThere(one) || one.isReplaced?.() === true);
  const missing = wanted.filter((one) => !isThere(one)).map((one) => one.name);
  if (missing.length === 0) return true;
  const aptGet = Bun.which("apt-get", { PATH: asker.env["PATH"] ?? "" });
  if (!asker.isRoot || aptGet === null) {
    say(
      `missing: ${missing.join(", ")}. As root, on Debian, they are installed by themselves; here, install them by hand.`,
    );
    return isEnough();
  }
  say(`installing ${missing.join(", ")} with apt-get …`);
  const env = { ...asker.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const words of [
    ["update", "-qq"],
    ["install", "-y", "-qq", "--no-install-recommends", ...missing],
  ]) {
    const { exitCode, stderr } = Bun.spawnSync([aptGet, ...words], { env, stdout: "ignore", stderr: "pipe" });
    if (exitCode !== 0) say(`apt-get ${words[0]} failed: ${stderr.toString().trim().split("\n").at(-1) ?? ""}`);
  }
  return isEnough();
}

// Sees to the programs of the benchmark: installs Debian's packages where it may, and says what is missing otherwise.

import { existsSync } from "node:fs";
import { findProgram } from "./parties/party.ts";

const debianPackages: readonly (readonly [program: string, packageName: string])[] = [
  ["wrk", "wrk"],
  ["nginx", "nginx"],
  ["sshd", "openssh-server"],
  ["ssh", "openssh-client"],
];

/** Installs what is missing (as root on Debian). Rejects with one sentence when the load generator can't be had. */
export async function ensurePrograms(say: (line: string) => void): Promise<void> {
  if (process.platform !== "linux") throw new Error("The benchmark reads /proc and needs Linux.");
  const missing = debianPackages.filter(([program]) => findProgram(program) === null).map(([, name]) => name);
  if (missing.length > 0 && process.getuid?.() === 0 && existsSync("/etc/debian_version")) {
    say(`installing ${missing.join(", ")} …`);
    await apt("update");
    await apt("install", "-y", "--no-install-recommends", ...missing);
  }
  if (findProgram("wrk") === null) throw new Error("wrk is not installed: apt-get install wrk");
}

async function apt(...argv: string[]): Promise<void> {
  const run = Bun.spawn(["apt-get", "-qq", ...argv], {
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
    // Keeps the packages from starting services of their own where the init system allows it.
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive", RUNLEVEL: "1" },
  });
  if ((await run.exited) !== 0)
    throw new Error(`apt-get ${argv[0]} failed: ${(await run.stderr.text()).trim().slice(-300)}`);
}

// Tests that have a full size of their own: property tests, memory, moves; kills during writes.

import { exactly, type Fact, figure, nothingIn, type Scenario, type SoakOptions } from "./scenario.ts";

const files = ["./test/contract/moves.test.ts", "./test/contract/memory.test.ts", "./src/http1", "./src/protocol"];

export const contract: Scenario = {
  name: "contract",
  about: "the contract and the property tests at their full size (SOAK set)",
  run: (options) => runTests(options, files),
};

export const writes: Scenario = {
  name: "writes",
  about: "kill -9 during a storm of writes, 100 times (PostgreSQL: 50): integrity, chain, nothing acknowledged is lost",
  run: (options) => runTests(options, ["./test/integration/crash-safety.test.ts"]),
};

async function runTests(options: SoakOptions, paths: readonly string[]): Promise<Fact[]> {
  const times = options.scale >= 1 ? "20" : "1";
  const child = Bun.spawn([process.execPath, "test", "--timeout=600000", ...paths], {
    cwd: `${import.meta.dir}/../..`,
    env: { ...process.env, ...(options.scale >= 1 ? { SOAK: times } : {}) },
    stdin: "ignore",
    stdout: "ignore",
    stderr: "pipe",
  });
  const [code, err] = await Promise.all([child.exited, child.stderr.text()]);
  const count = (word: string): number => Number(new RegExp(`^ *(\\d+) ${word}$`, "m").exec(err)?.[1] ?? -1);
  const lines = err.split("\n");
  if (code !== 0) for (const line of lines) if (!/^$|^\(pass\)|\.test\.ts:$/.test(line)) options.say(line);
  // Bun lists them once more at the end.
  const failed = [...new Set(lines.filter((line) => line.startsWith("(fail)")))];
  return [figure("passed", count("pass")), nothingIn("failed", failed), exactly("exit code", code, 0)];
}

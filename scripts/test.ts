// `npm test`: format, lint, types, build, then every test. `--fast` (bun run verify) leaves out build and browser.
// The last line is `N passed, M failed, K skipped`.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { ensurePackages, testPackages } from "./debian.ts";

const root = join(import.meta.dir, "..");
const isFast = process.argv.includes("--fast");
const bun = process.execPath;
const total = { passed: 0, failed: 0, skipped: 0 };
const reports = mkdtempSync(join(tmpdir(), "digit-link-tests-"));

interface Step {
  name: string;
  command: string[];
  cwd?: string;
  /** Test files of this step; without it the step is one check. */
  isTests?: boolean;
}

// Tests that start servers, agents and databases wait more than they work: with one file more at a time than there are cores,
// all of them are busy. More than four would stand in each other's way.
const several = [`--parallel=${Math.min(4, availableParallelism() + 1)}`, "--no-isolate"];
// A browser is busy itself.
const inPairs = ["--parallel=2", "--no-isolate"];
const codeFolders = ["src", "workers", "cli", "scripts", "bench", "test"];
const steps: Step[] = [
  { name: "format", command: [bun, "fmt", "--check", ...codeFolders, "dashboard/src"] },
  { name: "lint", command: [bun, "x", "oxlint", "--type-aware", "--deny-warnings", ...codeFolders, "dashboard/src"] },
  { name: "types", command: [bun, "check"] },
  { name: "known vulnerabilities of packages", command: [bun, "scripts/audit-packages.ts"] },
  { name: "types of the dashboard", command: [bun, "check", "-p", "dashboard/tsconfig.json"] },
  ...(isFast ? [] : [{ name: "build", command: [bun, "scripts/build.ts"] }]),
  {
    name: "unit tests",
    command: tests(
      "./src",
      "./workers",
      "./cli",
      "./bench",
      "./scripts",
      "./dashboard/src",
      "./test/helpers",
      "./test/architecture.test.ts",
      "./test/docs.test.ts",
    ),
    isTests: true,
  },
  {
    name: "integration and contract tests",
    command: [...tests("./test/integration", "./test/contract"), ...several],
    isTests: true,
  },
  ...(isFast ? [] : [{ name: "browser tests", command: [...tests("./test/e2e"), ...inPairs], isTests: true }]),
];

function tests(...paths: string[]): string[] {
  // Hooks that start servers and browsers get more than Bun's 5 s, on a busy machine too.
  return [bun, "test", "--timeout=60000", ...paths.filter((path) => existsSync(join(root, path)))];
}

function say(line: string): void {
  console.log(`\n── ${line}`);
}

/** Counts of a JUnit file: its root element sums them up. */
async function readCounts(path: string): Promise<{ tests: number; failures: number; skipped: number } | null> {
  if (!existsSync(path)) return null;
  const tag = /<testsuites[^>]*>/.exec(await Bun.file(path).text())?.[0] ?? "";
  const read = (name: string): number => Number(new RegExp(` ${name}="(\\d+)"`).exec(tag)?.[1] ?? 0);
  return { tests: read("tests"), failures: read("failures") + read("errors"), skipped: read("skipped") };
}

async function run(step: Step): Promise<void> {
  const startedAt = performance.now();
  say(step.name);
  const report = join(reports, `${step.name.replaceAll(" ", "-")}.xml`);
  const extra = step.isTests === true ? ["--reporter=junit", `--reporter-outfile=${report}`] : [];
  const child = Bun.spawn([...step.command, ...extra], {
    cwd: join(root, step.cwd ?? "."),
    stdio: ["ignore", "inherit", "inherit"],
    env: { ...process.env, NO_COLOR: process.env["NO_COLOR"] ?? "1" },
  });
  const exitCode = await child.exited;
  const counts = step.isTests === true ? await readCounts(report) : null;
  if (counts === null) total[exitCode === 0 ? "passed" : "failed"]++;
  else {
    total.passed += counts.tests - counts.failures - counts.skipped;
    total.failed += counts.failures;
    total.skipped += counts.skipped;
    // A crash between tests fails the run although every finished test passed.
    if (exitCode !== 0 && counts.failures === 0) total.failed++;
  }
  console.log(
    `── ${step.name}: ${exitCode === 0 ? "ok" : `failed (exit code ${exitCode})`}, ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`,
  );
}

const isReady = ensurePackages(testPackages, say);
if (!isReady) total.failed++;
for (const step of steps) await run(step);
rmSync(reports, { recursive: true, force: true });
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 ? 1 : 0);

// `npm test`: format, lint, types, build, then every test. `--fast` (bun run verify) leaves out build and browser.
// At the end stand what failed and why, once more; the last line is `N passed, M failed, K skipped`.

import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { ensurePackages, testPackages } from "./debian.ts";
import { parseTestReport, type TestReport } from "./test-report.ts";

const root = join(import.meta.dir, "..");
const isFast = process.argv.includes("--fast");
const bun = process.execPath;
const total = { passed: 0, failed: 0, skipped: 0 };
/** What failed, for the end: what stood in the middle of thousands of lines is not found again, or cut off. */
const failures: string[] = [];
const reports = mkdtempSync(join(tmpdir(), "digit-link-tests-"));

interface Step {
  name: string;
  command: string[];
  cwd?: string;
  /** Test files of this step; without it the step is one check. */
  isTests?: boolean;
}

/** How long each file took once; one that is not in it begins first. `bun test --timings=FILE --update-timings` measures again. */
const durations = "test/durations.json";
const cores = availableParallelism();
const codeFolders = ["src", "workers", "cli", "scripts", "bench", "test", "dashboard/src", "dashboard/inspector"];
const steps: Step[] = [
  { name: "format", command: [bun, "fmt", "--check", ...codeFolders] },
  { name: "lint", command: [bun, "x", "oxlint", "--type-aware", "--deny-warnings", ...codeFolders] },
  { name: "types", command: [bun, "check"] },
  { name: "known vulnerabilities of packages", command: [bun, "scripts/audit-packages.ts"] },
  { name: "types of the dashboard", command: [bun, "check", "-p", "dashboard/tsconfig.json"] },
  ...(isFast ? [] : [{ name: "build", command: [bun, "scripts/build.ts"] }]),
  {
    name: "unit tests",
    command: tests(
      cores,
      "./src",
      "./workers",
      "./cli",
      "./bench",
      "./scripts",
      "./dashboard/src",
      "./dashboard/inspector",
      "./test/helpers",
      "./test/architecture.test.ts",
      "./test/docs.test.ts",
    ),
    isTests: true,
  },
  // Servers, agents and databases wait as often as they work; a browser works more than it waits, and would keep those from their deadlines.
  {
    name: "integration and contract tests",
    command: tests(cores + 2, "./test/integration", "./test/contract"),
    isTests: true,
  },
  ...(isFast ? [] : [{ name: "browser tests", command: tests(cores + 1, "./test/e2e"), isTests: true }]),
  ...(isFast ? [] : [{ name: "what is measured alone", command: tests(1, "./test/alone"), isTests: true }]),
];

/**
 * Runs so many files at a time, the longest first: one that begins last goes on alone while a core idles. More than four would
 * stand in each other's way.
 */
function tests(atATime: number, ...paths: string[]): string[] {
  // Hooks that start servers and browsers get more than Bun's 5 s, on a busy machine too.
  const options = ["--timeout=60000", `--parallel=${Math.min(4, atATime)}`, "--no-isolate", `--timings=${durations}`];
  return [bun, "test", ...options, ...paths.filter((path) => existsSync(join(root, path)))];
}

function say(line: string): void {
  console.log(`\n── ${line}`);
}

async function readReport(path: string): Promise<TestReport | null> {
  return existsSync(path) ? parseTestReport(await Bun.file(path).text()) : null;
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
  const result = step.isTests === true ? await readReport(report) : null;
  const failedBefore = total.failed;
  if (result === null) total[exitCode === 0 ? "passed" : "failed"]++;
  else {
    total.passed += result.tests - result.failures - result.skipped;
    total.failed += result.failures;
    total.skipped += result.skipped;
    failures.push(...result.failed);
    // A crash between tests fails the run although every finished test passed.
    if (exitCode !== 0 && result.failures === 0) total.failed++;
  }
  if (total.failed - failedBefore > (result?.failed.length ?? 0))
    failures.push(`${step.name}: ended with exit code ${exitCode}; see what it printed`);
  console.log(
    `── ${step.name}: ${exitCode === 0 ? "ok" : `failed (exit code ${exitCode})`}, ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`,
  );
}

const isReady = ensurePackages(testPackages, say);
if (!isReady) {
  total.failed++;
  failures.push("Debian packages that the tests need are missing");
}
for (const step of steps) await run(step);
rmSync(reports, { recursive: true, force: true });
if (failures.length > 0) say(`failed:\n\n${failures.join("\n\n")}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed > 0 ? 1 : 0);

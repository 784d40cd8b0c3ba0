// The report that the tests end with, read from a real run of bun test.

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseTestReport } from "./test-report.ts";

const failing = `
import { describe, expect, test } from "bun:test";
describe("a group", () => {
  test("right", () => {});
  test.skip("left out", () => {});
  test("wrong <&\\"", () => expect({ a: 1 }).toEqual({ a: "<2>" }));
  test("thrown", () => { throw new Error("x & y"); });
  test("late", async () => { await Bun.sleep(1_000); }, 20);
  test("right after that", () => {});
});`;

describe("a report of bun test", () => {
  test("gives the counts, and each failed test with its file, group and reason", async () => {
    const folder = mkdtempSync(join(tmpdir(), "digit-link-report-"));
    try {
      await Bun.write(join(folder, "some.test.ts"), failing);
      const report = join(folder, "report.xml");
      const run = Bun.spawn([process.execPath, "test", "--reporter=junit", `--reporter-outfile=${report}`], {
        cwd: folder,
        stdio: ["ignore", "ignore", "ignore"],
      });
      await run.exited;
      const { failed, ...counts } = parseTestReport(await Bun.file(report).text());
      expect(counts).toEqual({ tests: 6, failures: 3, skipped: 1 });
      expect(failed.map((text) => text.split("\n")[0])).toEqual([
        'some.test.ts: a group > wrong <&"',
        "some.test.ts: a group > thrown",
        "some.test.ts: a group > late",
      ]);
      expect(failed[0]).toContain('-   "a": "<2>",');
      expect(failed[1]).toContain("x & y");
      expect(failed[2]).toContain("timed out");
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("that is none has no tests", () => {
    expect(parseTestReport("")).toEqual({ tests: 0, failures: 0, skipped: 0, failed: [] });
  });
});

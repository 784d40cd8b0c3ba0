// Appending lines: in order, to whatever file has that name now, and with a gap that says so where it could not be done.

import { afterEach, expect, test } from "bun:test";
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { LineFile } from "./line-file.ts";

const folders: string[] = [];
afterEach(() => folders.splice(0).forEach((folder) => rmSync(folder, { recursive: true, force: true })));

function setUp() {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-lines-"));
  folders.push(folder);
  const path = join(folder, "access.log");
  const failed: string[] = [];
  const open = () => new LineFile({ path, gap: (lines) => `gap ${lines}\n`, failed: (why) => failed.push(why) });
  return { path, failed, open, text: () => readFileSync(path, "utf8") };
}

test("keeps the order, and has written everything when it is closed", async () => {
  const { open, text } = setUp();
  const file = open();
  const expected = Array.from({ length: 200 }, (_, i) => `line ${i}\n`);
  for (const line of expected) file.add(line, 1);
  await file.close();
  expect(text()).toBe(expected.join(""));
});

test("goes on behind what is there, and in a new file where the old one was moved away", async () => {
  const { open, path, text } = setUp();
  for (const line of ["one\n", "two\n"]) {
    const file = open();
    file.add(line, 1);
    await file.close();
  }
  expect(text()).toBe("one\ntwo\n");
  const file = open();
  renameSync(path, `${path}.1`);
  file.add("three\n", 1);
  await file.close();
  expect([readFileSync(`${path}.1`, "utf8"), text()]).toEqual(["one\ntwo\n", "three\n"]);
});

test("security: it is for its owner alone, unless somebody has made it otherwise", async () => {
  const { open, path } = setUp();
  open();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  chmodSync(path, 0o640);
  const file = open();
  file.add("x\n", 1);
  await file.close();
  expect(statSync(path).mode & 0o777).toBe(0o640);
});

test("what could not be written is counted, told once, and said where it is missing", async () => {
  const { open, path, failed, text } = setUp();
  const file = open();
  renameSync(path, `${path}.away`);
  mkdirSync(path);
  for (const count of [2, 3]) {
    file.add("lost\n", count);
    await file.close();
  }
  expect(failed).toHaveLength(1);
  rmSync(path, { recursive: true });
  file.add("back\n", 1);
  await file.close();
  expect(text().trim().split("\n")).toEqual(["gap 5", "back"]);
});

test("half a line that another process has left, as its disk was full, ends before ours begins", async () => {
  const { open, path, text } = setUp();
  writeFileSync(path, '{"path":"/a","durati');
  const file = open();
  file.add("whole\n", 1);
  await file.close();
  expect(text().split("\n")).toEqual(['{"path":"/a","durati', "whole", ""]);
});

test("a disk that takes nothing makes it leave lines out, not grow", async () => {
  const { path, failed } = setUp();
  symlinkSync("/dev/full", path);
  const file = new LineFile({ path, gap: (lines) => `gap ${lines}\n`, failed: (why) => failed.push(why) });
  const megabyte = `${"x".repeat(1024 * 1024)}\n`;
  for (let i = 0; i < 20; i++) file.add(megabyte, 1);
  expect(file["waiting"].length).toBeLessThan(5 * 1024 * 1024);
  await file.close();
  expect(failed).toHaveLength(1);
  expect(file["leftOut"]).toBe(20);
});

test("one that can't be opened at all throws at once", () => {
  const { path } = setUp();
  mkdirSync(path);
  expect(() => new LineFile({ path, gap: () => "", failed() {} })).toThrow();
});

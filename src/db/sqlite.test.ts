// Statements of one SQLite connection: which are kept, and what is said when the file can't be read.

import { Database as SqliteFile, type Statement } from "bun:sqlite";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, spyOn, test } from "bun:test";
import { StorageFailure } from "./engine.ts";
import { openSqlite } from "./sqlite.ts";

test("statements are prepared once, but those of many rows, which are as many as there are numbers of rows, are not kept", () => {
  const connection = openSqlite(":memory:");
  const prepare = spyOn(SqliteFile.prototype, "prepare");
  try {
    connection.run("create table things (id, name)", []);
    const insert = (rows: number) =>
      connection.run(
        `insert into things values ${Array.from({ length: rows }, () => "(?, ?)").join(", ")}`,
        Array.from({ length: 2 * rows }, (_, i) => i),
      ).changes;
    const preparedFor = (rows: number): Statement[] => {
      prepare.mockClear();
      expect([insert(rows), insert(rows)]).toEqual([rows, rows]);
      return prepare.mock.results.map(({ value }) => value as Statement);
    };
    expect(preparedFor(3)).toHaveLength(1);
    const [first, second] = preparedFor(500);
    expect(second).not.toBe(first);
    for (const ended of [first, second]) expect(() => ended?.run()).toThrow("finalized");
    expect(connection.run("select count(*) as n from things", []).rows).toEqual([{ n: 1_006 }]);
  } finally {
    prepare.mockRestore();
    connection.close();
  }
});

test("what SQLite calls malformed may be a read that failed, and both are named", () => {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-sqlite-"));
  try {
    const path = join(folder, "damaged.db");
    const whole = openSqlite(path);
    whole.run("create table things (id)", []);
    whole.close();
    const file = openSync(path, "r+");
    writeSync(file, Buffer.alloc(4_096, 0xff), 0, 4_096, 4_096);
    closeSync(file);
    const damaged = openSqlite(path);
    expect(() => damaged.run("select * from things", [])).toThrow(StorageFailure);
    expect(() => damaged.run("select * from things", [])).toThrow(
      "the database can't be used now: its file is damaged, or a read of it failed (database disk image is malformed)",
    );
    damaged.close();
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

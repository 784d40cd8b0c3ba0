// Statements of one SQLite connection: which are kept, and what is said when the file can't be read.

import { Database as SqliteFile, type Statement } from "bun:sqlite";
import { chmodSync, closeSync, mkdtempSync, openSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, spyOn, test } from "bun:test";
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

describe("security: only its owner may read", () => {
  const modeOf = (path: string): string => (statSync(path).mode & 0o777).toString(8);
  const inFolder = (use: (path: string) => void): void => {
    const folder = mkdtempSync(join(tmpdir(), "digit-link-mode-"));
    try {
      use(join(folder, "file"));
    } finally {
      rmSync(folder, { recursive: true });
    }
  };

  test("a database that is new, one that is empty and one that others could read", () => {
    inFolder((path) => {
      for (const make of [() => {}, () => writeFileSync(path, "", { mode: 0o644 }), () => chmodSync(path, 0o644)]) {
        make();
        const connection = openSqlite(path);
        connection.run("create table if not exists things (id)", []);
        expect([path, `${path}-wal`, `${path}-shm`].map(modeOf)).toEqual(["600", "600", "600"]);
        connection.close();
      }
    });
  });

  test("but nobody loses what is no database, and named by mistake", () => {
    inFolder((path) => {
      for (const content of ["root:x:0:0:root:/root:/bin/bash\n", "SQLite"]) {
        writeFileSync(path, content, { mode: 0o644 });
        expect(() => openSqlite(path)).toThrow("not a database");
        expect(modeOf(path)).toBe("644");
      }
    });
  });
});

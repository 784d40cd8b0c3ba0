// Statements of one SQLite connection: which are kept.

import { Database as SqliteFile, type Statement } from "bun:sqlite";
import { expect, spyOn, test } from "bun:test";
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

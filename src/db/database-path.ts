// Whether DB_PATH leads to where a database of ours is, or can be made, found out without touching what is there.

import { accessSync, constants, existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { tablesOf } from "./sqlite.ts";
import { unusableFile } from "./unusable.ts";

/** Throws `DatabaseUnusable` where no file can be: at a folder, below a file, where this user may not write. What is missing is left so. */
export function checkPlace(path: string): void {
  try {
    if (existsSync(path)) {
      const kind = statSync(path);
      if (kind.isDirectory()) throw Object.assign(new Error("it is a folder"), { code: "EISDIR" });
      if (!kind.isFile()) throw new Error("it is no file: set DB_PATH to one, or to one that is not there yet");
      return;
    }
    let folder = dirname(resolve(path));
    while (!existsSync(folder)) folder = dirname(folder);
    accessSync(`${folder}/.`, constants.W_OK);
  } catch (error) {
    throw unusableFile(path, error);
  }
}

/** As `checkPlace`, and throws for a file of something else, too: another program's database must not get our tables. */
export function checkDatabasePath(path: string): void {
  checkPlace(path);
  if (!existsSync(path)) return;
  // SQLite has some of its own.
  const tables = tablesOf(path).filter((name) => !name.startsWith("sqlite_"));
  if (tables.length === 0 || tables.includes("schema_migrations")) return;
  throw unusableFile(
    path,
    new Error("it belongs to another program: set DB_PATH to the server's, or to a file that is not there yet"),
  );
}

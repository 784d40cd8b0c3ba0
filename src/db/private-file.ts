// The file of an SQLite database, which only its owner may read.

import { closeSync, existsSync, fchmodSync, mkdirSync, openSync, readSync } from "node:fs";
import { dirname } from "node:path";

/** Creates the file (0600) and its folder (0700), or closes a database that is there to others. Throws the system's error. */
export function makePrivate(path: string): void {
  const folder = dirname(path);
  if (!existsSync(folder)) mkdirSync(folder, { recursive: true, mode: 0o700 });
  const fd = openSync(path, "a+", 0o600);
  try {
    // A file of something else, named by mistake, stays what it was.
    if (isDatabase(fd)) fchmodSync(fd, 0o600);
  } finally {
    closeSync(fd);
  }
}

/** Whether it is a database of SQLite, or empty, as one is before its first statement (https://sqlite.org/fileformat.html, 1.3). */
function isDatabase(fd: number): boolean {
  const head = Buffer.alloc(16);
  const length = readSync(fd, head, 0, head.length, 0);
  return length === 0 || head.toString("latin1") === "SQLite format 3\0";
}

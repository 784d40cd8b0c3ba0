// `digit-link backup` of a database that lies where nothing can be written: a mount of a snapshot, or of a running server's volume.

import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { Database as SqliteFile } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import { openOperator } from "../../src/admin.ts";
import { createDatabase } from "../../src/db/database.ts";
import { writeSetting } from "../../src/db/settings.ts";
import { canMount, mountTinyDisk } from "../helpers/tiny-disk.ts";

const openDatabase = (path: string) => createDatabase({ url: null, path, onError: () => {} });

function valueIn(copy: string): unknown {
  using file = new SqliteFile(copy, { readonly: true });
  expect(file.query("pragma integrity_check").get()).toEqual({ integrity_check: "ok" });
  return file.query("select value from settings where key = 'k'").get();
}

async function backUp(path: string, copy: string): Promise<unknown> {
  await using operator = await openOperator({ DB_PATH: path });
  return await operator.backup(copy).then(
    () => valueIn(copy),
    (error: unknown) => String(error),
  );
}

describe.skipIf(!canMount)("a backup from a disk that can only be read", () => {
  test("of a server that ended, and of one that runs elsewhere", async () => {
    using disk = mountTinyDisk(16);
    using elsewhere = mountTinyDisk(16);
    const path = join(disk.folder, "server.db");
    const copy = (name: string) => join(elsewhere.folder, name);
    const first = await openDatabase(path);
    await writeSetting(first.kysely, "k", "ended", 1);
    await first.close();
    expect(existsSync(`${path}-wal`)).toBe(false);
    disk.protect(true);
    expect(await backUp(path, copy("ended.db"))).toEqual({ value: "ended" });
    disk.protect(false);

    const running = await openDatabase(path);
    await writeSetting(running.kysely, "k", "running", 2);
    using view = disk.readOnlyView();
    expect(await backUp(join(view.folder, "server.db"), copy("running.db"))).toEqual({ value: "running" });
    await writeSetting(running.kysely, "k", "running on", 3);
    await running.close();
  });

  test("of one that was killed, unless the copy would lack its latest changes", async () => {
    using disk = mountTinyDisk(16);
    using elsewhere = mountTinyDisk(16);
    const path = join(disk.folder, "server.db");
    const script = `
      const { createDatabase } = await import(${JSON.stringify(join(import.meta.dir, "../../src/db/database.ts"))});
      const { writeSetting } = await import(${JSON.stringify(join(import.meta.dir, "../../src/db/settings.ts"))});
      const db = await createDatabase({ url: null, path: ${JSON.stringify(path)}, onError() {} });
      await writeSetting(db.kysely, "k", "killed", 1);
      process.kill(process.pid, "SIGKILL");`;
    await Bun.spawn([process.execPath, "-e", script]).exited;
    disk.protect(true);
    expect(await backUp(path, join(elsewhere.folder, "killed.db"))).toEqual({ value: "killed" });
    disk.protect(false);
    // As whoever copies files may leave it.
    rmSync(`${path}-shm`);
    disk.protect(true);
    const lacking = join(elsewhere.folder, "lacking.db");
    expect(await backUp(path, lacking)).toMatch(
      /can't be copied from a read-only disk: its latest changes are still in \S+server\.db-wal\. Copy both files to a disk that can be written, and back up that one\.$/,
    );
    expect(existsSync(lacking)).toBe(false);
  });
});

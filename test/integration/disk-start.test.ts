// A start on a disk that is full or can't be written: one sentence says which file, why, and what helps.

import { readdirSync } from "node:fs";
import { expect, setDefaultTimeout, test } from "bun:test";
import { createDatabase } from "../../src/db/database.ts";
import { eventually } from "../helpers/eventually.ts";
import { program } from "../helpers/program.ts";
import { testEnv } from "../helpers/server.ts";
import { canMount, mountTinyDisk } from "../helpers/tiny-disk.ts";

setDefaultTimeout(60_000);

const secrets = { JWT_SECRET: "j".repeat(40), ENCRYPTION_KEY: Buffer.alloc(32, 7).toString("base64") };

/** What a server that can't start says besides what it logs. */
async function start(folder: string, env: Record<string, string> = secrets): Promise<string[]> {
  const child = Bun.spawn([process.execPath, await program("src/main.ts")], {
    env: { PATH: process.env["PATH"], ...testEnv(folder, { LOG_FORMAT: "json", ...env }) },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const [said, exitCode] = await Promise.all([child.stderr.text(), child.exited]);
  expect(exitCode).toBe(1);
  return said.split("\n").filter((line) => line !== "" && !line.startsWith("{"));
}

const pathOf = (folder: string): string => testEnv(folder, {})["DB_PATH"] ?? "";

async function makeDatabase(folder: string): Promise<void> {
  await (await createDatabase({ url: null, path: pathOf(folder), onError: () => {} })).close();
  // What SQLite keeps beside it gives its room back when the last statement is collected: a disk that was filled before is not full.
  await eventually(() => {
    Bun.gc(true);
    return readdirSync(folder).length === 1;
  }, "the database is closed");
}

// What SQLite shares with other processes takes 32 KiB, before anything is written.
test.concurrent.skipIf(!canMount).each([0, 16_384, 32_768])(
  "a disk with %d bytes of room for a database that there is",
  async (bytes) => {
    using disk = mountTinyDisk(8);
    await makeDatabase(disk.folder);
    disk.fill(bytes);
    expect(await start(disk.folder)).toEqual([
      expect.stringMatching(
        /^digit-link: The database file \S+\.db cannot be used: its disk is full \((disk I\/O error|database or disk is full)\): make room there and start again\.$/,
      ),
    ]);
  },
);

test.concurrent.skipIf(!canMount)(
  "a full disk without a database, or without keys: nothing is left behind",
  async () => {
    using disk = mountTinyDisk(1);
    disk.fill();
    for (let i = 0; i < 2; i++) {
      expect(await start(disk.folder, {})).toEqual([
        expect.stringMatching(
          /^digit-link: JWT_SECRET is not set, and cannot be kept in \S+: ENOSPC: no space left .+\.$/,
        ),
      ]);
      expect(readdirSync(disk.folder)).toEqual([]);
    }
    const { DB_PATH: path } = testEnv(disk.folder, {});
    expect(await start(disk.folder)).toEqual([
      expect.stringContaining(`The database file ${path} cannot be used: its disk is full (`),
    ]);
  },
);

test.concurrent.skipIf(!canMount)("a disk that can only be read", async () => {
  using disk = mountTinyDisk(8);
  await makeDatabase(disk.folder);
  disk.protect(true);
  const path = pathOf(disk.folder);
  expect(await start(disk.folder)).toEqual([
    `digit-link: The database file ${path} cannot be used: its disk is read-only: make it writable and start again, or set DB_PATH to a file elsewhere.`,
  ]);
});

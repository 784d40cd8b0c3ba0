// The built pages that tests look at; built here when `npm test` has not done it, or their sources have changed.

import { Database } from "bun:sqlite";
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { type BuiltPage, isBuilt, pages } from "../../scripts/page-age.ts";

const locks = join(import.meta.dir, "../../node_modules/.cache");

/** The folder of the dashboard's built files. */
export const builtDashboard = (): string => built(pages.dashboard);

/** The folder of the built files of the inspector's page. */
export const builtInspector = (): string => built(pages.inspector);

/** The folder of its built files. Of processes that need them at once one builds them, and the others wait. */
export function built(page: BuiltPage): string {
  using _ = held(page.name);
  if (!isBuilt(page)) {
    const vite = Bun.spawnSync([process.execPath, "--bun", "x", "vite", "build"], { cwd: page.folder });
    if (vite.exitCode !== 0) throw new Error(`the ${page.name} does not build: ${vite.stderr.toString()}`);
  }
  return join(page.folder, "dist");
}

/** Waits until no other process of this checkout holds `name`. SQLite's lock waits without a turn of the event loop, and goes with a process that dies. */
function held(name: string): Disposable {
  mkdirSync(locks, { recursive: true });
  const database = new Database(join(locks, `${name}.lock`));
  database.run("PRAGMA busy_timeout = 2147483647");
  database.run("BEGIN EXCLUSIVE");
  return { [Symbol.dispose]: () => database.close() };
}

// The built dashboard that the browser tests look at; built here when `npm test` has not done it.

import { existsSync } from "node:fs";
import { join } from "node:path";

const source = join(import.meta.dir, "../../dashboard");

/** The folder of the built files. */
export function builtDashboard(): string {
  const dist = join(source, "dist");
  if (!existsSync(join(dist, "manifest.json"))) {
    const vite = Bun.spawnSync([process.execPath, "--bun", "x", "vite", "build"], { cwd: source });
    if (vite.exitCode !== 0) throw new Error(`the dashboard does not build: ${vite.stderr.toString()}`);
  }
  return dist;
}

// The built dashboard that the browser tests look at; built here when `npm test` has not done it, or its sources have changed.

import { join } from "node:path";
import { isDashboardBuilt } from "../../scripts/dashboard-age.ts";

const source = join(import.meta.dir, "../../dashboard");

/** The folder of the built files. */
export function builtDashboard(): string {
  const dist = join(source, "dist");
  if (!isDashboardBuilt(source)) {
    const vite = Bun.spawnSync([process.execPath, "--bun", "x", "vite", "build"], { cwd: source });
    if (vite.exitCode !== 0) throw new Error(`the dashboard does not build: ${vite.stderr.toString()}`);
  }
  return dist;
}

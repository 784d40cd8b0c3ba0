// The built pages that tests look at; built here when `npm test` has not done it, or their sources have changed.

import { join } from "node:path";
import { type BuiltPage, isBuilt, pages } from "../../scripts/page-age.ts";

/** The folder of the dashboard's built files. */
export const builtDashboard = (): string => built(pages.dashboard);

/** The folder of the built files of the inspector's page. */
export const builtInspector = (): string => built(pages.inspector);

function built(page: BuiltPage): string {
  if (!isBuilt(page)) {
    const vite = Bun.spawnSync([process.execPath, "--bun", "x", "vite", "build"], { cwd: page.folder });
    if (vite.exitCode !== 0) throw new Error(`the ${page.name} does not build: ${vite.stderr.toString()}`);
  }
  return join(page.folder, "dist");
}

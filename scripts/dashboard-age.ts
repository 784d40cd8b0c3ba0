// Whether the built dashboard is the one that its sources would give.

import { statSync } from "node:fs";
import { join } from "node:path";

/** True when `folder` (a `dashboard`) holds a build, and none of its sources has changed since. */
export function isDashboardBuilt(folder: string): boolean {
  const modifiedMs = (path: string) => statSync(join(folder, path), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const builtMs = modifiedMs("dist/index.html");
  // The folders as well: a file that was removed shows there only.
  const inside = ["src", "public"].flatMap((part) => [
    part,
    ...new Bun.Glob(`${part}/**`).scanSync({ cwd: folder, onlyFiles: false }),
  ]);
  return builtMs > 0 && ["index.html", "vite.config.ts", ...inside].every((source) => modifiedMs(source) <= builtMs);
}

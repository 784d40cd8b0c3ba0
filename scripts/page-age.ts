// Whether the built pages are the ones that their sources would give.

import { statSync } from "node:fs";
import { join } from "node:path";

/** A page that Vite builds. */
export interface BuiltPage {
  name: string;
  /** Where `vite build` runs, and leaves `dist`. */
  folder: string;
  /** What it is made of. */
  sources: readonly string[];
}

const dashboard = join(import.meta.dir, "../dashboard");
const common = [join(dashboard, "src"), join(dashboard, "public")];

export const pages = {
  dashboard: {
    name: "dashboard",
    folder: dashboard,
    sources: [...common, join(dashboard, "index.html"), join(dashboard, "vite.config.ts")],
  },
  inspector: {
    name: "inspector",
    folder: join(dashboard, "inspector"),
    // It is made of parts of the dashboard.
    sources: [...common, join(dashboard, "inspector")],
  },
} as const satisfies Record<string, BuiltPage>;

/** True when there is a build, and none of its sources has changed since. */
export function isBuilt({ folder, sources }: BuiltPage): boolean {
  const modifiedMs = (path: string) => statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const builtMs = modifiedMs(join(folder, "dist/index.html"));
  // The folders as well: a file that was removed shows there only.
  const inside = sources.flatMap((source) =>
    statSync(source, { throwIfNoEntry: false })?.isDirectory() === true
      ? [...new Bun.Glob("**").scanSync({ cwd: source, onlyFiles: false })].map((path) => join(source, path))
      : [source],
  );
  const dist = join(folder, "dist");
  return builtMs > 0 && inside.every((path) => path.startsWith(dist) || modifiedMs(path) <= builtMs);
}

// Builds `dist`: what the npm package holds. Run by `bun run build` and by `bun pm pack`.

import { chmodSync, cpSync, existsSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";

const root = join(import.meta.dir, "..");
const dist = join(root, "dist");

/**
 * Every bundle lies flat in `dist`, because src/link/worker-url.ts looks for the workers beside itself.
 * The server and the operator's commands become chunks of their own: they are loaded when they are asked for.
 */
async function buildProgram(): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(root, "cli/main.ts"), join(root, "workers/shard.ts"), join(root, "workers/hash.ts")],
    outdir: dist,
    target: "bun",
    format: "esm",
    splitting: true,
    minify: { syntax: true, whitespace: true, identifiers: false },
    sourcemap: "none",
    naming: { entry: "[name].[ext]", chunk: "[name]-[hash].[ext]" },
    throw: false,
  });
  if (!result.success) {
    for (const message of result.logs) console.error(String(message));
    throw new Error("the program does not bundle");
  }
}

/** The program under its own name, executable: npm and bunx run the file itself. No chunk imports it, so it may be renamed. */
async function makeExecutable(): Promise<void> {
  const entry = join(dist, "digit-link.js");
  await Bun.write(entry, `#!/usr/bin/env bun\n${await Bun.file(join(dist, "main.js")).text()}`);
  rmSync(join(dist, "main.js"));
  chmodSync(entry, 0o755);
}

/** The dashboard's static files, when there is a dashboard. */
async function addDashboard(): Promise<boolean> {
  const config = join(root, "dashboard/vite.config.ts");
  if (!existsSync(config)) return false;
  const vite = Bun.spawnSync([process.execPath, "--bun", "vite", "build", "--logLevel", "warn"], {
    cwd: join(root, "dashboard"),
    stdout: "inherit",
    stderr: "inherit",
  });
  if (vite.exitCode !== 0) throw new Error("the dashboard does not build");
  cpSync(join(root, "dashboard/dist"), join(dist, "dashboard"), { recursive: true });
  // Only the tests of the bundle's size read it.
  rmSync(join(dist, "dashboard/manifest.json"), { force: true });
  return true;
}

function describe(): string {
  const files = [...new Bun.Glob("**/*").scanSync({ cwd: dist, onlyFiles: true })];
  const bytes = files.reduce((sum, file) => sum + statSync(join(dist, file)).size, 0);
  return `${basename(dist)}: ${files.length} files, ${(bytes / 1e6).toFixed(1)} MB`;
}

try {
  rmSync(dist, { recursive: true, force: true });
  await buildProgram();
  await makeExecutable();
  const dashboard = await addDashboard();
  // On standard error: `bun pm pack --quiet` prints the tarball's name on standard output, and nothing else belongs there.
  console.error(`${describe()}${dashboard ? "" : " (no dashboard)"}`);
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

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

/** `digit-link/vite`, which runs in Vite's process, and its types. */
async function buildVitePlugin(): Promise<void> {
  const result = await Bun.build({
    entrypoints: [join(root, "cli/vite/plugin.ts")],
    outdir: dist,
    target: "node",
    format: "esm",
    naming: "vite.js",
    throw: false,
  });
  if (!result.success) throw new Error("the plugin for Vite does not bundle");
  const options = await Bun.file(join(root, "cli/vite/options.ts")).text();
  const types = `import type { Plugin } from "vite";\n\n${options.replace(/^\/\/.*\n\n/, "")}
/** For \`plugins\` in vite.config: a public address for the dev server, for as long as it runs. */
export default function digitLink(options?: DigitLinkOptions): Plugin;\n`;
  await Bun.write(join(dist, "vite.d.ts"), types);
}

/** The program under its own name, executable: npm and bunx run the file itself. No chunk imports it, so it may be renamed. */
async function makeExecutable(): Promise<void> {
  const entry = join(dist, "digit-link.js");
  await Bun.write(entry, `#!/usr/bin/env bun\n${await Bun.file(join(dist, "main.js")).text()}`);
  rmSync(join(dist, "main.js"));
  chmodSync(entry, 0o755);
}

/** The static files of the pages, when there are any: the dashboard for the server, the inspector for the agent. */
async function addPages(): Promise<boolean> {
  for (const [folder, name] of [
    ["dashboard", "dashboard"],
    ["dashboard/inspector", "inspector"],
  ] as const) {
    if (!existsSync(join(root, folder, "vite.config.ts"))) return false;
    const vite = Bun.spawnSync([process.execPath, "--bun", "vite", "build", "--logLevel", "warn"], {
      cwd: join(root, folder),
      stdout: "inherit",
      stderr: "inherit",
    });
    if (vite.exitCode !== 0) throw new Error(`the ${name} does not build`);
    cpSync(join(root, folder, "dist"), join(dist, name), { recursive: true });
  }
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
  await buildVitePlugin();
  const hasPages = await addPages();
  // On standard error: `bun pm pack --quiet` prints the tarball's name on standard output, and nothing else belongs there.
  console.error(`${describe()}${hasPages ? "" : " (no dashboard)"}`);
} catch (error) {
  console.error(`build: ${error instanceof Error ? error.message : String(error)}`);
  process.exit(1);
}

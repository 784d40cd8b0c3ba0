// The product's programs as bundles, made once per test process: a process that starts from the sources reads and
// transpiles some 300 files first, which is most of what a short-lived server or agent costs.

import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";

const root = join(import.meta.dir, "../..");

// On globalThis because each test file may get its own copy of this module.
const holder = globalThis as { digitLinkTestPrograms?: Map<string, Promise<string>> };

/** The path of the bundle to run instead of `entry`: `src/main.ts` or `cli/main.ts`. It goes with this process. */
export function program(entry: "src/main.ts" | "cli/main.ts"): Promise<string> {
  const programs = (holder.digitLinkTestPrograms ??= new Map());
  const made = programs.get(entry) ?? bundle(entry);
  programs.set(entry, made);
  return made;
}

async function bundle(entry: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-program-"));
  process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
  await Bun.build({
    // Flat and split as in scripts/build.ts: the workers are looked for beside the program.
    entrypoints: [join(root, entry), join(root, "workers/shard.ts"), join(root, "workers/hash.ts")],
    outdir: folder,
    target: "bun",
    format: "esm",
    splitting: true,
    naming: { entry: "[name].[ext]", chunk: "[name]-[hash].[ext]" },
  });
  // Where the packed program has its pages; when none were built the links lead nowhere, which is the same to it.
  symlinkSync(join(root, "dashboard/dist"), join(folder, "dashboard"));
  symlinkSync(join(root, "dashboard/inspector/dist"), join(folder, "inspector"));
  return join(folder, `${basename(entry, ".ts")}.js`);
}

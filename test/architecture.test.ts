// Keeps the structure: who may import whom at run time, no cycles between folders' rules, no long files.

import { describe, expect, test } from "bun:test";
import { dirname, join, normalize, relative } from "node:path";

const root = join(import.meta.dir, "..");
const loaders = { ts: "ts", tsx: "tsx" } as const;

/** Per folder: the folders whose modules its modules may load. Its own folder is always allowed. */
const mayImport: Record<string, readonly string[]> = {
  "src/lib": [],
  "src/http1": ["src/lib"],
  "src/protocol": ["src/lib"],
  "src/config": ["src/lib"],
  "src/db": ["src/lib"],
  "src/auth": ["src/lib"],
  "src/policy": ["src/lib"],
  "src/link": ["src/lib", "src/protocol"],
  "src/handover": ["src/lib"],
  "src/lending": ["src/lib", "src/protocol"],
  "src/ingress": ["src/lib", "src/http1", "src/handover", "src/lending"],
  "src/router": ["src/lib", "src/config", "src/http1", "src/ingress", "src/handover", "src/link"],
  "src/observe": ["src/lib", "src/db"],
  "src/api": [
    "src/lib",
    "src/http1",
    "src/protocol",
    "src/config",
    "src/db",
    "src/auth",
    "src/policy",
    "src/link",
    "src/observe",
  ],
  "src/operator": ["src/lib", "src/config", "src/db", "src/auth", "src/observe", "src/api"],
  workers: [
    "src/lib",
    "src/http1",
    "src/protocol",
    "src/ingress",
    "src/lending",
    "src/handover",
    "src/link",
    "src/policy",
  ],
  cli: ["src/lib", "src/http1", "src/protocol"],
};

/** Single modules with a wider view: the composition, and the operator's commands that load it when asked. */
const wider: Record<string, readonly string[]> = {
  "cli/commands/server.ts": ["src/server.ts"],
  "cli/commands/settings.ts": ["src/config/find.ts"],
  "cli/operator.ts": ["src/admin.ts"],
  // The version and Bun's range stand in one place; the build inlines them.
  "cli/version.ts": ["package.json"],
};

interface Edge {
  from: string;
  to: string;
}

const files = ["src", "workers", "cli"].flatMap((folder) =>
  [...new Bun.Glob("**/*.{ts,tsx}").scanSync({ cwd: join(root, folder) })].map((file) => join(folder, file)),
);
const sources = files.filter((file) => !file.endsWith(".test.ts"));
const edges = (await Promise.all(sources.map(importsOf))).flat();

async function importsOf(file: string): Promise<Edge[]> {
  const loader = file.endsWith("x") ? loaders.tsx : loaders.ts;
  // `scanImports` leaves out `import type`.
  const found = new Bun.Transpiler({ loader }).scanImports(await Bun.file(join(root, file)).text());
  return found
    .filter(({ path }) => path.startsWith("."))
    .map(({ path }) => ({ from: file, to: relative(root, normalize(join(root, dirname(file), path))) }));
}

function folderOf(file: string): string {
  const parts = file.split("/");
  return parts[0] === "src" && parts.length > 2 ? `src/${parts[1]}` : parts[0] === "src" ? "src" : parts[0]!;
}

describe("structure", () => {
  test("modules load only what their folder may load", () => {
    const wrong = edges.filter(({ from, to }) => {
      const folder = folderOf(from);
      // The composition root may load everything.
      if (folder === "src") return false;
      return (
        folderOf(to) !== folder &&
        !(mayImport[folder] ?? []).includes(folderOf(to)) &&
        !(wider[from] ?? []).includes(to)
      );
    });
    expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([]);
  });

  test("the inspector loads nothing of the agent, which hands it what passes", () => {
    const upward = edges.filter(({ from, to }) => from.startsWith("cli/inspector/") && to.startsWith("cli/agent/"));
    expect(upward).toEqual([]);
  });

  test("there are no cycles", () => {
    const next = Map.groupBy(edges, ({ from }) => from);
    const done = new Set<string>();
    const cycles: string[] = [];
    const visit = (file: string, path: string[]): void => {
      if (path.includes(file)) return void cycles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
      if (done.has(file)) return;
      for (const { to } of next.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of sources) visit(file, []);
    expect(cycles).toEqual([]);
  });

  test("each chosen package is imported in one place", async () => {
    const single = [
      "bun:ffi",
      "bun:sqlite",
      "@elysiajs/jwt",
      "@elysiajs/swagger",
      "openid-client",
      "otplib",
      "arctic",
      "uqr",
    ];
    for (const name of single) {
      const users = [];
      for (const file of sources) {
        if ((await Bun.file(join(root, file)).text()).includes(`from "${name}"`)) users.push(file);
      }
      expect({ name, users: users.length }).toEqual({ name, users: Math.min(users.length, 1) });
    }
  });

  test("no file is longer than 300 lines, and each begins with what it is for", async () => {
    const wrong: string[] = [];
    const tests = ["test", "bench", "scripts"].flatMap((folder) =>
      [...new Bun.Glob("**/*.{ts,mjs}").scanSync({ cwd: join(root, folder) })]
        .map((file) => join(folder, file))
        .filter((file) => !file.startsWith("bench/.")),
    );
    for (const file of [...files, ...tests]) {
      const text = await Bun.file(join(root, file)).text();
      const lines = text.split("\n").length - 1;
      if (lines > 300) wrong.push(`${file}: ${lines} lines`);
      if (!/^(?:#!.*\n)?(?:\/\/|\/\*)/.test(text)) wrong.push(`${file}: no first comment`);
    }
    expect(wrong).toEqual([]);
  });
});

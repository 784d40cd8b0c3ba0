// The npm package as users get it: what is inside, and that it runs from an empty folder with nothing but Bun.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";

const root = join(import.meta.dir, "../..");
const folder = mkdtempSync(join(tmpdir(), "digit-link-packed-"));
const binaries = join(folder, "bin");
const empty = join(folder, "empty");
const unpacked = join(folder, "unpacked");
const maxBytes = 5_000_000;
let tarball = "";

/** Only `bun` (and what a system has anyway) on PATH, no registry, caches of its own. */
const environment = {
  PATH: `${binaries}:/usr/bin:/bin`,
  HOME: join(folder, "home"),
  TMPDIR: folder,
  BUN_INSTALL_CACHE_DIR: join(folder, "cache"),
  BUN_CONFIG_REGISTRY: "http://127.0.0.1:1/",
};

beforeAll(() => {
  for (const path of [binaries, empty, unpacked, environment.HOME]) mkdirSync(path);
  for (const name of ["bun", "bunx"]) symlinkSync(process.execPath, join(binaries, name));
  mkdirSync(join(root, "dist"), { recursive: true });
  writeFileSync(join(root, "dist/of-an-older-build.js"), "");
  const packed = Bun.spawnSync([process.execPath, "pm", "pack", "--destination", folder, "--quiet"], {
    cwd: root,
    stdout: "pipe",
    stderr: "pipe",
  });
  if (packed.exitCode !== 0) throw new Error(`bun pm pack failed: ${packed.stderr}`);
  const name = [...new Bun.Glob("digit-link-*.tgz").scanSync({ cwd: folder })][0];
  if (name === undefined) throw new Error(`bun pm pack made no tarball: ${packed.stdout}${packed.stderr}`);
  tarball = join(folder, name);
  Bun.spawnSync(["tar", "xzf", tarball, "-C", unpacked]);
}, 120_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const filesInside = (): string[] =>
  [...new Bun.Glob("**/*").scanSync({ cwd: join(unpacked, "package"), onlyFiles: true, dot: true })].sort();

function bunx(argv: string[]) {
  const result = Bun.spawnSync([join(binaries, "bunx"), `--package=${tarball}`, "digit-link", ...argv], {
    cwd: empty,
    env: environment,
    stdout: "pipe",
    stderr: "pipe",
  });
  return { exitCode: result.exitCode, out: result.stdout.toString(), problems: result.stderr.toString() };
}

describe("contents", () => {
  test("only what belongs in it", () => {
    const allowed = [
      /^package\.json$/,
      /^README\.md$/,
      /^LICENSE$/,
      /^dist\/[\w.-]+\.js$/,
      /^dist\/vite\.d\.ts$/,
      /^dist\/(?:dashboard|inspector)\/(index\.html|[\w.-]+\.(svg|png|ico|webmanifest|txt)|assets\/[\w.-]+\.(js|css|svg|png|woff2))$/,
    ];
    expect(filesInside().filter((file) => !allowed.some((pattern) => pattern.test(file)))).toEqual([]);
    for (const file of [
      "package.json",
      "README.md",
      "LICENSE",
      "dist/digit-link.js",
      "dist/shard.js",
      "dist/hash.js",
      "dist/inspector/index.html",
      "dist/vite.js",
      "dist/vite.d.ts",
    ])
      expect(filesInside()).toContain(file);
  });

  test("packing builds: nothing of an older build is in it", () => {
    expect(filesInside()).not.toContain("dist/of-an-older-build.js");
  });

  test("a few MB, packed and unpacked", () => {
    const bytes = filesInside().reduce((sum, file) => sum + statSync(join(unpacked, "package", file)).size, 0);
    expect(bytes).toBeLessThan(maxBytes);
    expect(statSync(tarball).size).toBeLessThan(maxBytes);
  });

  test("no run-time dependencies, no install scripts", () => {
    const manifest = JSON.parse(readFileSync(join(unpacked, "package", "package.json"), "utf8"));
    for (const kind of ["dependencies", "optionalDependencies", "peerDependencies", "bundledDependencies"])
      expect(manifest[kind] ?? {}).toEqual({});
    for (const script of ["preinstall", "install", "postinstall"]) expect(manifest.scripts).not.toHaveProperty(script);
  });

  test("the program is executable and says which runtime it needs", () => {
    const program = join(unpacked, "package", "dist", "digit-link.js");
    expect(readFileSync(program, "utf8")).toStartWith("#!/usr/bin/env bun\n");
    expect(statSync(program).mode & 0o111).toBe(0o111);
  });
});

describe("security", () => {
  test("nothing in it knows the machine it was built on", () => {
    for (const file of filesInside())
      expect(readFileSync(join(unpacked, "package", file)).includes(root), file).toBe(false);
  });
});

describe("bunx from an empty folder, without a registry", () => {
  test("--version and --help", () => {
    expect(bunx(["--version"])).toMatchObject({
      exitCode: 0,
      out: expect.stringMatching(/^digit-link \d+\.\d+\.\d+ \(Bun /),
    });
    expect(bunx(["--help"])).toMatchObject({ exitCode: 0, out: expect.stringContaining("digit-link http 3000") });
  });

  test("server, workers, operator's command and agent: a request goes through, and both end in good order", async () => {
    const [port = 0] = await freePorts(1);
    const url = `http://localhost:${port}`;
    const env = {
      ...environment,
      ...{ PORT: String(port), DOMAIN: "localhost", SCHEME: "http", SHARDS: "2", AGENT_WHITELIST: "127.0.0.0/8,::1" },
      DB_PATH: join(folder, "server", "digit-link.db"),
    };
    const start = (argv: string[], more: Record<string, string> = {}) =>
      Bun.spawn([join(binaries, "bunx"), `--package=${tarball}`, "digit-link", ...argv], {
        ...{ cwd: empty, env: { ...env, ...more } },
        stdio: ["ignore", "pipe", "pipe"],
      });
    const isUp = (path: string) =>
      fetch(`${url}${path}`).then(
        ({ ok }) => ok,
        () => false,
      );
    const server = start(["server"]);
    await eventually(() => isUp("/ready"), "the packed server is up", 30_000);
    const token = (await start(["account", "create", "bob"]).stdout.text()).trim();
    await using local = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("through the package") });
    const agent = start(["http", String(local.port), "--server", url, "--json"], { DIGIT_LINK_TOKEN: token });
    const { value } = await agent.stdout.pipeThrough(new TextDecoderStream()).getReader().read();
    const ready = JSON.parse((value ?? "").split("\n")[0]!) as { event: string; url: string };
    expect(ready.event).toBe("tunnel.ready");
    const visitor = await fetch(url, { headers: { host: new URL(ready.url).host } });
    expect(await visitor.text()).toBe("through the package");
    expect(await (await fetch(url)).text()).toContain("<!doctype html>");
    // Nobody of that name: judged all the same, by the thread that hashes.
    const login = await fetch(`${url}/auth/login`, {
      method: "POST",
      headers: { "content-type": "application/json", origin: url },
      body: JSON.stringify({ username: "nobody", password: "not the right one" }),
    });
    expect(login.status).toBe(401);
    agent.kill("SIGTERM");
    expect(await agent.exited).toBe(0);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  }, 60_000);

  test("a mistake keeps its exit code", () => {
    const { exitCode, problems } = bunx(["http", "0"]);
    expect(exitCode).toBe(2);
    expect(problems).toContain('"0" is not a port');
  });

  test("nothing is left in the folder", () => {
    expect([...new Bun.Glob("**/*").scanSync({ cwd: empty, dot: true })]).toEqual([]);
  });

  test("under node it says what to use", () => {
    const program = join(unpacked, "package", "dist", "digit-link.js");
    chmodSync(program, 0o755);
    const result = Bun.spawnSync(["node", program, "--version"], { stderr: "pipe" });
    expect(result.exitCode).toBe(1);
    expect(result.stderr.toString()).toContain("This program runs on Bun, not on Node");
  });
});

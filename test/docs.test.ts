// The pages tell the truth where that can be checked: links, files, commands, settings, error codes, names of tests.

import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import manifest from "../package.json" with { type: "json" };
import { registerBody } from "../src/api/tunnels/routes.ts";
import { loadConfig } from "../src/config/load.ts";
import { settings } from "../src/config/settings.ts";
import { errorCatalogue } from "../src/lib/errors.ts";
import { isReservedName } from "../src/lib/names.ts";

const root = join(import.meta.dir, "..");
const read = (file: string): string => readFileSync(join(root, file), "utf8");
const files = (...patterns: string[]): string[] =>
  patterns.flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })]).sort();

const pages = files("*.md", "docs/*.md", "bench/*.md");
const deployed = ["Dockerfile", ...files("deploy/*")];
const variables = new Map(Object.entries(settings).map(([key, { name }]) => [name, key]));

/** Upper-case names in these pages that are no settings of the server. */
const notSettings = new Set([
  ...[
    "DIGIT_LINK_SERVER",
    "DIGIT_LINK_TOKEN",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "NODE_EXTRA_CA_CERTS",
    "CLOUDFLARE_API_TOKEN",
    "CAP_NET_BIND_SERVICE",
    "SO_LINGER",
  ],
]);

/** What GitHub makes of a heading. */
function anchorOf(heading: string): string {
  const text = heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "");
  return text.replaceAll(" ", "-");
}

function linksOf(page: string): string[] {
  const prose = read(page).replace(/```[\s\S]*?```/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map((match) => match[1]!).filter((link) => !/^[a-z]+:/.test(link));
}

/** Names that can only be variables: with an underscore, or given a value. */
function variablesIn(text: string): string[] {
  const named = [...text.matchAll(/(?<![\w$/.-])[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+(?![\w-])/g)].map((match) => match[0]);
  const given = [...text.matchAll(/(?:^|[\s`'])([A-Z][A-Z0-9_]+)=(?=[\w./])/gm)].map((match) => match[1]!);
  return [...new Set([...named, ...given])].filter((name) => !notSettings.has(name));
}

describe("pages", () => {
  test("names of tunnels in examples are no reserved ones", () => {
    const wrong = [...pages, ...files("cli/**/*.ts")]
      .filter((file) => !file.endsWith(".test.ts"))
      .flatMap((file) => [...read(file).matchAll(/(?:-n|--subdomain|-f|--forward) ([a-z][a-z0-9-]*)(?![\w-]| *=)/g)])
      .map(([example, name = ""]) => [example, isReservedName(name)])
      .filter(([, isReserved]) => isReserved);
    expect(wrong).toEqual([]);
  });

  test("links lead to files and headings that exist", () => {
    const broken = pages.flatMap((page) =>
      linksOf(page).filter((link) => {
        const [path = "", anchor] = link.split("#", 2);
        const target = path === "" ? page : join(dirname(page), path);
        if (!existsSync(join(root, target))) return true;
        if (anchor === undefined) return false;
        const headings = [...read(target).matchAll(/^#+ (.+)$/gm)].map((match) => anchorOf(match[1]!));
        return !headings.includes(anchor);
      }),
    );
    expect(broken).toEqual([]);
  });

  test("files and folders named in them exist", () => {
    const missing = pages.flatMap((page) =>
      [...read(page).matchAll(/`((?:src|workers|cli|dashboard|test|bench|scripts|deploy|docs|\.ci)\/[\w./*-]*)`/g)]
        .map((match) => match[1]!)
        .filter((path) => !(path.includes("*") ? files(path).length > 0 : existsSync(join(root, path))))
        // Made by a command, and ignored by git.
        .filter((path) => !["bench/results/", "bench/.tools/", "test/e2e/shots"].includes(path))
        .map((path) => `${page}: ${path}`),
    );
    expect(missing).toEqual([]);
  });

  test("scripts named in them are in package.json", () => {
    const scripts = new Set(Object.keys(manifest.scripts));
    const wrong = [...pages, ...deployed].flatMap((page) =>
      [...read(page).matchAll(/\b(?:bun|npm) run ([a-z][\w-]*)/g)]
        .filter((match) => !scripts.has(match[1]!))
        .map((match) => `${page}: ${match[0]}`),
    );
    expect(wrong).toEqual([]);
  });

  test("soak scenarios named in them exist", () => {
    const scenarios = files("test/soak/*.ts").map(read).join("\n");
    const named = pages.flatMap((page) => [...read(page).matchAll(/soak --only ([a-z-]+)/g)].map((match) => match[1]!));
    expect(named.filter((name) => !scenarios.includes(`name: "${name}"`))).toEqual([]);
  });

  test("variables named for operators are settings", () => {
    const wrong = ["README.md", "docs/operations.md", "docs/security.md", ...deployed].flatMap((page) =>
      variablesIn(read(page))
        .filter((name) => !variables.has(name))
        .map((name) => `${page}: ${name}`),
    );
    expect(wrong).toEqual([]);
  });

  test("the sample digit-link.toml is accepted", () => {
    const toml = /```toml\n([\s\S]*?)```/.exec(read("docs/operations.md"))![1]!;
    const flags = Object.fromEntries(
      Object.entries(Bun.TOML.parse(toml)).map(([name, value]) => [name, String(value)]),
    );
    expect(loadConfig({ env: {}, file: null, flags })).toMatchObject({ domain: "tunnel.example.com", shards: 4 });
  });

  test("Caddy's examples pass on what visitors accept as they sent it", () => {
    for (const file of files("deploy/*Caddyfile"))
      expect(read(file)).toMatch(/reverse_proxy [^/\n]+:8080 \{[^}]*transport http \{\s*compression off\s*\}/);
  });

  test("every setting has an effect", () => {
    expect(unusedSettings()).toEqual([]);
  });

  test("error codes of the table exist", () => {
    const codes = [...read("docs/operations.md").matchAll(/^\| `([a-z_]+)` +\|/gm)].map((match) => match[1]!);
    expect(codes.length).toBeGreaterThan(20);
    expect(codes.filter((code) => !(code in errorCatalogue))).toEqual([]);
  });

  test("what shows that a known hole is closed stands in a describe of security", () => {
    const [, holes = ""] = read("docs/security.md").split("## Holes that others shipped with");
    const items = holes.split(/\n(?=- )/).slice(1);
    const wrong = items.flatMap((item) => {
      let file = "";
      const named = [...item.matchAll(/`([\w./-]+\.test\.ts)`|"([^"]+)"/g)].flatMap(([, path, title]) => {
        if (path !== undefined) file = path;
        return title === undefined ? [] : [{ file, title: title.replace(/\s+/g, " ") }];
      });
      if (named.length === 0) return [item];
      return named
        .filter(({ file: at, title }) => !securityTests(at).some((line) => line.includes(title)))
        .map(({ file: at, title }) => `${at}: ${title}`);
    });
    expect(wrong).toEqual([]);
    expect(items.length).toBeGreaterThanOrEqual(30);
  });

  test("tests that security.md leans on exist under that name", () => {
    const wrong: string[] = [];
    let named = 0;
    for (const item of read("docs/security.md").split(/\n(?=\s*-|\d+\.|#)/)) {
      if (!item.includes("Shown by")) continue;
      let file = "";
      for (const [, path, title] of item.matchAll(/`([\w./-]+\.test\.ts)`|"([^"]+)"/g)) {
        if (path !== undefined) file = path;
        else if (file === "" || !existsSync(join(root, file)) || !read(file).includes(title!.replace(/\s+/g, " ")))
          wrong.push(`${file}: ${title}`);
        else named++;
      }
    }
    expect(wrong).toEqual([]);
    expect(named).toBeGreaterThan(50);
  });
});

/** The lines of a test file inside of its describes of security, and its tests that say so in their name. */
function securityTests(file: string): string[] {
  let end: string | null = null;
  return read(file)
    .split("\n")
    .filter((line) => {
      const begins = /^( *)describe(?:\.\w+\(.*\))?\("security/.exec(line);
      if (begins !== null) end = `${begins[1]}});`;
      if (line === end) end = null;
      return end !== null || /^ *test\("security: /.test(line);
    });
}

/** Settings that nothing outside of src/config reads: neither by their own name nor by the one that shards know them by. */
function unusedSettings(): string[] {
  const sources = files("{src,workers,cli}/**/*.ts")
    .filter((file) => !/^src\/config\/|^src\/link\/messages\.ts$|\.test\.ts$/.test(file))
    .map(read)
    .join("\n");
  const toShards = read("src/config/shard-settings.ts");
  const isRead = (key: string): boolean => new RegExp(`\\b${key}\\b`).test(sources);
  return [...variables]
    .filter(([, key]) => {
      const renamed = new RegExp(`(\\w+): config\\.${key}\\b`).exec(toShards)?.[1];
      return !isRead(key) && !(renamed !== undefined && isRead(renamed));
    })
    .map(([name]) => name);
}

test("docs/protocol.md has a row for each field of a registration, and no other", () => {
  const section = /## 1\. Registering([\s\S]*?)\n## /.exec(read("docs/protocol.md"))?.[1] ?? "";
  const documented = [...section.matchAll(/^\| `(\w+)` \|/gm)].map((match) => match[1]!);
  expect(documented.sort()).toEqual(Object.keys(registerBody.properties).sort());
});

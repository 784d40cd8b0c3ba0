// What the browser has to load: the first page's scripts stay small, pages load lazily, nothing is inline or foreign.

import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { startBrowser } from "./browser.ts";
import { builtDashboard } from "../helpers/built-pages.ts";
import { startStage } from "./stage.ts";

interface Chunk {
  file: string;
  isEntry?: boolean;
  imports?: string[];
  dynamicImports?: string[];
}

const firstPageLimitBytes = 120 * 1024;
const dist = builtDashboard();
const manifest = JSON.parse(readFileSync(join(dist, "manifest.json"), "utf8")) as Record<string, Chunk>;

/** Every file that a chunk needs before it runs. */
function filesOf(key: string, seen = new Set<string>()): Set<string> {
  const chunk = manifest[key];
  if (chunk === undefined || seen.has(chunk.file)) return seen;
  seen.add(chunk.file);
  for (const needed of chunk.imports ?? []) filesOf(needed, seen);
  return seen;
}

function gzipBytes(files: Iterable<string>): number {
  let sum = 0;
  for (const file of files) sum += gzipSync(readFileSync(join(dist, file))).byteLength;
  return sum;
}

const entry = Object.keys(manifest).find((key) => manifest[key]?.isEntry === true) ?? "";
const pages = manifest[entry]?.dynamicImports ?? [];

describe("bundle", () => {
  test("pages are chunks of their own", () => {
    expect(pages.length).toBeGreaterThan(12);
  });

  test.each(pages)("the first page %s needs at most 120 KB of compressed script", (page) => {
    expect(gzipBytes(filesOf(page, filesOf(entry)))).toBeLessThan(firstPageLimitBytes);
  });

  test("all the script that a browser has loaded when the overview stands, chart and all, is at most 120 KB compressed", async () => {
    await using stage = await startStage();
    await using browser = await startBrowser();
    await using tab = await browser.open();
    await stage.enter(tab.context, await stage.admin());
    await tab.page.goto(`${stage.origin}/dashboard/overview`);
    await tab.page.getByRole("figure", { name: "Traffic of the last hour" }).waitFor();
    const loaded = `performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname)`;
    const paths = await tab.page.evaluate<string[]>(loaded);
    const scripts = new Set(paths.filter((path) => path.endsWith(".js")).map((path) => path.slice(1)));
    expect(scripts.has(manifest["src/pages/overview/traffic-card.tsx"]?.file ?? "")).toBe(true);
    expect(gzipBytes(scripts)).toBeLessThan(firstPageLimitBytes);
  });

  test("security: the page has nothing inline and asks nobody else for anything", () => {
    const html = readFileSync(join(dist, "index.html"), "utf8");
    expect(html).not.toMatch(/<style|<script(?![^>]*\bsrc="\/)|\sstyle=|\son\w+=|https?:\/\//);
  });
});

// Pages that several test processes need at once are built by one of them.

import { expect, test } from "bun:test";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BuiltPage } from "../../scripts/page-age.ts";
import { built } from "./built-pages.ts";

/** In Vite's place: its page is there when all have asked for it, and the rest of its files a while later. */
const vite = `#!/usr/bin/env bun
const { appendFileSync, mkdirSync, readdirSync, writeFileSync } = require("node:fs");
appendFileSync("builds", "x");
while (readdirSync(".").filter((name) => name.startsWith("asks-")).length < 3) Bun.sleepSync(5);
mkdirSync("dist", { recursive: true });
writeFileSync("dist/index.html", "");
Bun.sleepSync(200);
writeFileSync("dist/last", "");
`;

const ask = (page: BuiltPage) => `
const { existsSync, writeFileSync } = require("node:fs");
const { built } = require(${JSON.stringify(join(import.meta.dir, "built-pages.ts"))});
const page = ${JSON.stringify(page)};
writeFileSync(page.folder + "/asks-" + process.pid, "");
const dist = built(page);
console.log(existsSync(dist + "/last"));
`;

test("of processes that find a page stale one builds it, and the others wait until all of it is there", async () => {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-pages-"));
  using _ = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
  const bin = join(folder, "node_modules/.bin");
  mkdirSync(bin, { recursive: true });
  writeFileSync(join(folder, "source"), "");
  writeFileSync(join(bin, "vite"), vite);
  chmodSync(join(bin, "vite"), 0o755);
  const page = { name: "page of a test", folder, sources: [join(folder, "source")] };
  const processes = Array.from({ length: 3 }, () =>
    Bun.spawn([process.execPath, "-e", ask(page)], { stderr: "inherit" }),
  );
  const answers = await Promise.all(processes.map(({ stdout }) => stdout.text()));
  expect(answers).toEqual(Array(3).fill("true\n"));
  expect(built(page)).toBe(join(folder, "dist"));
  expect(readFileSync(join(folder, "builds"), "utf8")).toBe("x");
}, 60_000);

// What axe-core says about a page.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { CDPSession, Page } from "playwright-core";

const axeSource = readFileSync(join(import.meta.dir, "../../node_modules/axe-core/axe.min.js"), "utf8");
const axeScript = `(() => { const module = undefined; ${axeSource} })()`;

/**
 * What axe finds against WCAG 2.2 AA and good practice on the page as it is now. With `what` "all" that is all of it in the
 * first accent tried, and in the others what a colour decides; with "colours" it is that in every one. Pages outside of the
 * dashboard have one accent. An open dialog is looked at alone for its colours: what stands behind it was without it.
 */
export async function violations(
  page: Page,
  debug: CDPSession,
  tried: readonly string[],
  what: "all" | "colours",
): Promise<string[]> {
  // By the debugger, which the page's CSP does not concern; once for each document. Playwright's `evaluate` packs the half megabyte twice.
  if (await page.evaluate("!globalThis.axe")) await debug.send("Runtime.evaluate", { expression: axeScript });
  const script = `(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const root = document.documentElement;
    const before = root.dataset.accent;
    const all = ${what === "all"};
    const part = (all ? null : document.querySelector("dialog[open]")) ?? document;
    const found = [];
    for (const [index, accent] of (before === undefined ? [""] : ${JSON.stringify(tried)}).entries()) {
      if (accent !== "") root.dataset.accent = accent;
      const runOnly = all && index === 0 ? tags : { type: "rule", values: ["color-contrast", "link-in-text-block"] };
      const { violations } = await axe.run(part, { runOnly, resultTypes: ["violations"], preload: false });
      found.push(...violations.flatMap((v) => v.nodes.map((n) => accent + " " + v.id + ": " + n.html.slice(0, 160) + " " + n.failureSummary)));
    }
    if (before !== undefined) root.dataset.accent = before;
    return found;
  })()`;
  return (await page.evaluate(script)) as string[];
}

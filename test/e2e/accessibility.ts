// What axe-core says about a page.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Page } from "playwright-core";

const axeSource = readFileSync(join(import.meta.dir, "../../node_modules/axe-core/axe.min.js"), "utf8");

/**
 * What axe finds against WCAG 2.2 AA and good practice on the page as it is now: all of it in the first accent tried,
 * in the others what a colour decides; pages outside of the dashboard have one accent. `part` is looked at alone where it is.
 */
export async function violations(page: Page, tried: readonly string[], part = "none"): Promise<string[]> {
  // By the debugger, which the page's CSP does not concern; once for each document.
  if (await page.evaluate("!globalThis.axe"))
    await page.evaluate(`(() => { const module = undefined; ${axeSource} })()`);
  const script = `(async () => {
    const tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"];
    const root = document.documentElement;
    const before = root.dataset.accent;
    const what = document.querySelector("${part}") ?? document;
    const found = [];
    for (const [index, accent] of (before === undefined ? [""] : ${JSON.stringify(tried)}).entries()) {
      if (accent !== "") root.dataset.accent = accent;
      const runOnly = index === 0 ? tags : { type: "rule", values: ["color-contrast", "link-in-text-block"] };
      const { violations } = await axe.run(what, { runOnly, resultTypes: ["violations"], preload: false });
      found.push(...violations.flatMap((v) => v.nodes.map((n) => accent + " " + v.id + ": " + n.html.slice(0, 160) + " " + n.failureSummary)));
    }
    if (before !== undefined) root.dataset.accent = before;
    return found;
  })()`;
  return (await page.evaluate(script)) as string[];
}

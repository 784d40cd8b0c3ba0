// Real Chromium for the browser tests: one process, a fresh context per test, and a record of everything that went wrong in it.

import { expect } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { chromium, type BrowserContext, type CDPSession, type Page } from "playwright-core";
import { eventually } from "../helpers/eventually.ts";
import { violations } from "./accessibility.ts";

/** Where pictures go, when somebody wants to look at them: they are a tenth of the work of these tests. */
const shots = process.env["SHOTS"] === "1" ? join(import.meta.dir, "shots") : null;

export type Look = "light" | "dark" | "phone" | "wide";

export interface Browser extends AsyncDisposable {
  /** A context of its own (cookies, storage) with one page. */
  open(look?: Look): Promise<Tab>;
}

export interface Tab extends AsyncDisposable {
  page: Page;
  context: BrowserContext;
  /** Console errors, exceptions and CSP violations so far. Answers that the test provokes (4xx) are no errors. */
  problems: string[];
  /** Waits until nothing moves any more, and with SHOTS=1 takes a picture for a person to look at. */
  shot(name: string): Promise<void>;
  /** Fails on any accessibility violation, sideways overflow, or problem so far. */
  check(): Promise<void>;
  /**
   * `shot` and `check` in both schemes, the contrast in every accent; leaves it light. With `inTurns`
   * each call takes one accent, the next one of them: enough where there are many alike.
   */
  looks(name: string, inTurns?: boolean): Promise<void>;
  /** Another window around the page as it is: a desk's, light; a phone's, which has fingers; or a big screen's. */
  become(look: "light" | "phone" | "wide"): Promise<void>;
}

const desk = { width: 1360, height: 900 };
const sizes = { light: desk, dark: desk, phone: { width: 390, height: 844 }, wide: { width: 1920, height: 1080 } };

async function bePhone(debug: CDPSession, size: Partial<typeof desk> = {}): Promise<void> {
  const metrics = { ...sizes.phone, ...size, deviceScaleFactor: 1, mobile: true };
  await debug.send("Emulation.setDeviceMetricsOverride", metrics);
}

/** Pixels that the page is wider than its window; `innerWidth` would grow along on a phone. */
export const overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth";

/** Failures that the test provokes from now on, told with these words, are no problems of the page. */
export function forgiveFromNow({ problems }: Tab, provoked: string): void {
  problems.push = (...all) =>
    Array.prototype.push.apply(
      problems,
      all.filter((problem) => !problem.includes(provoked)),
    );
}

/** Debian's Chromium: the one without a window's interface needs half the CPU. */
const executablePath = ["/usr/bin/chromium-headless-shell", "/usr/bin/chromium"].find((path) => existsSync(path)) ?? "";

/** Starts Chromium with a profile that disappears. The caller disposes of it. */
export async function startBrowser(): Promise<Browser> {
  const profile = mkdtempSync(join(tmpdir(), "digit-link-browser-"));
  const browser = await chromium.launch({
    executablePath,
    args: [
      "--headless",
      "--no-sandbox",
      "--disable-quic",
      "--disable-background-networking",
      "--disable-gpu",
      "--no-first-run",
      "--disable-component-update",
      "--disable-sync",
      // Or each tab has a process in reserve started that it never needs.
      "--renderer-process-limit=1",
      // Names below localhost lead here without asking anybody.
      "--host-resolver-rules=MAP *.localhost 127.0.0.1, MAP localhost 127.0.0.1",
    ],
    env: { ...process.env, HOME: profile, XDG_CONFIG_HOME: profile, XDG_CACHE_HOME: profile },
  });
  if (shots !== null) mkdirSync(shots, { recursive: true });
  return {
    async open(first = "light") {
      let look = first;
      const phone = look === "phone";
      const context = await browser.newContext({
        viewport: sizes[look],
        colorScheme: look === "dark" ? "dark" : "light",
        reducedMotion: "reduce",
        isMobile: phone,
        hasTouch: phone,
      });
      context.setDefaultTimeout(15_000);
      const page = await context.newPage();
      const problems: string[] = [];
      let turn = 0;
      let debug: CDPSession | undefined;
      const watch = (one: Page) => {
        one.on("console", (message) => {
          const text = message.text();
          const provoked = text.startsWith("Failed to load resource: the server responded with a status of 4");
          if (message.type() === "error" && !provoked) problems.push(`console: ${text}`);
        });
        one.on("pageerror", (error) => problems.push(`exception: ${error.stack ?? error.message}`));
      };
      watch(page);
      context.on("page", watch);
      const shot = async (name: string): Promise<void> => {
        await page.evaluate(settled);
        if (shots === null) return;
        const fullPage = (await page.locator("dialog[open]").count()) === 0;
        const path = join(shots, `${name}.png`);
        if (look !== "phone" || debug === undefined || !fullPage)
          return void (await page.screenshot({ path, fullPage }));
        // Playwright's own takes the fingers away from a window that has become a phone's.
        const { cssContentSize } = await debug.send("Page.getLayoutMetrics");
        await bePhone(debug, { height: Math.ceil(cssContentSize.height) });
        const { data } = await debug.send("Page.captureScreenshot");
        await bePhone(debug);
        await Bun.write(path, Buffer.from(data, "base64"));
      };
      const check = async (tried: readonly string[] = [""], what: "all" | "colours" = "all"): Promise<void> => {
        debug ??= await context.newCDPSession(page);
        expect(await violations(page, debug, tried, what)).toEqual([]);
        expect(await page.evaluate(overflow)).toBeLessThanOrEqual(0);
        expect(await page.evaluate("matchMedia('(pointer: coarse)').matches")).toBe(look === "phone");
        if (look === "phone") {
          // The narrowest window of WCAG 1.4.10, and that of a desk's at 400 %.
          await bePhone(debug, { width: 320 });
          await page.evaluate(settled);
          expect(await page.evaluate(overflow), "at 320 pixels").toBeLessThanOrEqual(0);
          await bePhone(debug);
        }
        expect(problems).toEqual([]);
      };
      return {
        page,
        context,
        problems,
        check: () => check(),
        shot: (name) => shot(`${name}-${look}`),
        async looks(name, inTurns = false) {
          const tried = inTurns ? [accents[turn++ % accents.length]!] : accents;
          for (const colorScheme of ["light", "dark"] as const) {
            await page.emulateMedia({ colorScheme });
            await shot(`${name}-${colorScheme}`);
            // The other scheme changes nothing but colours.
            await check(tried, colorScheme === "light" ? "all" : "colours");
          }
          await page.emulateMedia({ colorScheme: "light" });
        },
        async become(next) {
          look = next;
          debug ??= await context.newCDPSession(page);
          // Or pictures of the larger window are cut to the phone's width.
          await debug.send("Emulation.clearDeviceMetricsOverride");
          await page.setViewportSize(sizes[look]);
          const enabled = look === "phone";
          await debug.send("Emulation.setTouchEmulationEnabled", { enabled });
          if (enabled) await bePhone(debug);
        },
        async [Symbol.asyncDispose]() {
          // What is held up on its way to a page when the test ends has nobody to go to any more.
          const held = { behavior: "ignoreErrors" } as const;
          for (const one of [context, ...context.pages()]) await one.unrouteAll(held);
          await context.close();
          // Whatever a test looks at: no page may complain.
          expect(problems).toEqual([]);
        },
      };
    },
    async [Symbol.asyncDispose]() {
      await browser.close();
      rmSync(profile, { recursive: true, force: true });
    },
  };
}

/**
 * Goes to another page of the dashboard by a link, as one in it would: a fifth of the work of loading it, and what the browser
 * has compiled stays warm. The new page stands there when it returns.
 */
export async function follow(page: Page, path: string): Promise<void> {
  await page.evaluate(`(() => {
    const link = Object.assign(document.createElement("a"), { href: "/dashboard/${path}" });
    document.querySelector("main").append(link);
    link.click();
    link.remove();
  })()`);
  // The router writes the address when the page is there.
  await page.waitForURL(`**/dashboard/${path}`);
}

/** Waits until these calls of the page, by their paths, have been answered. */
export async function answered(page: Page, ...calls: string[]): Promise<void> {
  const done = `performance.getEntriesByType("resource").map(({ name }) => new URL(name).pathname)`;
  await eventually(
    async () => {
      const paths = await page.evaluate<string[]>(done);
      return calls.every((call) => paths.includes(call));
    },
    `${calls.join(" and ")} are answered`,
  );
}

/** Asks the page to show a masked secret, and reads it. */
export async function readSecret(page: Page, what: string): Promise<string> {
  await page.getByRole("button", { name: `Show the ${what}`, exact: true }).click();
  return (await page.locator("[data-secret]").textContent()) ?? "";
}

/** Says that what is shown once is saved, and goes on. */
export async function keepSecret(page: Page): Promise<void> {
  await page.getByRole("checkbox", { name: /^I have saved the / }).check();
  await page.getByRole("button", { name: "Done", exact: true }).click();
}

/** Two frames after the last transition. */
const settled = `(async () => {
  const ending = document.getAnimations().filter((one) => one.effect.getComputedTiming().iterations !== Infinity);
  await Promise.allSettled(ending.map((one) => one.finished));
  await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
})()`;

const accents = ["iris", "lagoon", "ember", "orchid"];

/** Chooses one of many in a combobox, as somebody who types would. */
export async function pick(page: Page, field: string, typed: string, option = typed): Promise<void> {
  const box = page.getByRole("combobox", { name: field, exact: true });
  await box.click();
  if (typed !== "") await box.fill(typed);
  await page.getByRole("option").filter({ hasText: option }).first().click();
}

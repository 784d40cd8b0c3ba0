// From nothing to a working tunnel, as whoever starts a server for the first time: its log, the wizard, the agent, the public URL.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Page } from "playwright-core";
import { encode } from "uqr";
import { eventually } from "../helpers/eventually.ts";
import { endWithThisProcess, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { keepSecret, readSecret, startBrowser, type Browser } from "./browser.ts";
import { builtDashboard } from "../helpers/built-pages.ts";
import { codeOf, goodPassword } from "./stage.ts";

setDefaultTimeout(60_000);
let browser: Browser;
let server: ServerProcess;
let setupUrl: URL;
let home: string;
beforeAll(async () => {
  builtDashboard();
  // As an operator starts it: nobody can log in, no agent may come. The dashboard has a domain of its own.
  const env = { ADMIN_TOKEN: "", AGENT_WHITELIST: "", DASHBOARD_DOMAIN: "panel.localhost", BCRYPT_COST: "4" };
  home = mkdtempSync(join(tmpdir(), "digit-link-home-"));
  [browser, server] = await Promise.all([startBrowser(), startServerProcess({ shards: 1, env })]);
  const told = () => server.log.map(({ message }) => /set up the first administrator at (\S+)/.exec(message)?.[1]);
  await eventually(() => told().some(Boolean), "the log has the set-up URL");
  setupUrl = new URL(told().find(Boolean) ?? "");
});
afterAll(async () => {
  await browser[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(home, { recursive: true, force: true });
});

/** The modules of the QR code as they are painted, read from a picture of it; the border is left out. */
async function paintedQr(page: Page): Promise<boolean[][]> {
  const picture = await page.getByRole("img", { name: "QR code" }).locator("svg").screenshot();
  const read = `(async () => {
    const image = new Image();
    image.src = "data:image/png;base64,${picture.toString("base64")}";
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d");
    context.drawImage(image, 0, 0);
    const dark = (x, y) => context.getImageData(x, y, 1, 1).data[0] < 128;
    return { size: image.width, rows: Array.from({ length: image.height }, (_, y) => Array.from({ length: image.width }, (_, x) => dark(x, y))) };
  })()`;
  // A page of its own: the dashboard's policy permits no picture from data.
  const reader = await page.context().newPage();
  const { size, rows } = (await reader.evaluate(read)) as { size: number; rows: boolean[][] };
  await reader.close();
  const first = rows.findIndex((row) => row.some(Boolean));
  const last = rows.findLastIndex((row) => row.some(Boolean));
  // The finder pattern in the corner is seven modules wide.
  const finder = rows[first]?.slice(first).indexOf(false) ?? 0;
  const count = Math.round(((last - first + 1) / finder) * 7);
  const module = (last - first + 1) / count;
  const at = (index: number) => Math.min(size - 1, Math.floor(first + (index + 0.5) * module));
  return Array.from({ length: count }, (_, y) =>
    Array.from({ length: count }, (_, x) => rows[at(y)]?.[at(x)] === true),
  );
}

/** Runs a command as the page shows it, with the program of this source tree. */
function runShown(command: string, stdin: string): Bun.Subprocess<Buffer, "pipe", "pipe"> {
  const [program, ...words] = command.split(" ");
  expect(program).toBe("digit-link");
  const child = Bun.spawn([process.execPath, join(import.meta.dir, "../../cli/main.ts"), ...words], {
    env: { PATH: process.env.PATH ?? "", HOME: home },
    stdin: Buffer.from(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  endWithThisProcess(child.pid);
  return child;
}

const fillPassword = async (page: Page) => {
  await page.getByLabel("Password", { exact: true }).fill(goodPassword);
  await page.getByLabel("Password, once more").fill(goodPassword);
};

/** Recovery codes are masked, can be read, saved and printed, and stay until somebody says that they are saved. */
async function savesCodes(page: Page): Promise<void> {
  const codes = page.locator(".codes li");
  expect(await codes.count()).toBe(10);
  for (const code of await codes.allTextContents()) expect(code).toMatch(/^[•-]+$/);
  expect(await page.getByRole("button", { name: "Done" }).isDisabled()).toBe(true);
  const downloading = page.waitForEvent("download");
  await page.getByRole("button", { name: "Save as a file" }).click();
  const saved = await Bun.file(await (await downloading).path()).text();
  await page.evaluate("globalThis.print = () => { globalThis.printed = document.querySelector('.codes').innerText; }");
  await page.getByRole("button", { name: "Print" }).click();
  const shown = await codes.allTextContents();
  expect(saved).toBe(`${shown.join("\n")}\n`);
  expect(await page.evaluate("printed")).toContain(shown[0]!);
  await page.emulateMedia({ media: "print" });
  expect((await page.locator("body").innerText()).split(/\s+/)).toEqual(shown);
  await page.emulateMedia({ media: "screen" });
  await page.getByRole("button", { name: "Hide" }).click();
}

describe("first boot", () => {
  test("the bare address leads to the wizard; a wrong code and a short password are told at their fields", async () => {
    await using tab = await browser.open();
    const { page } = tab;
    await page.goto(`http://panel.localhost:${server.port}`);
    await page.waitForURL("**/setup");
    await tab.check();
    await tab.shot("setup");
    await page.getByLabel("Set-up code").fill("not-the-code");
    await page.getByLabel("Password", { exact: true }).fill("short");
    await page.getByRole("button", { name: "Continue" }).click();
    await page.locator(".field-error").getByText("At least 10 characters.").waitFor();
    expect(await page.getByText("At least 10 characters.").count()).toBe(1);
    await fillPassword(page);
    await page.getByRole("button", { name: "Continue" }).click();
    await page.locator(".field-error").getByText("The code is wrong").waitFor();
    expect(await page.getByLabel("Set-up code").getAttribute("aria-invalid")).toBe("true");
    await tab.check();
    await tab.shot("setup-wrong-code");
    // Then somebody finds the URL in the log, and opens it in the same tab: only its fragment is another one.
    await page.goto(setupUrl.href);
    const code = page.getByLabel("Set-up code");
    await eventually(
      async () => (await code.inputValue()) === setupUrl.hash.replace("#code=", ""),
      "the code is taken",
    );
  });

  test("from the URL in the log to a tunnel that answers", async () => {
    await using tab = await browser.open();
    const { page } = tab;
    await page.goto(setupUrl.href);
    expect(await page.getByLabel("Set-up code").inputValue()).toBe(setupUrl.hash.replace("#code=", ""));
    // The code is there, and "admin" will do: the password is what is asked for.
    const focused = "document.activeElement.labels?.[0]?.textContent.trim()";
    expect(await page.evaluate<string>(focused)).toBe("Password");
    await fillPassword(page);
    await page.getByRole("button", { name: "Continue" }).click();
    expect(await page.locator("[data-secret]").textContent()).toMatch(/^•{20}$/);
    const abandoned = await readSecret(page, "secret");

    // A reload in the middle: the code is still there, nothing was created, and the wizard says that it is at its beginning.
    const beginAgain = async () => {
      await page.getByText("After a reload you begin here again").waitFor();
      expect(await page.getByLabel("Set-up code").inputValue()).toBe(setupUrl.hash.replace("#code=", ""));
      await fillPassword(page);
      await page.getByRole("button", { name: "Continue" }).click();
    };
    await page.reload();
    await beginAgain();
    // Even with the recovery codes on screen.
    await page.getByLabel("First code").fill(codeOf(await readSecret(page, "secret")));
    await page.getByRole("button", { name: "Turn on" }).click();
    await page.getByText("Save the recovery codes now").waitFor();
    await page.reload();
    await beginAgain();
    // What was begun and has expired, or in another browser, leads back to where it can be begun, and says so.
    await page.getByLabel("First code").fill("123456");
    await tab.context.clearCookies();
    await page.getByRole("button", { name: "Turn on" }).click();
    await page.getByText("has expired. Begin again.").waitFor();
    await tab.check();
    await tab.shot("setup-begin-again");
    await beginAgain();
    await page.getByRole("img", { name: "QR code" }).waitFor();
    await tab.check();
    await tab.shot("setup-totp");
    const seed = await readSecret(page, "secret");
    expect(seed).not.toBe(abandoned);
    const uri = `otpauth://totp/localhost:admin?secret=${seed}&issuer=localhost`;
    expect(await paintedQr(page)).toEqual(encode(uri, { ecc: "M", border: 0 }).data);

    await page.getByLabel("First code").fill("000000");
    await page.getByRole("button", { name: "Turn on" }).click();
    await page.locator(".field-error").getByText("The code is wrong").waitFor();
    await page.getByLabel("First code").fill(codeOf(seed));
    await page.getByRole("button", { name: "Turn on" }).click();
    await page.getByText("Save the recovery codes now").waitFor();
    await savesCodes(page);
    await tab.check();
    await tab.shot("setup-codes");
    await keepSecret(page);
    expect(await page.getByRole("checkbox", { name: "Allow agents from my current address" }).isChecked()).toBe(true);
    await tab.check();
    await tab.shot("setup-finish");
    await using late = await browser.open();
    await late.page.goto(setupUrl.href);
    await fillPassword(late.page);
    await page.getByRole("button", { name: "Finish" }).click();
    await page.getByRole("heading", { name: "The server is yours" }).waitFor();
    await tab.check();
    // Whoever comes second is told so, and can log in.
    await late.page.getByRole("button", { name: "Continue" }).click();
    await late.page.getByRole("heading", { name: "This server is set up" }).waitFor();
    await late.page.getByRole("link", { name: "Log in" }).waitFor();
    await tab.shot("setup-done");

    await page.getByRole("button", { name: "Make its token" }).click();
    const token = await readSecret(page, "API token");
    expect(token).toStartWith("dlt_");
    await tab.check();
    await tab.shot("setup-token");
    const [save = "", open = ""] = await page.locator(".command code").allTextContents();

    using service = serve();
    const saving = runShown(save, `${token}\n`);
    expect([await saving.exited, await saving.stderr.text()]).toEqual([0, ""]);
    expect(open).toBe("digit-link http 3000");
    const agent = runShown(open.replace("3000", `${service.port} --subdomain hello --json`), "");
    await page.getByRole("checkbox", { name: "I have saved the API token" }).check();
    await page.getByRole("button", { name: "Go to the dashboard" }).click();
    await page.getByRole("heading", { name: "Overview", level: 1 }).waitFor();
    await page.getByRole("link", { name: "Tunnels", exact: true }).click();
    const row = page.getByRole("row").filter({ hasText: "hello" });
    await row.getByText("Up", { exact: true }).waitFor();
    await tab.check();

    await using visitor = await browser.open();
    await visitor.page.goto(`http://hello.localhost:${server.port}/`);
    expect(await visitor.page.textContent("body")).toBe("hello from port 3000");
    agent.kill("SIGTERM");
    await agent.exited;
  });

  test("a server that is set up says so to whoever opens the wizard again", async () => {
    await using tab = await browser.open();
    const { page } = tab;
    await page.goto(setupUrl.href);
    await page.getByRole("heading", { name: "This server is set up" }).waitFor();
    await tab.check();
    await page.getByRole("link", { name: "Log in" }).click();
    await page.getByLabel("Username").waitFor();
  });
});

function serve(): { port: number } & Disposable {
  const service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello from port 3000") });
  return { port: service.port ?? 0, [Symbol.dispose]: () => void service.stop(true) };
}

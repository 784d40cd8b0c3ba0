// What the browser tests run against: the real server in this process, from its first boot on, and a way past the wizard.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { generateSync } from "otplib";
import type { BrowserContext } from "playwright-core";
import { loadConfig } from "../../src/config/load.ts";
import { createDatabase } from "../../src/db/database.ts";
import { createLogger } from "../../src/lib/log.ts";
import { startServer } from "../../src/server.ts";
import { builtDashboard } from "../helpers/built-pages.ts";
import type { Browser, Look, Tab } from "./browser.ts";

/** Somebody who can log in with a second factor. */
export interface Person {
  username: string;
  password: string;
  /** Base32; null without a second factor. */
  seed: string | null;
  recoveryCodes: string[];
  /** A session, as a Cookie header. */
  cookie: string;
}

export interface Stage extends AsyncDisposable {
  readonly origin: string;
  readonly port: number;
  /** The one-time code that the server printed. */
  readonly setupCode: string;
  readonly logs: readonly string[];
  /** Goes through the wizard by the API, once, and returns the system admin. */
  admin(): Promise<Person>;
  /** Calls the API as somebody; throws on a refusal. */
  call<T>(person: Person, method: string, path: string, body?: unknown): Promise<T>;
  /** Creates an account (by the admin) and logs it in. */
  person(options: { username: string; orgId?: string; isOrgAdmin?: boolean }): Promise<Person & { token: string }>;
  /** One more session of somebody without a second factor, as a Cookie header. */
  logIn(person: Pick<Person, "username" | "password">): Promise<string>;
  /** Gives a browser somebody's session. */
  enter(context: BrowserContext, person: Person): Promise<void>;
}

export const goodPassword = "quiet-river-stone-42";

/** The code of a seed now; `steps` moves by 30 s (the server takes one step before and after). */
export function codeOf(seed: string, steps = 0): string {
  return generateSync({ secret: seed, epoch: Math.floor(Date.now() / 1000) + steps * 30 });
}

/** A port that nobody uses right now. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

/** Starts a fresh server. `env` are settings beyond the usual ones; `prepare` may fill its migrated database first. */
export async function startStage(
  env: Record<string, string> = {},
  prepare?: (databasePath: string) => Promise<void>,
): Promise<Stage> {
  builtDashboard();
  const folder = mkdtempSync(join(tmpdir(), "digit-link-stage-"));
  const logs: string[] = [];
  const log = createLogger({ level: "info", format: "json", write: (line) => void logs.push(line) });
  const settings = {
    // Known from the start: it is part of the URLs that the server tells others.
    PORT: String(freePort()),
    HOST: "127.0.0.1",
    DOMAIN: "localhost",
    SCHEME: "http",
    DB_PATH: join(folder, "stage.db"),
    AGENT_WHITELIST: "127.0.0.0/8",
    BCRYPT_COST: "4",
    SHARDS: "1",
    OIDC_ALLOW_PRIVATE: "127.0.0.0/8",
    ...env,
  };
  if (prepare !== undefined) {
    const path = settings.DB_PATH;
    await (await createDatabase({ url: null, path, onError: (error) => log.error(String(error)) })).close();
    await prepare(path);
  }
  const server = await startServer(loadConfig({ env: settings, file: null }), { log });
  const origin = `http://localhost:${server.port}`;
  const setupCode = new URL(server.setupUrl ?? origin).hash.replace("#code=", "");
  let admin: Promise<Person> | null = null;

  async function send(method: string, path: string, body: unknown, cookie: string): Promise<Response> {
    const response = await fetch(origin + path, {
      method,
      headers: { "content-type": "application/json", origin, ...(cookie === "" ? {} : { cookie }) },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
  const cookieOf = (response: Response): string =>
    response.headers
      .getSetCookie()
      .map((line) => line.slice(0, line.indexOf(";")))
      .filter((pair) => !pair.endsWith("="))
      .join("; ");

  async function setUp(): Promise<Person> {
    const begun = await send("POST", "/setup/init", { code: setupCode, username: "admin", password: goodPassword }, "");
    const draft = cookieOf(begun);
    const { secret } = (await begun.json()) as { secret: string };
    const prove = () => send("POST", "/setup/totp", { code: codeOf(secret, -1) }, draft);
    // The step of the code, which leaves the current one for the tests, may have ended on its way.
    const proven = await prove().catch(prove);
    const { recoveryCodes } = (await proven.json()) as { recoveryCodes: string[] };
    const done = await send("POST", "/setup/complete", { allowCurrentAddress: false }, draft);
    return { username: "admin", password: goodPassword, seed: secret, recoveryCodes, cookie: cookieOf(done) };
  }

  const stage: Stage = {
    origin,
    port: server.port,
    setupCode,
    logs,
    admin: () => (admin ??= setUp()),
    async call<T>(person: Person, method: string, path: string, body?: unknown) {
      return (await (await send(method, path, body, person.cookie)).json()) as T;
    },
    async person({ username, ...more }) {
      const created = await stage.call<{ token: string }>(await stage.admin(), "POST", "/admin/accounts", {
        username,
        password: goodPassword,
        ...more,
      });
      const cookie = await stage.logIn({ username, password: goodPassword });
      return { username, password: goodPassword, seed: null, recoveryCodes: [], cookie, token: created.token };
    },
    async logIn({ username, password }) {
      return cookieOf(await send("POST", "/auth/login", { username, password }, ""));
    },
    async enter(context, person) {
      const [name = "", value = ""] = person.cookie.split("=");
      await context.addCookies([{ name, value, url: origin, httpOnly: true, sameSite: "Lax" }]);
    },
    async [Symbol.asyncDispose]() {
      await server.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return stage;
}

/** A page of the dashboard in a tab of its own, which the caller disposes of, with an admin logged in. */
export async function openAdminTab(stage: Stage, browser: Browser, path: string, look?: Look): Promise<Tab> {
  const tab = await browser.open(look);
  await stage.enter(tab.context, await stage.admin());
  await tab.page.goto(`${stage.origin}/dashboard/${path}`);
  return tab;
}

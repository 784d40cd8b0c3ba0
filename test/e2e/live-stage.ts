// A stage for the live pages: a local service, an organization with an application, and the calls that make things happen.

import type { Page } from "playwright-core";
import { openTunnel, type InProcessAgent } from "../helpers/tunnel-agent.ts";
import { startBrowser, type Browser, type Look, type Tab } from "./browser.ts";
import { startStage, type Person, type Stage } from "./stage.ts";

export interface LiveStage extends AsyncDisposable {
  stage: Stage;
  browser: Browser;
  /** Of an account without an organization. */
  token: string;
  /** Manages the organization of the application `shop`. */
  boss: Person & { token: string };
  appId: string;
  tabOf(person: Person, path: string, options?: { port?: number; look?: Look }): Promise<Tab>;
  adminTab(path: string, options?: { port?: number; look?: Look }): Promise<Tab>;
  /** Opens a tunnel; to a service that says ok unless another port is given. */
  open(name: string, bearer?: string, port?: number): Promise<InProcessAgent>;
  visit(name: string, path: string): Promise<void>;
  /** An agent that is refused. */
  refuse(name: string): Promise<void>;
}

export async function startLiveStage(): Promise<LiveStage> {
  const settings = { GRACE_MS: "60s", PING_INTERVAL_MS: "200ms", CHECK_INTERVAL_MS: "500ms", CAPTURE_REQUESTS: "230" };
  const [browser, stage]: [Browser, Stage] = await Promise.all([startBrowser(), startStage(settings)]);
  const service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("ok") });
  const admin = await stage.admin();
  const { token } = await stage.person({ username: "runner" });
  const { organization } = await stage.call<{ organization: { id: string } }>(admin, "POST", "/admin/organizations", {
    name: "Acme",
  });
  const boss = await stage.person({ username: "boss", orgId: organization.id, isOrgAdmin: true });
  const { application } = await stage.call<{ application: { id: string } }>(boss, "POST", "/org/applications", {
    subdomain: "shop",
    name: "Web Shop",
  });
  const tabOf: LiveStage["tabOf"] = async (person, path, { port = stage.port, look = "light" } = {}) => {
    const tab = await browser.open(look);
    await stage.enter(tab.context, person);
    await tab.page.goto(`http://localhost:${port}/dashboard/${path}`);
    return tab;
  };
  return {
    ...{ stage, browser, token, boss, tabOf, appId: application.id },
    adminTab: (path, options) => tabOf(admin, path, options),
    open: (name, bearer = token, port = service.port ?? 0) =>
      openTunnel({ origin: stage.origin, token: bearer, port, name }),
    async visit(name, path) {
      await (await fetch(`http://${name}.localhost:${stage.port}${path}`)).text();
    },
    async refuse(name) {
      await fetch(`${stage.origin}/_tunnel/register`, {
        method: "POST",
        headers: { authorization: "Bearer dlt_wrong", "content-type": "application/json" },
        body: JSON.stringify({ subdomain: name, agentId: "agent-1234567890", generation: 1, version: "0.1.0" }),
      });
    },
    async [Symbol.asyncDispose]() {
      await browser[Symbol.asyncDispose]();
      await stage[Symbol.asyncDispose]();
      await service.stop(true);
    },
  };
}

/** Waits until the page says that it is kept up to date. */
export const isLive = (page: Page): Promise<void> =>
  page.getByRole("status").getByText("Live", { exact: true }).waitFor();

// A running server with two organizations, one application per kind and mode of policy, agents and credentials of every sort.

import { Database } from "bun:sqlite";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminApi, type AdminApi } from "./admin-api.ts";
import { startTestAgent } from "./agent.ts";
import { eventually } from "./eventually.ts";
import { freePorts } from "./free-ports.ts";
import { createHttpBrowser } from "./http-browser.ts";
import { type LocalService, startLocalService } from "./local-service.ts";
import { startProvider, type TestProvider } from "./oidc-provider.ts";
import { startTestServer } from "./server.ts";
import { visit } from "./visit.ts";

/** Here it is about credentials, not about the limiter. */
const noLimiter = { enabled: false, maxAttempts: 10, windowDurationSeconds: 60, blockDurationSeconds: 60 };
/** Of the basic policy of an application or organization. */
const passwordOf = (owner: string): string => `visitor-secret-of-${owner}`;
const orgNames = ["acme", "globex", "initech", "umbrella"] as const;
type OrgName = (typeof orgNames)[number];

interface Application {
  org: OrgName;
  /** null: no application, a name that somebody of the organization leased. */
  authMode: "custom" | "inherit" | "disabled" | null;
  /** Its own policy. */
  policy?: { authType: string; apiKeyEnabled?: boolean };
  /** There are sessions: of a login form, or of the provider. */
  login?: "form" | "provider";
}

/** What applications inherit; `globex` has none. */
const policies: Partial<Record<OrgName, { authType: string }>> = {
  acme: { authType: "api_key" },
  initech: { authType: "basic" },
  umbrella: { authType: "oidc" },
};
const withKeys = { apiKeyEnabled: true };
const applications = {
  basic: { org: "acme", authMode: "custom", policy: { authType: "basic" }, login: "form" },
  "basic-keys": { org: "acme", authMode: "custom", policy: { authType: "basic", ...withKeys }, login: "form" },
  keys: { org: "acme", authMode: "custom", policy: { authType: "api_key" } },
  oidc: { org: "acme", authMode: "custom", policy: { authType: "oidc" }, login: "provider" },
  "oidc-keys": { org: "acme", authMode: "custom", policy: { authType: "oidc", ...withKeys }, login: "provider" },
  "inherited-keys": { org: "acme", authMode: "inherit" },
  "inherited-basic": { org: "initech", authMode: "inherit", login: "form" },
  "inherited-oidc": { org: "umbrella", authMode: "inherit", login: "provider" },
  missing: { org: "acme", authMode: "custom" },
  disabled: { org: "acme", authMode: "disabled" },
  nothing: { org: "globex", authMode: "inherit" },
  "leased-keys": { org: "acme", authMode: null },
  "leased-basic": { org: "initech", authMode: null, login: "form" },
} satisfies Record<string, Application>;
export type AppName = keyof typeof applications;
export const appNames = Object.keys(applications) as AppName[];

export type IngressWorld = Awaited<ReturnType<typeof startIngressWorld>>;

/** Starts everything and waits until each application is served. */
export async function startIngressWorld() {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-matrix-"));
  const dbPath = join(folder, "matrix.db");
  const [port = 0] = await freePorts(1);
  const server = await startTestServer({ SHARDS: "2", PORT: String(port), DB_PATH: dbPath });
  const provider = await startProvider([`http://localhost:${port}/auth/visitor/callback`]);
  const local = startLocalService();
  const api = adminApi(server);
  const orgs = {} as Record<OrgName, string>;
  for (const name of orgNames) {
    orgs[name] = await api.createOrganization(name);
    const policy = policies[name];
    if (policy !== undefined)
      await api.must("PUT", `/admin/organizations/${orgs[name]}/policy`, bodyOf(policy, provider, name));
    await api.must("PUT", `/admin/organizations/${orgs[name]}/rate-limit`, noLimiter);
  }
  const apps: Partial<Record<AppName, string>> = {};
  const agents: AsyncDisposable[] = [];
  const serve = async (name: AppName): Promise<void> => {
    const { org, authMode, policy }: Application = applications[name];
    if (authMode !== null) {
      const id = (apps[name] = await api.createApplication(orgs[org], name, authMode));
      if (policy !== undefined) await api.setPolicy(id, bodyOf(policy, provider, name));
    }
    const { raw: token } = await api.createKey({ orgId: orgs[org], scope: "tunnel" });
    const options = { server: { port, token }, subdomain: name, localPort: local.port, connections: 1 };
    agents.push(await startTestAgent(options));
  };
  await Promise.all(appNames.map(serve));
  for (const name of appNames.filter((one) => one !== "disabled" && one !== "nothing"))
    await eventually(async () => (await visit(port, name, "/")).status !== 200, `the policy of ${name} is in force`);
  return {
    ...{ port, api, orgs, apps, local, provider },
    /** Changes rows behind the server's back: what only time would do. */
    change(sql: string, ...values: string[]): void {
      using db = new Database(dbPath);
      db.run("pragma busy_timeout = 5000");
      db.run(sql, values);
    },
    async [Symbol.asyncDispose]() {
      for (const agent of agents) await agent[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      await provider.stop();
      local[Symbol.dispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  } satisfies { port: number; api: AdminApi; local: LocalService; provider: TestProvider } & Record<string, unknown>;
}

function bodyOf(
  policy: { authType: string; apiKeyEnabled?: boolean },
  provider: TestProvider,
  owner: AppName | OrgName,
): object {
  if (policy.authType === "basic") return { ...policy, basicUsername: "ada", basicPassword: passwordOf(owner) };
  if (policy.authType === "api_key") return policy;
  const { issuer, clientId, clientSecret } = provider;
  const client = { oidcIssuerUrl: issuer, oidcClientId: clientId, oidcClientSecret: clientSecret };
  return { ...policy, ...client, oidcScopes: ["openid", "email"] };
}

/** Field lines of every sort of credential for `app`, by what they are. */
export async function credentialsFor(world: IngressWorld, app: AppName): Promise<Record<string, string>> {
  const { api, orgs, apps } = world;
  const orgId = orgs[applications[app].org];
  const otherOrgId = orgId === orgs.acme ? orgs.globex : orgs.acme;
  const bound = (appId: string | undefined) => (appId === undefined ? {} : { appId });
  const own = (scope: "tunnel" | "visitor") => api.createKey({ orgId, ...bound(apps[app]), scope });
  const sibling: AppName = app === "keys" ? "basic-keys" : "keys";
  const siblings = await api.createKey({ orgId: orgs.acme, ...bound(apps[sibling]), scope: "both" });
  // Of the same kind where there is one.
  const alike: AppName = app.startsWith("oidc")
    ? app === "oidc"
      ? "oidc-keys"
      : "oidc"
    : app === "basic"
      ? "basic-keys"
      : "basic";
  const foreign: AppName = app.includes("oidc")
    ? app === "inherited-oidc"
      ? "oidc"
      : "inherited-oidc"
    : orgId === orgs.initech
      ? "basic"
      : "inherited-basic";
  const expired = await own("visitor");
  world.change("update api_keys set expires_at = 1 where id = ?", expired.id);
  const revoked = await own("visitor");
  await api.must("DELETE", `/admin/api-keys/${revoked.id}`);
  const key = (raw: string): string => `X-API-Key: ${raw}\r\n`;
  const basic = (user: string, word: string): string =>
    `Authorization: Basic ${Buffer.from(`${user}:${word}`).toString("base64")}\r\n`;
  const cookie = (value: string): string => `Cookie: own=1; dl_visitor=${value}\r\n`;
  const right = (await own("visitor")).raw;
  const word = wordOf(app);
  return {
    none: "",
    "right basic": basic("ada", word),
    "wrong password": basic("ada", `${word}2`),
    "wrong user": basic("bob", word),
    "sibling's basic": basic("ada", passwordOf(alike)),
    "other organization's basic": basic("ada", passwordOf(orgId === orgs.initech ? "basic" : "initech")),
    "right key": key(right),
    "right key as bearer": `Authorization: Bearer ${right}\r\n`,
    "organization's key": key((await api.createKey({ orgId, scope: "both" })).raw),
    "unknown key": key(`${right.slice(0, -6)}AAAAAA`),
    "agent's key": key((await own("tunnel")).raw),
    "expired key": key(expired.raw),
    "revoked key": key(revoked.raw),
    "sibling's key": key(siblings.raw),
    "other organization's key": key((await api.createKey({ orgId: otherOrgId, scope: "both" })).raw),
    session: cookie(await sessionOf(world, app)),
    "made-up session": cookie("x".repeat(43)),
    "expired session": cookie(await expiredSession(world, app)),
    "revoked session": cookie(await revokedSession(world, app)),
    "sibling's session": cookie(await sessionOf(world, alike)),
    "other organization's session": cookie(await sessionOf(world, foreign)),
  };
}

/** The password of the basic policy that is in force for `app`, if there is one. */
const wordOf = (app: AppName): string => {
  const { org, policy }: Application = applications[app];
  return passwordOf(policy === undefined ? org : app);
};
const loginOf = (app: AppName): Application["login"] => (applications[app] as Application).login;

/** A fresh session of `app`; a made-up one where its policy has none. */
async function sessionOf(world: IngressWorld, app: AppName): Promise<string> {
  return loginOf(app) === undefined ? "y".repeat(43) : (await logIn(world, app)).sessionAt(app);
}

async function logIn(world: IngressWorld, app: AppName) {
  const browser = createHttpBrowser(world.port);
  const at = `http://${app}.localhost:${world.port}`;
  if (loginOf(app) === "form") {
    await browser.send(`${at}/__auth/basic`, { username: "ada", password: wordOf(app) });
    return browser;
  }
  const begun = await browser.send(`${at}/__auth/login`);
  const back = await browser.send(await world.provider.authorize(begun.location ?? ""));
  await browser.send(back.location ?? "");
  return browser;
}

async function expiredSession(world: IngressWorld, app: AppName): Promise<string> {
  if (loginOf(app) === undefined) return "z".repeat(43);
  const session = (await logIn(world, app)).sessionAt(app);
  const hash = new Bun.CryptoHasher("sha256").update(session).digest("hex");
  world.change("update visitor_sessions set expires_at = 1 where session_hash = ?", hash);
  return session;
}

async function revokedSession(world: IngressWorld, app: AppName): Promise<string> {
  if (loginOf(app) === undefined) return "w".repeat(43);
  const browser = await logIn(world, app);
  const session = browser.sessionAt(app);
  await browser.send(`http://${app}.localhost:${world.port}/__auth/logout`, { sure: "1" });
  return session;
}

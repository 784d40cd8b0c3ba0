// Secrets of every kind go through a running server, and are then looked for in everything that it left on the disk or said.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { generateSync } from "otplib";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { createHttpBrowser } from "../helpers/http-browser.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { startProvider } from "../helpers/oidc-provider.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { visit } from "../helpers/visit.ts";

setDefaultTimeout(60_000);

const root = join(import.meta.dir, "../..");
const keys = {
  ENCRYPTION_KEY: "planted-encryption-key-0123456789abcdef",
  JWT_SECRET: "planted-jwt-secret-0123456789abcdef012345",
};

describe("security", () => {
  test("no planted secret is in a database file, a backup, a log, the audit or the captured requests; files are private", async () => {
    await using server = await startServerProcess({
      shards: 2,
      env: { ...keys, LOG_LEVEL: "debug", BCRYPT_COST: "4" },
    });
    const said: string[] = [];
    const planted = await plant(server, said);
    expect(Object.keys(planted).length).toBeGreaterThanOrEqual(20);
    for (const [what, secret] of Object.entries(planted))
      expect({ what, long: secret.length >= 10 }).toEqual({ what, long: true });

    const backup = join(server.folder, "copy.db");
    const command = [process.execPath, join(root, "cli/main.ts"), "backup", backup];
    const env = { PATH: process.env.PATH ?? "", DB_PATH: join(server.folder, "digit-link.db"), ...keys };
    const copying = Bun.spawn(command, { cwd: server.folder, env, stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    said.push(await copying.stdout.text(), await copying.stderr.text());
    expect(await copying.exited).toBe(0);
    expect(filesBelow(server.folder).map(({ path }) => path)).toContain(`${env.DB_PATH}-wal`);

    const look = (): void => {
      const files = filesBelow(server.folder);
      const wrongMode = files.filter(
        ({ isFolder, mode, isSocket }) => !isSocket && mode !== (isFolder ? 0o700 : 0o600),
      );
      expect(wrongMode.map(({ path, mode }) => `${path} ${mode.toString(8)}`)).toEqual([]);
      const places: [string, Buffer][] = files.flatMap(({ path, isFolder, isSocket }): [string, Buffer][] =>
        isFolder || isSocket ? [] : [[path, readFileSync(path)]],
      );
      places.push(["log", Buffer.from(server.log.map((line) => JSON.stringify(line)).join("\n"))]);
      places.push(["output, audit, captured requests", Buffer.from(said.join("\n"))]);
      const found = Object.entries(planted).flatMap(([what, secret]) =>
        formsOf(secret).flatMap((form) =>
          places.filter(([, bytes]) => bytes.includes(form)).map(([place]) => `${what}: ${place}`),
        ),
      );
      expect(found).toEqual([]);
      // What is looked through is where such things would be: a name and a hash are found.
      expect(places.some(([path, bytes]) => path.endsWith("copy.db") && bytes.includes("planted-user"))).toBe(true);
    };
    look();
    server.signal("SIGKILL");
    await server.exited;
    look();
  });
});

/** As it is, in base64 of both alphabets, in hex, and as JSON or a URL would spell it. */
function formsOf(secret: string): Buffer[] {
  const bytes = Buffer.from(secret);
  const forms = [
    secret,
    bytes.toString("base64").replace(/=+$/, ""),
    bytes.toString("base64url"),
    bytes.toString("hex"),
  ];
  return [...new Set([...forms, encodeURIComponent(secret), JSON.stringify(secret).slice(1, -1)])].map((form) =>
    Buffer.from(form),
  );
}

interface Found {
  path: string;
  isFolder: boolean;
  isSocket: boolean;
  mode: number;
}

function filesBelow(folder: string): Found[] {
  return readdirSync(folder).flatMap((name) => {
    const path = join(folder, name);
    const stat = statSync(path);
    const found = { path, isFolder: stat.isDirectory(), isSocket: stat.isSocket(), mode: stat.mode & 0o777 };
    return [found, ...(found.isFolder ? filesBelow(path) : [])];
  });
}

/** Sends secrets everywhere that takes one; returns them by what they are. `said` gets what the server shows of it all. */
async function plant(server: ServerProcess, said: string[]): Promise<Record<string, string>> {
  const { port } = server;
  const api = adminApi(server);
  const planted: Record<string, string> = {
    "admin token": server.token,
    "encryption key": keys.ENCRYPTION_KEY,
    "JWT secret": keys.JWT_SECRET,
  };
  planted["first password"] = "planted-password-one";
  planted["changed password"] = "planted-password-two";
  planted["guessed password"] = "planted-password-guess";

  planted["basic password"] = "planted-basic-password";
  planted["guessed basic password"] = "planted-basic-guess";
  planted["guessed API key"] = `dlk_planted${"k".repeat(42)}`;
  planted["guessed agent token"] = `dlt_planted${"t".repeat(42)}`;
  planted["query string"] = "planted-in-the-query";
  planted["authorization of the application"] = "planted-authorization-of-the-application";
  planted["cookie of the application"] = "planted-cookie-of-the-application";
  planted["body"] = "planted-in-the-body";

  // A member: password, session, second factor, recovery codes, tokens.
  const orgId = await api.createOrganization("planted-org");
  const member = await api.must("POST", "/admin/accounts", {
    username: "planted-user",
    orgId,
    password: planted["first password"],
  });
  const accountId = (member["account"] as { id: string }).id;
  planted["account token"] = member["token"] as string;
  await api.must("PUT", `/admin/accounts/${accountId}/password`, { password: planted["changed password"] });
  planted["new account token"] = (await api.must("POST", `/admin/accounts/${accountId}/regenerate`, {}))[
    "token"
  ] as string;
  const person = createPersonAt(port);
  const credentials = { username: "planted-user", password: planted["guessed password"] };
  await person.call("POST", "/auth/login", credentials);
  const proof = { currentPassword: planted["changed password"] };
  await person.call("POST", "/auth/login", { ...credentials, password: planted["changed password"] });
  planted["session"] = person.session();
  planted["TOTP seed"] = (await person.call("POST", "/org/me/totp/start", proof))["secret"] as string;
  const code = generateSync({ secret: planted["TOTP seed"] });
  const enrolled = await person.call("POST", "/org/me/totp/setup", { code });
  for (const [i, one] of (enrolled["recoveryCodes"] as string[]).entries()) planted[`recovery code ${i}`] = one;
  const again = await person.call("POST", "/auth/login", { ...credentials, password: planted["changed password"] });
  planted["pending token"] = again["pendingToken"] as string;
  await person.call("POST", "/auth/totp/verify", {
    pendingToken: planted["pending token"],
    code: planted["recovery code 0"],
  });
  planted["second session"] = person.session();

  // Visitors of two applications, and the agent's key.
  await using provider = await startProvider([`http://localhost:${port}/auth/visitor/callback`]);
  planted["client secret"] = provider.clientSecret;
  using local = startLocalService();
  const key = await api.createKey({ orgId, scope: "both" });
  planted["API key"] = key.raw;
  const basic = {
    authType: "basic",
    basicUsername: "ada",
    basicPassword: planted["basic password"],
    apiKeyEnabled: true,
  };
  const client = {
    oidcIssuerUrl: provider.issuer,
    oidcClientId: provider.clientId,
    oidcClientSecret: provider.clientSecret,
  };
  const policies = { formed: basic, provided: { authType: "oidc", ...client, oidcScopes: ["openid", "email"] } };
  const agents: AsyncDisposable[] = [];
  for (const [name, policy] of Object.entries(policies)) {
    await api.setPolicy(await api.createApplication(orgId, name, "custom"), policy);
    agents.push(await startTestAgent({ server: { port, token: key.raw }, subdomain: name, localPort: local.port }));
    await eventually(async () => (await visit(port, name, "/")).status === 401, "the policy is in force");
  }
  const browser = createHttpBrowser(port);
  await browser.send(`http://formed.localhost:${port}/__auth/basic`, {
    username: "ada",
    password: planted["guessed basic password"],
  });
  await browser.send(`http://formed.localhost:${port}/__auth/basic`, {
    username: "ada",
    password: planted["basic password"],
  });
  planted["visitor session"] = browser.sessionAt("formed");
  const begun = new URL((await browser.send(`http://provided.localhost:${port}/__auth/login`)).location ?? "");
  planted["OIDC state"] = begun.searchParams.get("state") ?? "";
  const back = await browser.send(await provider.authorize(begun.href));
  planted["OIDC code"] = new URL(back.location ?? "").searchParams.get("code") ?? "not-in-the-second-step";
  await browser.send(back.location ?? "");
  planted["OIDC session"] = browser.sessionAt("provided");
  const ask = (lines: string, body = ""): Promise<unknown> =>
    requestOnce(
      { port },
      `POST /a?token=${planted["query string"]} HTTP/1.1\r\nHost: formed.localhost\r\n${lines}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`,
    );
  await ask(`X-API-Key: ${planted["guessed API key"]}\r\n`);
  await ask(
    `X-API-Key: ${planted["API key"]}\r\nAuthorization: Bearer ${planted["authorization of the application"]}\r\nCookie: a=${planted["cookie of the application"]}\r\n`,
    planted["body"],
  );
  const refused = await fetch(`http://localhost:${port}/_tunnel/register`, {
    method: "POST",
    headers: { authorization: `Bearer ${planted["guessed agent token"]}`, "content-type": "application/json" },
    body: JSON.stringify({ agentId: "agt_of_nobody_known", generation: Date.now(), version: "1.0.0" }),
  });
  expect(refused.status).toBe(401);

  // What is shown of all that. The account's own captured requests are masked as well.
  await eventually(
    async () => JSON.stringify(await api.must("GET", "/admin/requests")).includes('"/a"'),
    "the request is captured",
  );
  said.push(JSON.stringify(await api.must("GET", "/admin/requests?limit=200")));
  const exported = async (): Promise<string> => {
    const headers = { "x-admin-token": server.token };
    return (await fetch(`http://localhost:${port}/admin/audit/export?format=jsonl`, { headers })).text();
  };
  await eventually(async () => (await exported()).includes("tunnel.refused"), "the last refusal is audited");
  said.push(await exported());
  for (const agent of agents) await agent[Symbol.asyncDispose]();
  return planted;
}

/** A person at the dashboard's API: keeps the session cookie. */
function createPersonAt(port: number) {
  let session = "";
  return {
    session: () => session,
    async call(method: string, path: string, body: unknown): Promise<Record<string, unknown>> {
      const origin = `http://localhost:${port}`;
      const response = await fetch(`${origin}${path}`, {
        method,
        headers: {
          "content-type": "application/json",
          origin,
          ...(session === "" ? {} : { cookie: `dl_session=${session}` }),
        },
        body: JSON.stringify(body),
      });
      for (const line of response.headers.getSetCookie()) session = /^dl_session=([^;]+)/.exec(line)?.[1] ?? session;
      return (await response.json()) as Record<string, unknown>;
    },
  };
}

// Agents as processes at a real server: where server and token come from, which of several counts, and how a refusal ends them.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createToken } from "../../src/auth/tokens.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { createCli } from "../helpers/cli-process.ts";
import { eventually } from "../helpers/eventually.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { startTaggedService, type TaggedService } from "../helpers/tagged-service.ts";
import { serviceOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "digit-link-connection-"));
const { digitLink, serve } = createCli(folder);
let server: TestServer;
let service: TaggedService;
let origin: string;
let port: string;
const tokens = { ada: "", bob: "", eve: "" };

beforeAll(async () => {
  server = await startTestServer();
  service = startTaggedService("local");
  origin = `http://localhost:${server.port}`;
  port = String(service.port);
  for (const name of ["ada", "bob", "eve"] as const)
    tokens[name] = (await adminApi(server).createAccount(name, null)).token;
});
afterAll(async () => {
  await service[Symbol.asyncDispose]();
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A home of its own, where `token` was saved by `digit-link login`. */
async function loggedIn(name: string, token: string): Promise<{ XDG_CONFIG_HOME: string }> {
  const env = { XDG_CONFIG_HOME: join(folder, name) };
  const { exitCode } = await digitLink(["login", origin], { input: token, env });
  expect(exitCode).toBe(0);
  return env;
}

function tokenFile(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  chmodSync(path, 0o600);
  return path;
}

/** Whose agent serves the name that such a command line asks for; the tunnel works, and nothing is complained of. */
async function whoServes(
  name: string,
  argv: string[],
  options: { env?: Record<string, string>; input?: string } = {},
): Promise<string> {
  const agent = serve([...argv, "--subdomain", name], options);
  await agent.until(`online   http://${name}.localhost:${server.port} -> http://localhost:${port}\n`);
  expect(serviceOf(await visit(server.port, name, "/"))).toBe("local");
  let actor: string | undefined;
  const known = async (): Promise<boolean> => {
    const { tunnels } = (await adminApi(server).must("GET", `/admin/tunnels?q=${name}`)) as {
      tunnels: { subdomain: string; agents: { actor: string }[] }[];
    };
    actor = tunnels.find(({ subdomain }) => subdomain === name)?.agents[0]?.actor;
    return actor !== undefined;
  };
  await eventually(known, "the server knows whose it is");
  expect((await agent.stop()).exitCode).toBe(0);
  return actor ?? "nobody";
}

/** A server that is not to be asked anything. */
function bystander() {
  let asked = 0;
  const other = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    fetch() {
      asked++;
      return new Response("no", { status: 503 });
    },
  });
  return {
    origin: `http://127.0.0.1:${other.port}`,
    asked: () => asked,
    [Symbol.asyncDispose]: () => other.stop(true),
  };
}

describe("server and token", () => {
  test("from the environment", async () => {
    const env = { DIGIT_LINK_SERVER: origin, DIGIT_LINK_TOKEN: tokens.ada };
    expect(await whoServes("from-env", ["http", port], { env })).toBe("ada");
  });

  test("a token from a file, or from standard input", async () => {
    const path = tokenFile("token.txt", `${tokens.bob}\n`);
    expect(await whoServes("from-file", ["http", port, "--server", origin, "--token-file", path])).toBe("bob");
    const argv = ["http", port, "--server", origin, "--token-file", "-"];
    expect(await whoServes("from-input", argv, { input: `${tokens.eve}\n` })).toBe("eve");
  });

  test("as saved by login: no flags, no variables", async () => {
    const env = await loggedIn("plain", tokens.ada);
    expect(await whoServes("saved", [port], { env })).toBe("ada");
  });

  test("the token: a flag before a variable before what is saved", async () => {
    const saved = await loggedIn("tokens", tokens.eve);
    const variable = { ...saved, DIGIT_LINK_TOKEN: tokens.bob };
    const flags = ["--token-file", tokenFile("ada.txt", tokens.ada)];
    expect([
      await whoServes("token-flag", ["http", port, ...flags], { env: variable }),
      await whoServes("token-env", ["http", port], { env: variable }),
      await whoServes("token-saved", ["http", port], { env: saved }),
    ]).toEqual(["ada", "bob", "eve"]);
  });

  test("the server: a flag before a variable before what is saved, and the others hear nothing", async () => {
    await using other = bystander();
    const saved = { XDG_CONFIG_HOME: join(folder, "servers") };
    // It can't say, so the token is saved unchecked.
    await digitLink(["login", other.origin], { input: tokens.eve, env: saved });
    const asked = other.asked();
    const DIGIT_LINK_TOKEN = tokens.bob;
    const variable = { ...saved, DIGIT_LINK_TOKEN, DIGIT_LINK_SERVER: other.origin };
    const here = { ...saved, DIGIT_LINK_TOKEN, DIGIT_LINK_SERVER: origin };
    expect(await whoServes("server-flag", ["http", port, "--server", origin], { env: variable })).toBe("bob");
    expect(await whoServes("server-env", ["http", port], { env: here })).toBe("bob");
    expect(other.asked()).toBe(asked);
  });

  test("a saved token is for the server that it was saved for alone", async () => {
    await using other = bystander();
    const env = await loggedIn("one-server", tokens.eve);
    expect(await digitLink(["http", port, "--server", other.origin], { env })).toEqual({
      ...{ exitCode: 2, out: "" },
      problems: `digit-link: No token for ${other.origin} is known (the saved one is for ${origin}); give --token-file FILE, set DIGIT_LINK_TOKEN, or save it with "digit-link login".\n`,
    });
    expect(other.asked()).toBe(0);
  });
});

describe("a permanent refusal is one sentence and an exit code", () => {
  /** What it ends with; the token stands in the environment, so that nothing else is said. */
  async function refused(argv: string[], token: string, at = origin) {
    const env = { DIGIT_LINK_SERVER: at, DIGIT_LINK_TOKEN: token };
    const { exitCode, out, problems } = await digitLink([...argv, "--quiet"], { env });
    expect(out).toBe("");
    return [exitCode, problems];
  }
  const sentence = (text: string) => expect.stringMatching(new RegExp(`^digit-link: [^\\n]*${text}\\n$`));

  test("a token that is not valid: 3", async () => {
    for (const token of [createToken("dlt"), "hunter2"])
      expect(await refused(["http", port], token)).toEqual([
        3,
        sentence("The token or API key is not valid: it was mistyped, revoked or replaced\\."),
      ]);
  });

  test("an address that may not: 3", async () => {
    await using strict = await startTestServer({ AGENT_WHITELIST: "192.0.2.0/24" });
    expect(await refused(["http", port], strict.token, `http://localhost:${strict.port}`)).toEqual([
      3,
      sentence(
        "Agents may not connect from (127\\.0\\.0\\.1|::1)\\. An administrator allows it in the dashboard or with: digit-link whitelist add \\S+",
      ),
    ]);
  });

  test("a name that somebody else has, or nobody may have: 4", async () => {
    await using holder = serve(["http", port, "-n", "taken"], {
      env: { DIGIT_LINK_SERVER: origin, DIGIT_LINK_TOKEN: tokens.ada },
    });
    await holder.until("online   ");
    expect(await refused(["http", port, "-n", "taken"], tokens.bob)).toEqual([
      4,
      sentence("This name belongs to somebody else: choose another one\\."),
    ]);
    expect(await refused(["http", port, "-n", "www"], tokens.bob)).toEqual([
      4,
      sentence("This name is reserved: choose another one\\."),
    ]);
    expect((await visit(server.port, "taken", "/")).status).toBe(200);
  });

  test("tcp where the server has no ports: 5", async () => {
    expect(await refused(["tcp", port], tokens.ada)).toEqual([
      5,
      sentence("This server has no TCP ports to give \\(TCP_PORTS is not set\\)\\."),
    ]);
  });

  test("a server that redirects: 2", async () => {
    await using secure = bystander();
    await using old = Bun.serve({
      ...{ hostname: "127.0.0.1", port: 0 },
      fetch: (request) => Response.redirect(`${secure.origin}${new URL(request.url).pathname}`, 308),
    });
    expect(await refused(["http", port], tokens.ada, `http://127.0.0.1:${old.port}`)).toEqual([
      2,
      sentence(`http://127\\.0\\.0\\.1:${old.port} redirects to ${secure.origin}: use that as --server\\.`),
    ]);
    expect(secure.asked()).toBe(0);
  });

  test.each([
    [
      "no server",
      {},
      'No server is known; give --server URL, set DIGIT_LINK_SERVER, or save it with "digit-link login".',
    ],
    [
      "no token",
      { DIGIT_LINK_SERVER: "https://tunnel.example.com" },
      'No token for https://tunnel.example.com is known; give --token-file FILE, set DIGIT_LINK_TOKEN, or save it with "digit-link login".',
    ],
  ])("%s anywhere: 2", async (_, env, text) => {
    for (const argv of [["3000"], ["tcp", "5432"], ["--forward", "web:3000"]])
      expect(await digitLink(argv, { env })).toEqual({ exitCode: 2, out: "", problems: `digit-link: ${text}\n` });
  });
});

// `digit-link login` as a process at a real server: what is saved, what is asked, and which tokens are refused.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createToken } from "../../src/auth/tokens.ts";
import { type AdminApi, adminApi } from "../helpers/admin-api.ts";
import { createCli } from "../helpers/cli-process.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";

setDefaultTimeout(30_000);

const folder = mkdtempSync(join(tmpdir(), "digit-link-login-"));
const { digitLink, onTerminal } = createCli(folder);
let server: TestServer;
let origin: string;
let token: string;
let admin: AdminApi;

beforeAll(async () => {
  // Agents may not connect from here: a login is no agent.
  server = await startTestServer({ AGENT_WHITELIST: "192.0.2.0/24" });
  origin = `http://localhost:${server.port}`;
  admin = adminApi(server);
  ({ token } = await admin.createAccount("ada", null));
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** A place for what is saved, of its own. */
function place(name: string) {
  const XDG_CONFIG_HOME = join(folder, name);
  const path = join(XDG_CONFIG_HOME, "digit-link", "config.json");
  return { env: { XDG_CONFIG_HOME }, path, saved: (): unknown => JSON.parse(readFileSync(path, "utf8")) };
}

/** A server whose every answer is `answer`, and the tokens that it was shown. */
function answering(answer: () => Response) {
  const shown: (string | null)[] = [];
  const one = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    fetch(request) {
      shown.push(request.headers.get("authorization"));
      return answer();
    },
  });
  return { origin: `http://127.0.0.1:${one.port}`, shown, [Symbol.asyncDispose]: () => one.stop(true) };
}

describe("a token that the server knows", () => {
  test("is saved from standard input, for its owner only, with whose it is and where", async () => {
    const { env, path, saved } = place("from-stdin");
    const { exitCode, out, problems } = await digitLink(["login", origin], { input: `${token}\n`, env });
    expect([exitCode, problems]).toEqual([0, ""]);
    expect(out).toBe(
      `Saved the token of ada for ${origin} in ${path} (readable by you only).\nTry: digit-link http 3000\n`,
    );
    expect(saved()).toEqual({ server: origin, token });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
  });

  test("is asked for on a terminal, and nothing of it shown", async () => {
    const { env, saved } = place("from-terminal");
    const { exitCode, screen } = await onTerminal(
      ["login"],
      [
        ["Server (https://…): ", `localhost:${server.port}\n`],
        ["(not shown): ", `dlt_wronG\u007f\u0015${token.slice(0, 9)}X\u007f${token.slice(9)}\r`],
      ],
      env,
    );
    expect([exitCode, screen.includes("dlt_")]).toEqual([0, false]);
    expect(saved()).toEqual({ server: origin, token });
  });
});

describe("a token that the server refuses", () => {
  test.each([
    [
      "nobody's",
      () => createToken("dlt"),
      3,
      "The token or API key is not valid: it was mistyped, revoked or replaced.",
    ],
    ["no token at all", () => "hunter2", 3, "The token or API key is not valid: it was mistyped, revoked or replaced."],
    ["a deactivated account's", deactivated, 3, "The account is deactivated. Ask an administrator to activate it."],
    ["a key for visitors", visitorsKey, 3, "This API key is not for opening tunnels."],
  ])("%s is not saved, and is one sentence", async (name, make, exitCode, sentence) => {
    const { env, path } = place(`refused-${name}`);
    const wrong = await make();
    const result = await digitLink(["login", origin], { input: wrong, env });
    expect(result).toEqual({ exitCode, out: "", problems: `digit-link: Nothing was saved: ${sentence}\n` });
    expect(existsSync(path)).toBe(false);
  });

  test("the server answers, but not to this name", async () => {
    const { env, path } = place("another-name");
    const other = origin.replace("localhost", "127.0.0.1");
    expect(await digitLink(["login", other], { input: token, env })).toEqual({
      ...{ exitCode: 1, out: "" },
      problems: `digit-link: Nothing was saved: The server at 127.0.0.1:${server.port} takes agents by another name: use its DOMAIN as the address, and let a proxy in front of it keep the Host header.\n`,
    });
    expect(existsSync(path)).toBe(false);
  });

  test("the address is a tunnel's", async () => {
    const { env, path } = place("tunnels-name");
    const nobodys = origin.replace("localhost", "nobodys.localhost");
    expect(await digitLink(["login", nobodys], { input: token, env })).toEqual({
      ...{ exitCode: 1, out: "" },
      problems: `digit-link: Nothing was saved: nobodys.localhost:${server.port} is the address of a tunnel: use the server's own, its DOMAIN.\n`,
    });
    expect(existsSync(path)).toBe(false);
  });

  test("leaves what was saved before", async () => {
    const { env, saved } = place("kept");
    expect((await digitLink(["login", origin], { input: token, env })).exitCode).toBe(0);
    expect((await digitLink(["login", origin], { input: createToken("dlt"), env })).exitCode).toBe(3);
    expect(saved()).toEqual({ server: origin, token });
  });

  async function deactivated(): Promise<string> {
    const gone = await admin.createAccount("gone", null);
    await admin.must("DELETE", `/admin/accounts/${gone.id}`);
    return gone.token;
  }

  async function visitorsKey(): Promise<string> {
    const orgId = await admin.createOrganization("acme");
    return (await admin.createKey({ orgId, scope: "visitor" })).raw;
  }
});

describe("a server that cannot say", () => {
  const proxyPage = () => new Response("<h1>Bad gateway</h1>", { status: 502 });
  test.each([
    ["is not there", null, / cannot be asked about the token now \(.+\)\./],
    [
      "stands behind a proxy that lost it",
      proxyPage,
      / cannot be asked about the token now \(it answered 502, but not like a digit-link server\)\./,
    ],
  ])("%s: saved unchecked, with a warning", async (name, answer, warning) => {
    const { env, saved } = place(`unknown-${name}`);
    await using other = answering(answer ?? (() => new Response()));
    const url = answer === null ? "http://127.0.0.1:1" : other.origin;
    const { exitCode, out, problems } = await digitLink(["login", url], { input: "t", env });
    expect(problems).toMatch(/^digit-link: warning: [^\n]+ It is saved unchecked\.\n$/);
    expect(problems).toMatch(warning);
    expect([exitCode, out]).toEqual([0, expect.stringContaining("Saved the token for")]);
    expect(saved()).toEqual({ server: url, token: "t" });
  });

  test.each<[string, number, () => Response]>([
    ["a page", 200, () => new Response("hello")],
    ["JSON", 200, () => Response.json({ ok: true })],
    ["that there is no such page", 404, () => new Response("<h1>Not found</h1>", { status: 404 })],
    ["that it wants a login", 401, () => Response.json({ message: "Unauthorized" }, { status: 401 })],
    ["that it has failed", 500, () => new Response("Internal Server Error", { status: 500 })],
  ])(
    "is something else, which answers with %s: nothing is saved, what was saved before stays",
    async (_, status, answer) => {
      const { env, path, saved } = place(`something-else-${crypto.randomUUID()}`);
      await using other = answering(answer);
      const refused = {
        ...{ exitCode: 2, out: "" },
        problems: `digit-link: Nothing was saved: ${new URL(other.origin).host} answered ${status}, but not like a digit-link server: check its scheme, host and port.\n`,
      };
      expect(await digitLink(["login", other.origin], { input: "t", env })).toEqual(refused);
      expect(existsSync(path)).toBe(false);
      expect((await digitLink(["login", origin], { input: token, env })).exitCode).toBe(0);
      expect(await digitLink(["login", other.origin], { input: "t", env })).toEqual(refused);
      expect(saved()).toEqual({ server: origin, token });
    },
  );

  test("redirects: nothing is saved, and the token goes nowhere else", async () => {
    const { env, path } = place("redirected");
    await using other = answering(() => new Response());
    await using old = answering(() => Response.redirect(`${other.origin}/x`, 301));
    expect(await digitLink(["login", old.origin], { input: "t", env })).toEqual({
      ...{ exitCode: 2, out: "" },
      problems: `digit-link: Nothing was saved: ${old.origin} redirects to ${other.origin}: use that as --server.\n`,
    });
    expect([existsSync(path), old.shown, other.shown]).toEqual([false, ["Bearer t"], []]);
  });
});

test("Ctrl-C while asking saves nothing", async () => {
  const { env, path } = place("interrupted");
  const { exitCode } = await onTerminal(["login", "https://a.example"], [["(not shown): ", "dlt_\u0003"]], env);
  expect([exitCode, existsSync(path)]).toEqual([130, false]);
});

test.each(["SIGTERM", "SIGHUP", "SIGINT"] as const)(
  "%s while asking ends it, and the terminal is as before",
  async (signal) => {
    const { env, path } = place(`signalled-${signal}`);
    const ended = await onTerminal(["login", "https://a.example"], [["(not shown): ", { signal }]], env);
    expect(ended).toMatchObject({ signal, isAsBefore: true });
    expect(existsSync(path)).toBe(false);
  },
);

test("a token from standard input that is a terminal is asked for, and not shown", async () => {
  const { env, saved } = place("token-file-terminal");
  const argv = ["login", origin, "--token-file", "-"];
  const { exitCode, screen } = await onTerminal(argv, [["(not shown): ", `${token}\r`]], env);
  expect([exitCode, screen.includes("dlt_")]).toEqual([0, false]);
  expect(saved()).toEqual({ server: origin, token });
  const again = ["http", "3000", "--server", origin, "--token-file", "-"];
  const refused = await onTerminal(again, [["(not shown): ", "no token\r"]], env);
  expect([refused.exitCode, refused.screen]).toEqual([
    2,
    expect.stringContaining("The input holds something that is no token;"),
  ]);
});

test("an empty server, as of a variable that is not set, is no question for the saved one", async () => {
  const { env, path, saved } = place("empty-server");
  expect((await digitLink(["login", origin], { input: token, env })).exitCode).toBe(0);
  const before = statSync(path).mtimeMs;
  expect(await digitLink(["login", ""], { input: "another", env })).toEqual({
    ...{ exitCode: 2, out: "" },
    problems: 'digit-link: The server "" is no address; write it like https://tunnel.example.com.\n',
  });
  expect([saved(), statSync(path).mtimeMs]).toEqual([{ server: origin, token }, before]);
});

test("a place that cannot be written fails with one sentence, before the token is shown to anybody", async () => {
  const { env } = place("blocked");
  writeFileSync(env.XDG_CONFIG_HOME, "a file where a directory should be");
  await using other = answering(() => new Response());
  const { exitCode, problems } = await digitLink(["login", other.origin], { input: "t", env });
  expect(exitCode).toBe(1);
  expect(problems).toMatch(/^digit-link: Nothing was saved: .*config\.json cannot be written: .*\.\n$/);
  expect(other.shown).toEqual([]);
});

test.each([
  ["", "Standard input holds no token."],
  ["two words", "Standard input holds something that is no token; a token is one word of printable characters."],
])("no token in %j", async (input, sentence) => {
  const { exitCode, problems } = await digitLink(["login", "http://127.0.0.1:1"], { input });
  expect([exitCode, problems]).toEqual([2, `digit-link: ${sentence}\n`]);
});

// Server and token: the order of sources, and where the saved token may go.

import { afterAll, describe, expect, test } from "bun:test";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configPath, errnoText, readConfig, writeConfig } from "./config-file.ts";
import { parseFlags } from "./parse-flags.ts";
import { connectionFlags, resolveConnection } from "./settings.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-settings-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const empty = { XDG_CONFIG_HOME: join(folder, "empty") };
const saved = { XDG_CONFIG_HOME: join(folder, "saved") };
writeConfig(configPath(saved), { server: "https://saved.example", token: "dlt_saved" });
const resolve = (env: Record<string, string>, ...argv: string[]) =>
  resolveConnection(parseFlags(argv, connectionFlags), { env });

test("flags before environment before what is saved", async () => {
  const env = { ...saved, DIGIT_LINK_SERVER: "https://env.example", DIGIT_LINK_TOKEN: "dlt_env" };
  expect(await resolve(saved)).toMatchObject({ server: "https://saved.example", token: "dlt_saved", warnings: [] });
  expect(await resolve(env)).toMatchObject({ server: "https://env.example", token: "dlt_env" });
  expect(await resolve(env, "--server", "flag.example", "--token", "dlt_flag")).toMatchObject({
    server: "https://flag.example",
    token: "dlt_flag",
  });
});

test("an empty variable counts as not set", async () => {
  expect((await resolve({ ...saved, DIGIT_LINK_SERVER: "", DIGIT_LINK_TOKEN: "" })).token).toBe("dlt_saved");
});

test("nothing given: one sentence says how", async () => {
  await expect(resolve(empty)).rejects.toThrow(
    'No server is known; give --server URL, set DIGIT_LINK_SERVER, or save it with "digit-link login".',
  );
  await expect(resolve(empty, "--server", "a.example")).rejects.toThrow("No token for https://a.example is known");
});

test("a token file, and a token that shows in ps", async () => {
  const file = join(folder, "token");
  writeFileSync(file, "dlt_file\n");
  expect(await resolve(empty, "--server", "a.example", "--token-file", file)).toMatchObject({
    token: "dlt_file",
    warnings: [],
  });
  expect((await resolve(empty, "--server", "a.example", "--token", "t")).warnings[0]).toContain("shows in ps");
  await expect(resolve(empty, "--server", "a.example", "--token", "t", "--token-file", file)).rejects.toThrow(
    "give one",
  );
  await expect(resolve(empty, "--server", "a.example", "--token-file", join(folder, "nope"))).rejects.toThrow(
    "there is no such file",
  );
});

test("plain http to another machine warns", async () => {
  expect(
    (await resolve(empty, "--server", "http://10.0.0.1", "--token-file", join(folder, "token"))).warnings[0],
  ).toContain("plain http");
});

test.each([
  "https://user:secret@proxy.example:3128",
  "socks5://user:secret@proxy.example",
  "http://[secret",
  "http://us%er:secret@p",
])("a proxy that cannot be used (%s) is a mistake, not something to try for ever", async (HTTPS_PROXY) => {
  const server = ["--server", "https://a.example", "--token", "t"];
  await expect(resolve({ ...empty, HTTPS_PROXY }, ...server)).rejects.toThrow(
    "The proxy that the environment names for https://a.example (HTTPS_PROXY, HTTP_PROXY or ALL_PROXY) cannot be used; write it like http://proxy.example:3128.",
  );
  expect((await resolve({ ...empty, HTTPS_PROXY, NO_PROXY: "a.example" }, ...server)).token).toBe("t");
});

test("the file's place", () => {
  expect(configPath({ XDG_CONFIG_HOME: "/x", HOME: "/h" })).toBe("/x/digit-link/config.json");
  expect(configPath({ XDG_CONFIG_HOME: "relative", HOME: "/h" })).toBe("/h/.config/digit-link/config.json");
  expect(configPath({ HOME: "/h" })).toBe("/h/.config/digit-link/config.json");
});

test("a broken file is said, a missing one is not", async () => {
  const env = { XDG_CONFIG_HOME: join(folder, "broken") };
  writeConfig(configPath(env), { server: "https://a.example", token: "t" });
  for (const text of ["{", "[]", "null", ""]) {
    writeFileSync(configPath(env), text);
    expect(() => readConfig(configPath(env))).toThrow("not valid JSON");
    await expect(resolve(env, "--server", "https://a.example")).rejects.toThrow("not valid JSON");
  }
  const complete = await resolve({ ...env, DIGIT_LINK_TOKEN: "given" }, "--server", "https://a.example");
  expect(complete.token).toBe("given");
  writeFileSync(configPath(env), '{"server":1,"other":true}');
  expect(readConfig(configPath(env))).toEqual({});
  expect(readConfig(join(folder, "none", "config.json"))).toEqual({});
});

test("a saved file with the mark that editors of Windows put first is read", () => {
  const path = configPath({ XDG_CONFIG_HOME: join(folder, "marked") });
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, `\ufeff${JSON.stringify({ server: "https://a.example", token: "t" })}\r\n`, { mode: 0o600 });
  expect(readConfig(path)).toEqual({ server: "https://a.example", token: "t" });
});

test("a server that cannot be meant is said with where it was found, unless it was typed", async () => {
  const path = configPath({ XDG_CONFIG_HOME: join(folder, "typo") });
  mkdirSync(join(path, ".."), { recursive: true });
  writeFileSync(path, '{ "server": "ht!tp://x" }', { mode: 0o600 });
  const wrong = 'The server "ht!tp://x" is no address; write it like https://tunnel.example.com.';
  await expect(resolve({ XDG_CONFIG_HOME: join(folder, "typo") })).rejects.toThrow(`In ${path}: ${wrong}`);
  await expect(resolve({ ...empty, DIGIT_LINK_SERVER: "ht!tp://x" })).rejects.toThrow(`In DIGIT_LINK_SERVER: ${wrong}`);
  await expect(resolve(empty, "--server", "ht!tp://x")).rejects.toThrow(new RegExp(`^${RegExp.escape(wrong)}$`));
});

describe("a saved file that is a link", () => {
  const path = configPath({ XDG_CONFIG_HOME: join(folder, "linked") });
  const elsewhere = join(folder, "dotfiles");
  mkdirSync(join(path, ".."), { recursive: true });
  mkdirSync(elsewhere, { mode: 0o755 });
  const config = { server: "https://a.example", token: "t" };

  test.each([
    ["to a file", "there.json", true],
    ["to one that is not there yet", "fresh.json", false],
    ["to a link", "chain.json", true],
  ])("%s stays one, and what it leads to is replaced", (_, name, exists) => {
    const target = join(elsewhere, name === "chain.json" ? "end.json" : name);
    if (exists) writeFileSync(target, "old", { mode: 0o644 });
    if (name === "chain.json") symlinkSync("end.json", join(elsewhere, name));
    rmSync(path, { force: true });
    symlinkSync(`../../dotfiles/${name}`, path);
    writeConfig(path, config);
    expect(readlinkSync(path)).toBe(`../../dotfiles/${name}`);
    expect([lstatSync(target).isFile(), statSync(target).mode & 0o777]).toEqual([true, 0o600]);
    expect(readConfig(path)).toEqual(config);
    // Somebody else's folder, which is not ours to close.
    expect(statSync(elsewhere).mode & 0o777).toBe(0o755);
    expect(
      readdirSync(elsewhere)
        .concat(readdirSync(join(path, "..")))
        .join(),
    ).not.toMatch(/tmp|probe/);
  });

  test("to what is no file, or to itself, is left alone", () => {
    const pipe = join(folder, "pipe");
    Bun.spawnSync(["mkfifo", pipe]);
    for (const [to, why] of [
      [pipe, "it is no ordinary file"],
      ["config.json", "it is a link to itself"],
    ] as const) {
      rmSync(path);
      symlinkSync(to, path);
      const wrong = thrown(() => writeConfig(path, config));
      expect([errnoText(wrong), readlinkSync(path)]).toEqual([why, to]);
    }
  });
});

function thrown(run: () => void): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return null;
}

describe("security", () => {
  test("the file is 0600 in a 0700 directory, even where both were open before", () => {
    const path = configPath(saved);
    chmodSync(path, 0o644);
    chmodSync(join(path, ".."), 0o755);
    writeConfig(path, { server: "https://saved.example", token: "dlt_saved" });
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(path, "..")).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(path, ".."))).toEqual(["config.json"]);
    expect(existsSync(path)).toBe(true);
  });

  test("a token that cannot be saved is left nowhere", () => {
    const path = configPath({ XDG_CONFIG_HOME: join(folder, "in-the-way") });
    mkdirSync(path, { recursive: true });
    expect(() => writeConfig(path, { server: "https://a.example", token: "dlt_lost" })).toThrow();
    expect(readdirSync(join(path, ".."))).toEqual(["config.json"]);
  });

  test("a saved file that others can read warns", async () => {
    const env = { XDG_CONFIG_HOME: join(folder, "open") };
    writeConfig(configPath(env), { server: "https://a.example", token: "t" });
    chmodSync(configPath(env), 0o644);
    expect((await resolve(env)).warnings[0]).toContain("chmod 600");
  });

  test("the saved token is not sent to another server", async () => {
    await expect(resolve(saved, "--server", "https://other.example")).rejects.toThrow(
      "the saved one is for https://saved.example",
    );
    await expect(resolve({ ...saved, DIGIT_LINK_SERVER: "http://saved.example" })).rejects.toThrow("No token");
    expect((await resolve(saved, "--server", "saved.example")).token).toBe("dlt_saved");
  });

  test("an address with a password in it is refused without repeating the password", async () => {
    await expect(resolve(empty, "--server", "https://me:hunter2@a.example")).rejects.toThrow(
      expect.not.stringContaining("hunter2"),
    );
  });
});

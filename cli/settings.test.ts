// Server and token: the order of sources, and where the saved token may go.

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configPath, readConfig, writeConfig } from "./config-file.ts";
import { parseFlags } from "./parse-flags.ts";
import { connectionFlags, resolveConnection } from "./settings.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-settings-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const empty = { XDG_CONFIG_HOME: join(folder, "empty") };
const saved = { XDG_CONFIG_HOME: join(folder, "saved") };
writeConfig(configPath(saved), { server: "https://saved.example", token: "dlt_saved" });
const resolve = (env: Record<string, string>, ...argv: string[]) =>
  resolveConnection(parseFlags(argv, connectionFlags), { env });

test("flags before environment before what is saved", () => {
  const env = { ...saved, DIGIT_LINK_SERVER: "https://env.example", DIGIT_LINK_TOKEN: "dlt_env" };
  expect(resolve(saved)).toMatchObject({ server: "https://saved.example", token: "dlt_saved", warnings: [] });
  expect(resolve(env)).toMatchObject({ server: "https://env.example", token: "dlt_env" });
  expect(resolve(env, "--server", "flag.example", "--token", "dlt_flag")).toMatchObject({
    server: "https://flag.example",
    token: "dlt_flag",
  });
});

test("an empty variable counts as not set", () => {
  expect(resolve({ ...saved, DIGIT_LINK_SERVER: "", DIGIT_LINK_TOKEN: "" }).token).toBe("dlt_saved");
});

test("nothing given: one sentence says how", () => {
  expect(() => resolve(empty)).toThrow(
    'No server is known; give --server URL, set DIGIT_LINK_SERVER, or save it with "digit-link login".',
  );
  expect(() => resolve(empty, "--server", "a.example")).toThrow("No token for https://a.example is known");
});

test("a token file, and a token that shows in ps", () => {
  const file = join(folder, "token");
  writeFileSync(file, "dlt_file\n");
  expect(resolve(empty, "--server", "a.example", "--token-file", file)).toMatchObject({
    token: "dlt_file",
    warnings: [],
  });
  expect(resolve(empty, "--server", "a.example", "--token", "t").warnings[0]).toContain("shows in ps");
  expect(() => resolve(empty, "--server", "a.example", "--token", "t", "--token-file", file)).toThrow("give one");
  expect(() => resolve(empty, "--server", "a.example", "--token-file", join(folder, "nope"))).toThrow(
    "there is no such file",
  );
});

test("plain http to another machine warns", () => {
  expect(resolve(empty, "--server", "http://10.0.0.1", "--token-file", join(folder, "token")).warnings[0]).toContain(
    "plain http",
  );
});

test("the file's place", () => {
  expect(configPath({ XDG_CONFIG_HOME: "/x", HOME: "/h" })).toBe("/x/digit-link/config.json");
  expect(configPath({ XDG_CONFIG_HOME: "relative", HOME: "/h" })).toBe("/h/.config/digit-link/config.json");
  expect(configPath({ HOME: "/h" })).toBe("/h/.config/digit-link/config.json");
});

test("a broken file is said, a missing one is not", () => {
  const env = { XDG_CONFIG_HOME: join(folder, "broken") };
  writeConfig(configPath(env), { server: "https://a.example", token: "t" });
  for (const text of ["{", "[]", "null", ""]) {
    writeFileSync(configPath(env), text);
    expect(() => readConfig(configPath(env))).toThrow("not valid JSON");
    expect(() => resolve(env, "--server", "https://a.example")).toThrow("not valid JSON");
  }
  const complete = resolve({ ...env, DIGIT_LINK_TOKEN: "given" }, "--server", "https://a.example");
  expect(complete.token).toBe("given");
  writeFileSync(configPath(env), '{"server":1,"other":true}');
  expect(readConfig(configPath(env))).toEqual({});
  expect(readConfig(join(folder, "none", "config.json"))).toEqual({});
});

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

  test("a saved file that others can read warns", () => {
    const env = { XDG_CONFIG_HOME: join(folder, "open") };
    writeConfig(configPath(env), { server: "https://a.example", token: "t" });
    chmodSync(configPath(env), 0o644);
    expect(resolve(env).warnings[0]).toContain("chmod 600");
  });

  test("the saved token is not sent to another server", () => {
    expect(() => resolve(saved, "--server", "https://other.example")).toThrow(
      "the saved one is for https://saved.example",
    );
    expect(() => resolve({ ...saved, DIGIT_LINK_SERVER: "http://saved.example" })).toThrow("No token");
    expect(resolve(saved, "--server", "saved.example").token).toBe("dlt_saved");
  });

  test("an address with a password in it is refused without repeating the password", () => {
    expect(() => resolve(empty, "--server", "https://me:hunter2@a.example")).toThrow(
      expect.not.stringContaining("hunter2"),
    );
  });
});

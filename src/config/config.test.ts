// Settings: order of the sources, refusals in one sentence, derived values, secrets, and the committed documentation.

import { afterAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir } from "node:os";
import { join } from "node:path";
import { ConfigError, publicUrl, withListenPort } from "./config.ts";
import { renderConfigurationDoc } from "./document.ts";
import { parseServerFlags } from "./flags.ts";
import { loadConfig } from "./load.ts";
import { loadSecrets } from "./secrets.ts";
import { shardSettings } from "./shard-settings.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-config-"));
afterAll(() => rmSync(folder, { recursive: true }));

const load = (env: Record<string, string>) => loadConfig({ env, file: null });

function refusal(env: Record<string, string>): string {
  try {
    load(env);
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as ConfigError).message;
  }
  throw new Error(`${JSON.stringify(env)} was accepted`);
}

test("defaults < file < environment < flags", () => {
  const file = join(folder, "a.toml");
  writeFileSync(
    file,
    'port = 1001\ndomain = "file.example"\ntrusted_proxies = ["10.0.0.0/8", "::1"]\nserver_timing = false\nhold_ms = "3s"\n',
  );
  const config = loadConfig({ env: { PORT: "1002", DOMAIN: "" }, file, flags: { port: "1003", "log-query": true } });
  expect(config).toMatchObject({
    port: 1003,
    domain: "file.example",
    holdMs: 3_000,
    serverTiming: false,
    logQuery: true,
    scheme: "https",
  });
  expect(config.trustedProxies).toEqual(["10.0.0.0/8", "::1"]);
  expect(loadConfig({ env: { PORT: "1002" }, file }).port).toBe(1002);
});

test("what is promised of a server without settings", () => {
  const [second, kib] = [1_000, 1_024];
  expect(load({})).toMatchObject({
    ...{ port: 8080, host: "0.0.0.0", domain: "tunnel.digit.zone", scheme: "https", tlsCert: null, tlsKey: null },
    ...{ dbPath: "data/digit-link.db", databaseUrl: null, adminToken: null, jwtSecret: null },
    ...{ trustedProxies: [], agentWhitelist: [], tcpPorts: [], shardPorts: [] },
    // What visitors may do, and for how long.
    ...{ headTimeoutMs: 10 * second, idleTimeoutMs: 75 * second, requestTimeoutMs: 120 * second },
    ...{ holdMs: 10 * second, holdMax: 1_000, graceMs: 60 * second, randomNameKeepMs: 86_400 * second },
    ...{ maxBodyBytes: 0, drainTimeoutMs: 30 * second, serverTiming: true, logQuery: false },
    // A 1 KB/s upload lives, and so do connections without a byte.
    bodyProgressTimeoutMs: 60 * second,
    // Sessions.
    ...{ pingIntervalMs: 10 * second, deadAfterMs: 25 * second, ticketTtlMs: 60 * second, defaultSessionsPerAgent: 2 },
    ...{ captureRequests: 500, captureBytes: 64 * kib * kib, auditRetentionDays: 90 },
    shards: Math.min(8, Math.max(1, availableParallelism() - 1)),
  });
});

test("a switch among flags takes no other flag for its value", () => {
  const flags = { "log-query": true, port: "1003" };
  expect(parseServerFlags(["--log-query", "--port", "1003"])).toEqual({ flags });
});

test.each(["port", "config", "log-query"])("--%s given twice is refused, not the last one taken", (name) => {
  for (const argv of [
    [`--${name}=1`, `--${name}`, "2"],
    [`--${name}`, "--host", "::1", `--${name}=1`],
  ])
    expect(() => parseServerFlags(argv)).toThrow(`--${name} is given twice; give it once.`);
});

test("only a switch may stand among flags without a value", () => {
  const start = (...argv: string[]) => loadConfig({ env: {}, file: null, ...parseServerFlags(argv) });
  expect(start("--log-query").logQuery).toBe(true);
  for (const name of ["db-path", "domain", "port"])
    expect(() => start(`--${name}`, "--log-query")).toThrow(new RegExp(`^--${name} needs a value: .+\\.$`));
});

test("values that follow from others", () => {
  expect(load({}).publicPort).toBe(443);
  expect(load({ SCHEME: "http", PORT: "9000" }).publicPort).toBe(9000);
  expect(load({ DOMAIN: "T.Example." })).toMatchObject({ domain: "t.example", dashboardDomain: "t.example" });
  expect([load({ HOST: "127.0.0.1" }).tcpHost, load({ HOST: "127.0.0.1", TCP_HOST: "::" }).tcpHost]).toEqual([
    "127.0.0.1",
    "::",
  ]);
  const local = withListenPort(load({ SCHEME: "http", PORT: "0", DOMAIN: "localhost" }), 4321);
  expect([publicUrl(local, "demo"), publicUrl(local, null)]).toEqual([
    "http://demo.localhost:4321",
    "http://localhost:4321",
  ]);
  expect(publicUrl(load({ DOMAIN: "t.example" }), "a")).toBe("https://a.t.example");
  expect(
    shardSettings(load({ SHARDS: "2", SHARD_PORTS: "8081-8082" }), { shard: 1, controlSocket: "/s" }),
  ).toMatchObject({ shardPort: 8082, captureBytes: 32 * 1_048_576 });
  expect(Object.isFrozen(load({}).trustedProxies)).toBe(true);
});

test("a wrong value is refused with one sentence that names variable, value and what is allowed", () => {
  const wrong: [Record<string, string>, RegExp][] = [
    [{ PORT: "80x" }, /^PORT must be a whole number from 0 to 65535; "80x" is not\.$/],
    [{ PORT: "65536" }, /^PORT must be/],
    [{ SCHEME: "ftp" }, /^SCHEME must be one of https, http; "ftp" is not\.$/],
    [{ DOMAIN: "https://a.example" }, /^DOMAIN must be a host name/],
    [{ DOMAIN: "10.0.0.1" }, /^DOMAIN/],
    [{ DOMAIN: "tunnel.1" }, /^DOMAIN/],
    [{ DOMAIN: `${"a.".repeat(95)}ab` }, /^DOMAIN/],
    [{ HOLD_MS: "10 s" }, /^HOLD_MS must be a duration/],
    // More than a timer takes (24.8 days): it would end at once.
    [{ DRAIN_TIMEOUT_MS: "25d" }, /^DRAIN_TIMEOUT_MS must be a duration from 1ms to 1d/],
    [{ HEAD_TIMEOUT_MS: "25d" }, /^HEAD_TIMEOUT_MS must be a duration from 1ms to 1d/],
    [{ DATABASE_POLL_MS: "25d" }, /^DATABASE_POLL_MS must be a duration from 1ms to 2s/],
    [{ MAX_BODY_BYTES: "1MB" }, /^MAX_BODY_BYTES must be a size/],
    [{ LOG_QUERY: "maybe" }, /^LOG_QUERY must be on or off/],
    [{ SHARD_PORTS: "8081", SHARDS: "2" }, /^SHARD_PORTS must have one port per shard \(SHARDS is 2\); it has 1\.$/],
    [{ TCP_PORTS: "9-8" }, /^TCP_PORTS must be/],
    [{ TCP_PORTS: "0-2" }, /^TCP_PORTS must be/],
    [{ TCP_PORTS: "65535-65536" }, /^TCP_PORTS must be/],
    [{ TCP_PORTS: "9000,9000" }, /^TCP_PORTS must be/],
    [{ PORT: "9000", TCP_PORTS: "8999-9001" }, /9000 is in two/],
    [{ SHARDS: "1", SHARD_PORTS: "9000", TCP_PORTS: "8999-9001" }, /9000 is in two/],
    [{ TLS_CERT: "a.pem" }, /TLS_CERT and TLS_KEY must be set together/],
    [
      { GITHUB_CLIENT_ID: "a" },
      /^GITHUB_CLIENT_ID and GITHUB_CLIENT_SECRET must be set together; only one of them is\.$/,
    ],
    [{ GOOGLE_CLIENT_SECRET: "a" }, /^GOOGLE_CLIENT_ID and GOOGLE_CLIENT_SECRET must be set together/],
    [{ OIDC_LOGIN_CLIENT_ID: "a" }, /^OIDC_LOGIN_ISSUER and OIDC_LOGIN_CLIENT_ID must be set together/],
    [{ PING_INTERVAL_MS: "30s" }, /^DEAD_AFTER_MS must be longer/],
    [{ PING_INTERVAL_MS: "20s", DEAD_AFTER_MS: "20s" }, /^DEAD_AFTER_MS must be longer/],
    [{ AGENT_WHITELIST: "10.0.0.0/33" }, /^AGENT_WHITELIST must be/],
  ];
  for (const [env, expected] of wrong) expect(refusal(env)).toMatch(expected);
});

test("an empty list in the file is none, and no text", () => {
  const file = join(folder, "empty-lists.toml");
  writeFileSync(file, "trusted_proxies = []\nagent_whitelist = []\ntcp_ports = []\n");
  expect(loadConfig({ env: {}, file })).toMatchObject({ trustedProxies: [], agentWhitelist: [], tcpPorts: [] });
  writeFileSync(file, "domain = []\n");
  expect(() => loadConfig({ env: {}, file })).toThrow(/^DOMAIN must be/);
});

test("a configuration file with an unknown or broken line is refused", () => {
  const file = join(folder, "b.toml");
  writeFileSync(file, "prot = 8080\n");
  expect(() => loadConfig({ env: {}, file })).toThrow(
    "prot: the configuration file has no setting of this name; did you mean port?",
  );
  writeFileSync(file, "tcp_prots = 1\n");
  expect(() => loadConfig({ env: {}, file })).toThrow(/did you mean tcp_ports\?$/);
  writeFileSync(file, "[server]\nport = 8080\n");
  expect(() => loadConfig({ env: {}, file })).toThrow(
    "[server]: the configuration file has no sections; write each setting as a line of its own, like port = 8080.",
  );
  writeFileSync(file, "port = \n");
  expect(() => loadConfig({ env: {}, file })).toThrow(/cannot be read/);
  expect(() => loadConfig({ env: {}, file: join(folder, "missing.toml") })).toThrow(/missing\.toml cannot be read/);
  expect(() => loadConfig({ env: {}, file: null, flags: { prot: "1" } })).toThrow(
    "prot: there is no option of this name; did you mean port?",
  );
  expect(() => loadConfig({ env: {}, file: null, flags: { "db-pth": "1" } })).toThrow(/did you mean db-path\?$/);
  expect(() => loadConfig({ env: {}, file: null, flags: { bananas: "1" } })).toThrow(
    "bananas: there is no option of this name (docs/configuration.md lists all).",
  );
});

test("the name that the dashboard has below DOMAIN is no tunnel's, and still one site with them", () => {
  const DOMAIN = "tunnel.example.com";
  const below = load({ DOMAIN, DASHBOARD_DOMAIN: `panel.${DOMAIN}`, RESERVED_NAMES: "mine" });
  expect(below.reservedNames).toEqual(["mine", "panel"]);
  expect(below.warnings).toEqual([
    "DASHBOARD_DOMAIN is below DOMAIN: for browsers the dashboard is one site with the tunnels' pages. Give it a domain of its own (docs/security.md).",
  ]);
  const apart = load({ DOMAIN, DASHBOARD_DOMAIN: "panel-tunnel.example.com" });
  expect([apart.reservedNames, apart.warnings]).toEqual([[], []]);
  expect(load({ DOMAIN: "localhost", SCHEME: "http", DASHBOARD_DOMAIN: "panel.localhost" }).warnings).toEqual([]);
});

test("warnings for what works but should not stay", () => {
  expect(load({}).warnings.join(" ")).toMatch(/DOMAIN is not set.*DASHBOARD_DOMAIN is not set/);
  expect(load({}).warnings[0]).toEndWith("To try the server on this machine: DOMAIN=localhost SCHEME=http.");
  for (const DOMAIN of ["localhost", "tunnel.localhost"]) {
    expect(load({ DOMAIN }).warnings).toEqual([expect.stringContaining("nothing here speaks TLS")]);
    for (const scheme of ["http", "https"]) expect(load({ DOMAIN, SCHEME: scheme }).warnings).toEqual([]);
  }
  expect(load({ DOMAIN: "localhost", BCRYPT_COST: "11" }).warnings.join(" ")).toMatch(/BCRYPT_COST is 11/);
  expect(load({ DOMAIN: "localhost", AGENT_WHITELIST: "any" })).toMatchObject({
    agentWhitelist: ["0.0.0.0/0", "::/0"],
  });
  expect(load({ DOMAIN: "localhost", AGENT_WHITELIST: "any" }).warnings.join(" ")).toMatch(/any address/);
});

describe("MAX_CONNECTIONS and the limit of open files", () => {
  /** The settings of a process that may open so many files. */
  function under(openFiles: number, env: Record<string, string> = {}): { most: number; warnings: string[] } {
    const script = `const { loadConfig } = await import(${JSON.stringify(join(import.meta.dir, "load.ts"))});
      const { maxConnections: most, warnings } = loadConfig({ env: process.env, file: null });
      console.log(JSON.stringify({ most, warnings }));`;
    const command = ["sh", "-c", 'ulimit -n "$0" && exec "$@"', String(openFiles), process.execPath, "-e", script];
    const child = Bun.spawnSync(command, {
      env: { PATH: process.env.PATH ?? "", DOMAIN: "localhost", SCHEME: "http", ...env },
    });
    expect(child.stderr.toString()).toBe("");
    return JSON.parse(child.stdout.toString()) as { most: number; warnings: string[] };
  }

  test("the default follows the limit; connections that are piped have three descriptors each", () => {
    const tls = { TLS_CERT: "/c.pem", TLS_KEY: "/k.pem" };
    const most = (openFiles: number, env?: Record<string, string>) => under(openFiles, env).most;
    expect([most(300), most(3_000), most(3_000, { HANDOVER: "pipe" }), most(3_000, tls)]).toEqual([
      240, 2_400, 800, 800,
    ]);
  });

  test("more than that is lowered, and told; less is left alone", () => {
    expect(under(1_000, { MAX_CONNECTIONS: "800" })).toEqual({ most: 800, warnings: [] });
    expect(under(1_000, { MAX_CONNECTIONS: "801" })).toEqual({
      most: 800,
      warnings: [
        "MAX_CONNECTIONS is lowered from 801 to 800: this process may open 1000 files. Raise that limit (LimitNOFILE, --ulimit nofile) for more.",
      ],
    });
    const piped = under(1_000, { MAX_CONNECTIONS: "800", HANDOVER: "pipe" });
    expect([piped.most, piped.warnings.length]).toEqual([266, 1]);
    expect(piped.warnings[0]).toContain("lowered from 800 to 266");
  });
});

test("docs/configuration.md is what the table says", () => {
  const committed = readFileSync(new URL("../../docs/configuration.md", import.meta.url), "utf8");
  expect(committed).toBe(renderConfigurationDoc());
});

describe("security", () => {
  test("no proxy that everybody is", () => {
    for (const value of ["*", "any", "0.0.0.0/0", "::/0", "10.0.0.0/8,0.0.0.0/0", "::ffff:0.0.0.0/96"]) {
      expect(refusal({ TRUSTED_PROXIES: value })).toMatch(/^TRUSTED_PROXIES must be/);
    }
    expect(load({ TRUSTED_PROXIES: "private" }).trustedProxies).toContain("10.0.0.0/8");
  });

  test("short secrets are refused and never shown", () => {
    for (const name of ["JWT_SECRET", "ENCRYPTION_KEY", "ADMIN_TOKEN"]) {
      const message = refusal({ [name]: "hunter2-hunter2" });
      expect(message).toStartWith(`${name} must be`);
      expect(message).not.toContain("hunter2");
    }
    expect(refusal({ ENCRYPTION_KEY: `${"a".repeat(32)},short` })).not.toContain("short,");
    expect(refusal({ DATABASE_URL: "mysql://u:hunter2@h/d" })).not.toContain("hunter2");
  });

  test("a token that no header can carry is refused, and never shown", () => {
    for (const token of ["pässwörter-of-thirty-two-or-more-characters", "a".repeat(513), `${"a".repeat(32)}\u0007`]) {
      const message = refusal({ ADMIN_TOKEN: token });
      expect(message).toStartWith("ADMIN_TOKEN must be 32 to 512");
      expect(message).not.toContain(token);
    }
    const phrase = "four words with spaces are fine as well";
    expect(load({ ADMIN_TOKEN: phrase }).adminToken).toBe(phrase);
  });

  test("PostgreSQL needs both secrets given", () => {
    const url = { DATABASE_URL: "postgres://h/d" };
    expect(refusal(url)).toMatch(/^JWT_SECRET must be set/);
    expect(refusal({ ...url, JWT_SECRET: "j".repeat(32) })).toMatch(/^ENCRYPTION_KEY must be set/);
  });

  test("generated secrets are made once, for their owner only, and stay", () => {
    const config = load({ DB_PATH: join(folder, "made", "x.db") });
    const first = loadSecrets(config);
    expect(loadSecrets(config)).toMatchObject({ jwtSecret: first.jwtSecret, encryptionKeys: first.encryptionKeys });
    expect(first.jwtSecret).not.toBe(first.encryptionKeys[0]!);
    expect(first.jwtSecret.length).toBeGreaterThanOrEqual(32);
    expect(first.warnings).toHaveLength(2);
    const path = join(folder, "made", "jwt-secret");
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, "made")).mode & 0o777).toBe(0o700);
    chmodSync(path, 0o644);
    loadSecrets(config);
    expect(statSync(path).mode & 0o777).toBe(0o600);
    writeFileSync(path, "short");
    expect(() => loadSecrets(config)).toThrow(/at least 32 bytes/);
  });
});

// Every list of the API under each filter and order that it offers, on an installation of the largest size, on both engines.

import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createDatabase } from "../../src/db/database.ts";
import type { Engine } from "../../src/db/engine.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { fillDatabase } from "../helpers/fill-database.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { goodPassword } from "../helpers/people.ts";
import { freshPostgresUrl } from "../helpers/postgres.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { listTargets, notAsked, type OpenApi } from "./lists-targets.ts";
import { atMost, figure, nothingIn, type Fact, type Scenario, type SoakOptions, scaled } from "./scenario.ts";

const limitMs = 50;
const repeats = 5;

const scenarioOn = (engine: Engine, name: string): Scenario => ({
  name,
  about: `every list under each filter and order with 100,000 accounts, 10,000 applications, 10 million audit rows (${engine}): < 50 ms`,
  run: (options) => measure(engine, options),
});

export const lists = scenarioOn("sqlite", "lists");
export const listsOnPostgres = scenarioOn("postgres", "lists-postgres");

async function measure(engine: Engine, options: SoakOptions): Promise<Fact[]> {
  const sizes = {
    accounts: scaled(options, 100_000, 1_000),
    applications: scaled(options, 10_000, 200),
    auditRows: scaled(options, 10_000_000, 10_000),
  };
  const folder = mkdtempSync(join(tmpdir(), "digit-link-lists-"));
  const path = join(folder, "digit-link.db");
  const url = engine === "postgres" ? await freshPostgresUrl() : null;
  const onError = (error: unknown): void => options.say(String(error));
  await (await createDatabase({ url, path, onError })).close();
  options.say(`filling ${JSON.stringify(sizes)}`);
  await fillDatabase(url === null ? { path } : { url }, sizes);
  options.say("filled");
  const [port = 0] = await freePorts(1);
  const secrets = { JWT_SECRET: "j".repeat(32), ENCRYPTION_KEY: "e".repeat(32) };
  const env = {
    ...{ BCRYPT_COST: "4", AUDIT_RETENTION_DAYS: "36500" },
    ...(url === null ? {} : { DATABASE_URL: url, ...secrets }),
    // Each has as many as the default lets it have, and here one more joins.
    MAX_MEMBERS_PER_ORGANIZATION: "2000",
  };
  await using server = await startServerProcess({ shards: 1, again: { port, folder }, env });
  const api = adminApi(server);
  const member = { username: "boss", password: goodPassword, orgId: "org_0" };
  const { account } = await api.must("POST", "/admin/accounts", member);
  await api.must("PUT", `/admin/accounts/${(account as { id: string }).id}/org-admin`, { isOrgAdmin: true });
  const cookie = await logIn(server.origin, member);

  const targets = listTargets(sizes);
  const times: { target: string; ms: number }[] = [];
  for (const target of targets) {
    const headers = target.startsWith("/admin/") ? { "x-admin-token": server.token } : { cookie };
    const taken: number[] = [];
    for (let i = 0; i < repeats; i++) {
      const from = performance.now();
      const response = await fetch(`${server.origin}${target}`, { headers });
      const text = await response.text();
      taken.push(performance.now() - from);
      if (response.status !== 200) throw new Error(`${target}: ${response.status} ${text}`);
    }
    times.push({ target, ms: taken.toSorted((a, b) => a - b)[Math.floor(repeats / 2)]! });
  }
  times.sort((a, b) => b.ms - a.ms);
  for (const { target, ms } of times.slice(0, 5)) options.say(`${ms.toFixed(1)} ms ${target}`);
  const document = (await (await fetch(`${server.origin}/swagger/json`)).json()) as OpenApi;
  return [
    figure("lists, filters and orders", times.length),
    nothingIn("offered and not asked for", notAsked(document, targets)),
    atMost("the slowest (median of five)", times[0]!.ms, limitMs, "ms"),
    figure("half of them are faster than", times[Math.floor(times.length / 2)]!.ms, "ms"),
    nothingIn(
      `slower than ${limitMs} ms`,
      times.filter(({ ms }) => ms > limitMs).map(({ target, ms }) => `${target} ${ms.toFixed(0)} ms`),
    ),
  ];
}

async function logIn(origin: string, { username, password }: { username: string; password: string }): Promise<string> {
  const headers = { origin, "content-type": "application/json" };
  const response = await fetch(`${origin}/auth/login`, {
    method: "POST",
    headers,
    body: JSON.stringify({ username, password }),
  });
  const cookie = response.headers.getSetCookie()[0]?.split(";", 1)[0];
  if (cookie === undefined) throw new Error(`no session: ${response.status} ${await response.text()}`);
  return cookie;
}

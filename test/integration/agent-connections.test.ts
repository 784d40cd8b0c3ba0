// How many sessions an agent opens: what the server says, what its user asks for, and what it does when that is too much.

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminApi } from "../helpers/admin-api.ts";
import { createCli } from "../helpers/cli-process.ts";
import { eventually } from "../helpers/eventually.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";

const home = mkdtempSync(join(tmpdir(), "digit-link-connections-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));
const { serve } = createCli(home);

/** Sessions of each tunnel, by its name. */
async function sessionsOf(server: TestServer): Promise<Record<string, number>> {
  const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
  return Object.fromEntries(
    (tunnels as { subdomain: string; sessions: number }[]).map(({ subdomain, sessions }) => [subdomain, sessions]),
  );
}

function begin(server: TestServer, argv: string[]) {
  const env = { DIGIT_LINK_SERVER: `http://localhost:${server.port}`, DIGIT_LINK_TOKEN: server.token };
  return serve([...argv, "--json"], { env });
}

const notices = (out: string): string[] =>
  out
    .split("\n")
    .filter((line) => line.includes('"event":"notice"'))
    .map((line) => (JSON.parse(line) as { message: string }).message);

test("without --connections as many as SESSIONS_PER_AGENT says", async () => {
  await using server = await startTestServer({ SESSIONS_PER_AGENT: "3" });
  await using agent = begin(server, ["http", "9", "--subdomain", "three"]);
  await agent.until('"open":3,"wanted":3');
  await eventually(async () => (await sessionsOf(server))["three"] === 3, "the server counts as many");
  expect(notices(agent.said.out)).toEqual([]);
});

test("with it that many; what the server does not allow is said once, also of several tunnels", async () => {
  await using server = await startTestServer({ SESSIONS_PER_AGENT: "3", MAX_SESSIONS_PER_AGENT: "4" });
  await using one = begin(server, ["http", "9", "--subdomain", "one", "-c", "1"]);
  await one.until('"tunnel.ready"');
  await using many = begin(server, ["-f", "first:9", "-f", "second:9", "-c", "8"]);
  await eventually(async () => {
    const sessions = await sessionsOf(server);
    return sessions["first"] === 4 && sessions["second"] === 4;
  }, "all that are allowed are open");
  await eventually(async () => (await sessionsOf(server))["one"] === 1, "one is open where one was asked for");
  await many.until('"open":4,"wanted":4');
  expect(notices(many.said.out)).toEqual(["The server allows 4 connections per tunnel; 8 were asked for."]);
  expect(notices(one.said.out)).toEqual([]);
});

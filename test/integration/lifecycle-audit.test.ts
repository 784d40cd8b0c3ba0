// SIGTERM while things happen: every event that was answered for is in the audit log afterwards, and its chain is whole.

import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { createToken } from "../../src/auth/tokens.ts";
import { createDatabase } from "../../src/db/database.ts";
import { verifyDatabase } from "../../src/operator/audit-verdict.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { statusOf, visit } from "../helpers/visit.ts";
import { startStorm } from "../helpers/write-storm.ts";

setDefaultTimeout(60_000);

/** Two on each of two shards. */
const names = ["north", "south", "one", "two"];

test.each(["SIGTERM", "SIGTERM, then at once"])(
  "%s: no event of the API, of a login or of a shard is lost",
  async (how) => {
    await using server = await startServerProcess({ shards: 2, env: { AUDIT_FLUSH_MS: "500ms" } });
    const api = adminApi(server);
    const orgId = await api.createOrganization("leaving");
    const apps = [];
    for (const name of names) {
      const id = await api.createApplication(orgId, name, "custom");
      await api.setPolicy(id, { authType: "api_key", denyIps: ["127.0.7.0/24"] });
      apps.push(id);
    }
    await using service = startTaggedService("busy");
    // What is in flight on both shards keeps them from being done before the second signal.
    await using stack = new AsyncDisposableStack();
    for (const name of how === "SIGTERM" ? [] : ["busy-0", "busy-1"]) {
      stack.use(await openTunnel({ ...server, port: service.port, name }));
      void statusOf(visit(server.port, name, "/drip/10000", { id: name }));
      await eventually(() => service.seen.has(name), "it is in flight");
    }
    const keys = await Promise.all(names.map((name) => wrongKeys(server.port, name, 8)));
    const storm = startStorm(api, orgId, [], 1);
    await eventually(() => storm.acknowledged.calls.length > 10, "the storm has begun");
    const logins = await Promise.all(Array.from({ length: 5 }, (_, i) => failedLogin(server.port, `nobody-${i}`)));
    const refused = names.flatMap((name) =>
      // A visitor that knocks again within a minute is recorded once, so each comes from an address of its own.
      Array.from({ length: 25 }, (_, i) => refusedVisit(server.port, name, `127.0.7.${i + 1}`)),
    );
    const requestIds = [...logins, ...(await Promise.all(refused))];
    // Within the time that shards and main keep events in memory.
    server.signal("SIGTERM");
    if (how !== "SIGTERM") {
      await eventually(
        () => server.log.some(({ message }) => message.startsWith("stopping")),
        "it has heard",
        5_000,
        1,
      );
      server.signal("SIGTERM");
    }
    expect(await server.exited).toBe(0);
    await storm.stop();

    const path = join(server.folder, "digit-link.db");
    const db = await createDatabase({ url: null, path, pollMs: 1_000, onError: (error) => expect(error).toBeNull() });
    expect(await verifyDatabase(db)).toMatchObject({ intact: true });
    const rows = await db.kysely
      .selectFrom("audit_log")
      .select(["action", "reason", "request_id", "details_json"])
      .execute();
    await db.close();
    const ofRequests = (isWanted: (action: string) => boolean) =>
      new Set(rows.filter(({ action }) => isWanted(action)).map(({ request_id: id }) => id));
    const all = ofRequests((action) => action === "visitor.refused" || action.startsWith("login."));
    expect(requestIds.filter((id) => !all.has(id))).toEqual([]);
    // A wrong key that a shard remembers counts as often as it comes.
    const wrong = rows.filter(({ reason }) => reason === "wrong_key");
    const times = (row: (typeof wrong)[number]) =>
      (JSON.parse(row.details_json ?? "{}") as { times?: number }).times ?? 1;
    expect(wrong.reduce((sum, row) => sum + times(row), 0)).toBe(keys.flat().length);
    expect(wrong.length).toBeLessThanOrEqual(keys.length * 3);
    const tokens = ofRequests((action) => action === "admin.token");
    const changes = ofRequests((action) => action !== "admin.token");
    expect(storm.acknowledged.calls.filter(({ requestId: id }) => !tokens.has(id) || !changes.has(id))).toEqual([]);
  },
);

/** Visits with one key that is wrong; their statuses. */
async function wrongKeys(port: number, name: string, times: number): Promise<number[]> {
  const key = `X-API-Key: ${createToken("dlk")}\r\nConnection: close\r\n`;
  const statuses: number[] = [];
  for (let i = 0; i < times; i++) {
    const { status } = await requestOnce({ port }, `GET / HTTP/1.1\r\nHost: ${name}.localhost\r\n${key}\r\n`);
    statuses.push(status);
  }
  expect(statuses).toEqual(statuses.map(() => 401));
  return statuses;
}

/** The request ids of a visitor whom the policy refuses. */
async function refusedVisit(port: number, name: string, localAddress: string): Promise<string> {
  const request = `GET / HTTP/1.1\r\nHost: ${name}.localhost\r\nConnection: close\r\n\r\n`;
  const { status, fields } = await requestOnce({ port, localAddress }, request);
  expect(status).toBe(403);
  return fields.find(([field]) => field.toLowerCase() === "x-request-id")![1];
}

async function failedLogin(port: number, username: string): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/auth/login`, {
    method: "POST",
    headers: { host: `localhost:${port}`, "content-type": "application/json" },
    body: JSON.stringify({ username, password: "not the right one" }),
  });
  expect(response.status).toBe(401);
  return response.headers.get("x-request-id")!;
}

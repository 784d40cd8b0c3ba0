// SIGTERM while things happen: every event that was answered for is in the audit log afterwards, and its chain is whole.

import { join } from "node:path";
import { expect, setDefaultTimeout, test } from "bun:test";
import { createDatabase } from "../../src/db/database.ts";
import { verifyDatabase } from "../../src/operator/audit-verdict.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startStorm } from "../helpers/write-storm.ts";

setDefaultTimeout(60_000);

test.each(["SIGTERM", "SIGTERM, then at once"])(
  "%s: no event of the API, of a login or of a shard is lost",
  async (how) => {
    await using server = await startServerProcess({ shards: 2, env: { AUDIT_FLUSH_MS: "1s" } });
    const api = adminApi(server);
    const orgId = await api.createOrganization("leaving");
    const apps = [];
    // On both shards.
    for (const name of ["one", "two", "three", "four"]) {
      const id = await api.createApplication(orgId, name, "custom");
      await api.setPolicy(id, { authType: "api_key", denyIps: ["127.0.7.0/24"] });
      apps.push(id);
    }
    const storm = startStorm(api, orgId, [], 1);
    await eventually(() => storm.acknowledged.calls.length > 10, "the storm has begun");
    const refused = ["one", "two", "three", "four"].flatMap((name) =>
      // A visitor that knocks again within a minute is recorded once, so each comes from an address of its own.
      Array.from({ length: 25 }, (_, i) => refusedVisit(server.port, name, `127.0.7.${i + 1}`)),
    );
    const logins = Array.from({ length: 5 }, (_, i) => failedLogin(server.port, `nobody-${i}`));
    const requestIds = await Promise.all([...refused, ...logins]);
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
    const rows = await db.kysely.selectFrom("audit_log").select(["action", "request_id"]).execute();
    await db.close();
    const ofRequests = (isWanted: (action: string) => boolean) =>
      new Set(rows.filter(({ action }) => isWanted(action)).map(({ request_id: id }) => id));
    const all = ofRequests((action) => action === "visitor.refused" || action.startsWith("login."));
    expect(requestIds.filter((id) => !all.has(id))).toEqual([]);
    const tokens = ofRequests((action) => action === "admin.token");
    const changes = ofRequests((action) => action !== "admin.token");
    expect(storm.acknowledged.calls.filter(({ requestId: id }) => !tokens.has(id) || !changes.has(id))).toEqual([]);
  },
);

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

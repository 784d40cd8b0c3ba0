// What the dashboard shows live: tunnels, requests, traffic, numbers.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { LiveTunnel } from "../../../src/api/tunnels/registry.ts";
import { createTraffic } from "../../../src/observe/traffic.ts";
import { errorOf } from "../../helpers/acme.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, type Person } from "../../helpers/people.ts";
import { capturedRequest, createTenantApi, liveTunnel, type TenantApi } from "../../helpers/tenants.ts";
import { tunnelCounters } from "../../helpers/tunnel-counters.ts";

type Shown = Record<string, unknown> & { id: string };

describeEngines("live", (open) => {
  let database: TestDatabase;
  let api: TenantApi;
  let admin: Person;
  let boss: Person;
  let orgId: string;
  let otherOrgId: string;
  let appId: string;
  let ours: LiveTunnel;
  let theirs: LiveTunnel;

  beforeAll(async () => {
    database = await open();
    api = createTenantApi(database);
    admin = await createPerson(api, { username: "admin", isAdmin: true, totp: true });
    orgId = await createOrganization(api, "Acme");
    otherOrgId = await createOrganization(api, "Other");
    boss = await createPerson(api, { username: "boss", orgId, isOrgAdmin: true });
    const created = await asBoss("POST", "/org/applications", { subdomain: "ours-app", name: "Ours" });
    appId = (created.body["application"] as Shown).id;
  });
  afterAll(async () => {
    await api.tenants.close();
    await database[Symbol.asyncDispose]();
  });
  beforeEach(() => {
    api.tunnels.length = 0;
    api.requests.length = 0;
    api.closed.length = 0;
    ours = liveTunnel({ name: "ours-app", orgId, appId });
    theirs = liveTunnel({ name: "theirs", orgId: otherOrgId });
    api.tunnels.push(ours, theirs);
  });

  const asBoss = (method: string, path: string, body?: unknown) =>
    api.call(method, path, { session: boss.session, ...(body === undefined ? {} : { body }) });
  const asAdmin = (method: string, path: string, body?: unknown) =>
    api.call(method, path, { session: admin.session, ...(body === undefined ? {} : { body }) });

  test("tunnels show state, agents and proof of the local service; filters narrow", async () => {
    ours.local = { state: "down", sinceMs: 1_000, provenAtMs: 2_000, why: "connection refused" };
    const away = liveTunnel({
      name: "away",
      orgId,
      state: "away",
      awaySinceMs: 5_000,
      agents: [],
      sessions: 0,
      lastAgent: null,
    });
    api.tunnels.push(away);
    const list = (await asBoss("GET", "/org/tunnels?sort=subdomain")).body["tunnels"] as Shown[];
    expect(list).toMatchObject([
      { subdomain: "away", connected: false, lastSeenAt: new Date(5_000).toISOString(), address: null },
      {
        subdomain: "ours-app",
        connected: true,
        appName: "Ours",
        orgName: "Acme",
        address: "198.51.100.9",
        agentVersion: "1.0.0",
        local: { state: "down", since: new Date(1_000).toISOString(), why: "connection refused" },
      },
    ]);
    const names = async (query: string) =>
      ((await asAdmin("GET", `/admin/tunnels?${query}`)).body["tunnels"] as Shown[]).map((one) => one["subdomain"]);
    expect(await names("state=offline")).toEqual(["away"]);
    expect(await names("q=APP")).toEqual(["ours-app"]);
    expect(await names("sort=subdomain&q=NOT%20app%20-theirs")).toEqual(["away"]);
    expect(await names("q=198.51.100.9&org=" + otherOrgId)).toEqual(["theirs"]);
    expect(await names(`org=${otherOrgId}`)).toEqual(["theirs"]);
    expect(await names("from=198.51.100.0/24&sort=subdomain")).toEqual(["ours-app", "theirs"]);
    expect(await names("from=198.51.100.8")).toEqual([]);
    const refused = await asAdmin("GET", "/admin/tunnels?from=nowhere");
    expect({ status: refused.status, field: errorOf(refused).field }).toEqual({ status: 422, field: "from" });
    expect(await names(`app=${appId}`)).toEqual(["ours-app"]);
    const ofApp = await asBoss("GET", `/org/applications/${appId}/tunnels`);
    expect((ofApp.body["tunnels"] as Shown[]).map(({ id }) => id)).toEqual([ours.id]);
    const { application } = (await asBoss("GET", `/org/applications/${appId}`)).body as { application: Shown };
    expect(application["activeTunnelCount"]).toBe(1);
  });

  test("an offline tunnel is shown with what it led to, and cleared by whoever manages it; a connected one is not", async () => {
    const target = "http://localhost:8000";
    const lastAgent = { version: "1.0.0", address: "198.51.100.7" };
    const gone = liveTunnel({ name: "gone", orgId, state: "gone", awaySinceMs: 5_000, agents: [], lastAgent, target });
    const foreign = liveTunnel({ name: "foreign", orgId: otherOrgId, state: "gone", awaySinceMs: 5_000, agents: [] });
    api.tunnels.push(gone, foreign);
    const listed = async () => (await asBoss("GET", "/org/tunnels?sort=subdomain")).body["tunnels"] as Shown[];
    expect(await listed()).toMatchObject([
      {
        subdomain: "gone",
        connected: false,
        target,
        address: "198.51.100.7",
        lastSeenAt: new Date(5_000).toISOString(),
      },
      {
        subdomain: "ours-app",
        connected: true,
        target: "http://localhost:3000",
        agents: [{ target: "http://localhost:3000" }],
      },
    ]);
    expect((await asBoss("POST", `/org/tunnels/${foreign.id}/clear`, {})).status).toBe(404);
    const refused = await asBoss("POST", `/org/tunnels/${ours.id}/clear`, {});
    expect(refused).toMatchObject({ status: 409, body: { error: { code: "conflict" } } });
    expect((await asBoss("POST", `/org/tunnels/${gone.id}/clear`, {})).status).toBe(200);
    expect(api.audited.at(-1)).toMatchObject({ action: "tunnel.cleared", orgId, details: { name: "gone" } });
    expect((await listed()).map((one) => one["subdomain"])).toEqual(["ours-app"]);
    expect((await asBoss("POST", `/org/tunnels/${gone.id}/clear`, {})).status).toBe(404);
  });

  test("a tunnel is disconnected and checked by whoever may see it", async () => {
    api.checked.status = { state: "up", provenAtMs: 3_000, connectMs: 1.5 };
    const checked = await asBoss("POST", `/org/tunnels/${ours.id}/check`, {});
    expect(checked.body["local"]).toMatchObject({ state: "up", connectMs: 1.5 });
    expect((await asBoss("POST", `/org/tunnels/${theirs.id}/check`, {})).status).toBe(404);
    expect((await asBoss("DELETE", `/org/tunnels/${theirs.id}`)).status).toBe(404);
    expect(api.closed).toEqual([]);
    expect((await asBoss("DELETE", `/org/tunnels/${ours.id}`)).status).toBe(200);
    expect((await asAdmin("DELETE", `/admin/tunnels/${theirs.id}`)).status).toBe(200);
    expect(api.closed).toEqual([
      { tunnelId: ours.id, reason: "disconnected_by_admin" },
      { tunnelId: theirs.id, reason: "disconnected_by_admin" },
    ]);
    expect(api.audited.at(-1)).toMatchObject({ action: "tunnel.disconnect_ordered", orgId: otherOrgId });
  });

  test("requests come from the shards, newest first, page by page", async () => {
    for (let i = 0; i < 5; i++) {
      api.requests.push(capturedRequest(ours, { id: `req_${i}`, startedAtMs: 1_000 + (i >> 1), path: `/${i}` }));
    }
    const first = await asBoss("GET", "/org/requests?limit=2");
    expect((first.body["requests"] as Shown[]).map(({ id }) => id)).toEqual(["req_4", "req_3"]);
    const next = await asBoss("GET", `/org/requests?limit=3&cursor=${first.body["nextCursor"]}`);
    expect((next.body["requests"] as Shown[]).map(({ id }) => id)).toEqual(["req_2", "req_1", "req_0"]);
    expect(next.body["nextCursor"]).toBeNull();
    expect((await asBoss("GET", "/org/requests/req_3")).body["request"]).toMatchObject({ id: "req_3", path: "/3" });
    expect((await asBoss("GET", "/org/requests/req_9")).status).toBe(404);
    expect(first.body["keptPerTunnel"]).toBe(500);
    const older = await asBoss("GET", `/org/requests?to=${new Date(1_001).toISOString()}`);
    expect((older.body["requests"] as Shown[]).map(({ id }) => id)).toEqual(["req_3", "req_2", "req_1", "req_0"]);
    expect((await asBoss("GET", "/org/requests?to=yesterday")).status).toBe(422);
  });

  test("a shard that does not answer is no empty list: the answer says so, and that it may be asked again", async () => {
    api.shards.areSilent = true;
    try {
      for (const path of ["/org/requests", "/org/requests/req_0"]) {
        const answer = await asBoss("GET", path);
        expect({ path, status: answer.status, code: errorOf(answer).code }).toEqual({
          ...{ path, status: 503, code: "unavailable" },
        });
        expect(answer.headers.get("retry-after")).toBe("1");
      }
    } finally {
      api.shards.areSilent = false;
    }
    expect((await asBoss("GET", "/org/requests")).status).toBe(200);
  });

  test("requests are sorted and filtered over all that is kept, page by page; what is no filter is refused with its rule", async () => {
    const kept = [
      { id: "req_a", path: "/api/orders", status: 200, totalMs: 5.25, bytesOut: 300 },
      { id: "req_b", path: "/health", status: 503, totalMs: 900, bytesOut: 20, method: "POST" },
      { id: "req_c", path: "/api/orders", status: 404, totalMs: 40, bytesOut: 20, principal: "alice@example.com" },
      { id: "req_d", path: "/socket", status: 101, totalMs: 60_000, bytesOut: 7, running: true },
      { id: "req_e", path: "/lost", status: 0, totalMs: 1, bytesOut: 0, error: "the agent left" },
    ];
    for (const [i, one] of kept.entries()) api.requests.push(capturedRequest(ours, { startedAtMs: 1_000 + i, ...one }));
    const ids = async (query: string) => {
      let found = "";
      for (let cursor = ""; ;) {
        const { body } = await asBoss("GET", `/org/requests?limit=2&${query}${cursor}`);
        found += (body["requests"] as Shown[]).map(({ id }) => id.slice(-1)).join("");
        if (typeof body["nextCursor"] !== "string") return found;
        cursor = `&cursor=${body["nextCursor"]}`;
      }
    };
    expect(await ids("")).toBe("edcba");
    expect(await ids("sort=time")).toBe("abcde");
    expect(await ids("sort=-duration")).toBe("dbcae");
    expect(await ids("sort=size")).toBe("edbca");
    expect(await ids("sort=-status")).toBe("bcade");
    expect(await ids("status=!2xx")).toBe("edcb");
    expect(await ids("status=running")).toBe("d");
    expect(await ids("status=!cut")).toBe("dcba");
    expect(await ids("status=404")).toBe("c");
    expect(await ids("method=post&sort=size")).toBe("b");
    expect(await ids(`q=${encodeURIComponent("NOT path:/health !status:cut ms:<1000")}`)).toBe("ca");
    expect(await ids("q=alice")).toBe("c");
    expect(await ids("q=nothing")).toBe("");
    for (const [query, field, rule] of [
      ["q=colour:red", "q", '"colour" is not a field. Fields: status, '],
      ["q=ms:soon", "q", '"soon" is not a number, 5xx, >=100 or 200..299.'],
      ["status=6xx", "status", ""],
      ["method=G%20ET", "method", ""],
      ["sort=path", "sort", "time, status, duration, size"],
    ]) {
      for (const [as, path] of [
        [asBoss, "/org/requests"],
        [asAdmin, "/admin/requests"],
      ] as const) {
        const answer = await as("GET", `${path}?${query}`);
        expect({ query, status: answer.status, field: errorOf(answer).field }).toEqual({ query, status: 422, field });
        expect((answer.body["error"] as { message: string }).message).toContain(rule!);
      }
    }
  });

  test("traffic is summed per name, organization and server, and pruned days stay in the totals", async () => {
    const { log } = api.deps;
    const clock = { nowMs: api.clock.nowMs };
    const ownerOf = (id: string) => api.tunnels.find((tunnel) => tunnel.id === id) ?? null;
    const { promise: stored, resolve: onStored } = Promise.withResolvers<unknown>();
    const rest = { flushMs: 3_600_000, nowMs: () => clock.nowMs, retentionDays: 90, onStored };
    const options = { db: database.db, log, ownerOf, ...rest };
    const traffic = createTraffic(options);
    // Nor does a clock that was ahead for a while keep anything from being pruned.
    clock.nowMs += 400 * 86_400_000;
    await traffic.flush();
    clock.nowMs -= 500 * 86_400_000;
    traffic.onCounters([tunnelCounters(ours.id, { bytesOut: 7 })]);
    // After a quiet time it is stored at once, not at the end of the interval.
    await stored;
    clock.nowMs = api.clock.nowMs;
    traffic.onCounters([tunnelCounters(ours.id), tunnelCounters(ours.id, { status2xx: 0, status5xx: 1 })]);
    traffic.onCounters([
      tunnelCounters(theirs.id, { requests: 5 }),
      tunnelCounters("tun_unknown"),
      tunnelCounters(ours.id, noTraffic),
    ]);
    await traffic.close();
    // The registry of the test's own server has counted nothing.
    const sum = async (path: string, person = asAdmin) => {
      const answer = await person("GET", path);
      expect({ path, status: answer.status }).toEqual({ path, status: 200 });
      const points = answer.body["points"] as { requests: number; errors: number; bytesOut: number }[];
      return { points: points.length, requests: points.reduce((total, point) => total + point.requests, 0) };
    };
    expect(await sum("/admin/traffic")).toEqual({ points: 60, requests: 8 });
    expect(await sum("/admin/traffic?range=day")).toEqual({ points: 96, requests: 8 });
    expect(await sum("/admin/traffic?range=month")).toEqual({ points: 30, requests: 8 });
    expect(await sum(`/admin/traffic?org=${otherOrgId}`)).toEqual({ points: 60, requests: 5 });
    expect(await sum("/org/traffic", asBoss)).toEqual({ points: 60, requests: 2 });
    expect(await sum(`/org/traffic?app=${appId}&range=day`, asBoss)).toEqual({ points: 96, requests: 2 });
    expect((await asBoss("GET", "/org/stats")).body).toMatchObject({
      activeTunnels: 1,
      totalAccounts: 1,
      totalBytesSent: 207,
      totalBytesReceived: 30,
    });
    const { stats: ofApp } = (await asBoss("GET", `/org/applications/${appId}/stats`)).body as { stats: Shown };
    expect(ofApp).toMatchObject({ requestCount: 3, totalConnections: 3, bytesSent: 207, bytesReceived: 30 });
    const rows = await database.db.kysely.selectFrom("traffic").select(["resolution", "slot_at"]).execute();
    const old = rows.filter(({ slot_at }) => slot_at < clock.nowMs - 95 * 86_400_000);
    expect(old.every(({ resolution, slot_at }) => resolution === "day" && slot_at === 0)).toBe(true);
  });
  const noTraffic = { requests: 0, connections: 0, bytesIn: 0, bytesOut: 0, status2xx: 0 };

  test("what was counted while the clock was ahead is counted anew", async () => {
    const accounts = async () => (await asAdmin("GET", "/admin/stats")).body["totalAccounts"] as number;
    api.clock.nowMs += 3_600_000;
    const before = await accounts();
    api.clock.nowMs -= 3_600_000;
    await createPerson(api, { username: "counted", orgId, login: false });
    expect(await accounts()).toBe(before + 1);
    await database.db.kysely.deleteFrom("accounts").where("username", "=", "counted").execute();
  });

  describe("security", () => {
    test("requests of another organization are not found", async () => {
      api.requests.push(capturedRequest(theirs, { id: "req_theirs" }));
      expect((await asBoss("GET", "/org/requests/req_theirs")).status).toBe(404);
      expect((await asBoss("GET", "/org/requests")).body["requests"]).toEqual([]);
      expect((await asBoss("GET", `/org/requests?tunnel=${theirs.id}`)).body["requests"]).toEqual([]);
      expect((await asAdmin("GET", "/admin/requests/req_theirs")).status).toBe(200);
    });
  });
});

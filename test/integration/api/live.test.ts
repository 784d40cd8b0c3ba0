// What the dashboard shows live: tunnels, requests, traffic, numbers, the audit log, and the event stream.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { LiveTunnel } from "../../../src/api/tunnels/registry.ts";
import type { TunnelCounters } from "../../../src/link/messages.ts";
import { createAudit } from "../../../src/observe/audit.ts";
import { createTraffic } from "../../../src/observe/traffic.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, type Person } from "../../helpers/people.ts";
import { capturedRequest, createTenantApi, liveTunnel, type TenantApi } from "../../helpers/tenants.ts";

type Shown = Record<string, unknown> & { id: string };

const counters = (tunnelId: string, change: Partial<TunnelCounters> = {}): TunnelCounters => ({
  tunnelId,
  requests: 1,
  connections: 1,
  bytesIn: 10,
  bytesOut: 100,
  status2xx: 1,
  status3xx: 0,
  status4xx: 0,
  status5xx: 0,
  rttMs: null,
  local: { state: "unknown" },
  streams: 0,
  ...change,
});

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
  });

  test("traffic is summed per name, organization and server, and pruned days stay in the totals", async () => {
    const { log } = api.deps;
    const clock = { nowMs: api.clock.nowMs };
    const ownerOf = (id: string) => api.tunnels.find((tunnel) => tunnel.id === id) ?? null;
    const options = { db: database.db, log, ownerOf, flushMs: 3_600_000, nowMs: () => clock.nowMs, retentionDays: 90 };
    const traffic = createTraffic(options);
    clock.nowMs -= 100 * 86_400_000;
    traffic.onCounters([counters(ours.id, { bytesOut: 7 })]);
    await traffic.flush();
    clock.nowMs = api.clock.nowMs;
    traffic.onCounters([counters(ours.id), counters(ours.id, { status2xx: 0, status5xx: 1 })]);
    traffic.onCounters([counters(theirs.id, { requests: 5 }), counters("tun_unknown"), counters(ours.id, noTraffic)]);
    await traffic.close();
    await createTraffic(options).close();
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

  describe("audit log", () => {
    let stamps: number[];
    beforeAll(async () => {
      const audit = createAudit({ db: database.db, log: api.deps.log, flushMs: 5, clock: () => api.clock.nowMs });
      stamps = [];
      for (let i = 0; i < 40; i++) {
        api.clock.nowMs += 60_000;
        stamps.push(api.clock.nowMs);
        audit.record({
          action: ["login.failed", "login.succeeded", "loginish.other", "visitor.auth", "tunnel.refused"][i % 5]!,
          success: i % 2 === 0,
          orgId: i % 3 === 0 ? otherOrgId : orgId,
          appId: i % 5 === 3 ? appId : null,
          actorId: i % 4 === 0 ? boss.id : null,
          actorName: i % 4 === 0 ? "boss" : null,
          identity: "somebody",
          reason: "because",
          address: "192.0.2.1",
          details: { name: "ours-app", i },
        });
      }
      await audit.close();
    });

    const indexesOf = (answer: { body: Record<string, unknown> }) =>
      (answer.body["events"] as { details: { i: number } }[]).map(({ details }) => details.i);
    const all = Array.from({ length: 40 }, (_, i) => i).reverse();

    test("pages under every filter and their combinations", async () => {
      const cases: [string, (i: number) => boolean][] = [
        ["", () => true],
        ["outcome=failure", (i) => i % 2 === 1],
        ["action=login", (i) => i % 5 < 2],
        ["action=login.failed", (i) => i % 5 === 0],
        ["action=login.&outcome=success", (i) => i % 5 < 2 && i % 2 === 0],
        ["action=nothing", () => false],
        ["notAction=login", (i) => i % 5 >= 2],
        ["notAction=login.failed&action=login", (i) => i % 5 === 1],
        [`notAction=visitor.&org=${orgId}&outcome=success`, (i) => i % 5 !== 3 && i % 3 !== 0 && i % 2 === 0],
        ["notAction=nothing", () => true],
        [`org=${orgId}`, (i) => i % 3 !== 0],
        [`org=${orgId}&outcome=success`, (i) => i % 3 !== 0 && i % 2 === 0],
        [`app=${appId}`, (i) => i % 5 === 3],
        [`app=${appId}&org=${orgId}&outcome=failure`, (i) => i % 5 === 3 && i % 3 !== 0 && i % 2 === 1],
        ["actor=BOSS", (i) => i % 4 === 0],
        [`actor=${boss.id}&action=login`, (i) => i % 4 === 0 && i % 5 < 2],
        ["actor=nobody", () => false],
        [`from=${new Date(stamps[10]!).toISOString()}`, (i) => i >= 10],
        [
          `from=${new Date(stamps[10]!).toISOString()}&to=${new Date(stamps[20]!).toISOString()}`,
          (i) => i >= 10 && i <= 20,
        ],
        [
          `to=${new Date(stamps[5]!).toISOString()}&action=login&org=${orgId}`,
          (i) => i <= 5 && i % 5 < 2 && i % 3 !== 0,
        ],
      ];
      for (const [query, matches] of cases) {
        for (const sort of ["-time", "time"]) {
          const expected = all.filter(matches);
          if (sort === "time") expected.reverse();
          const seen: number[] = [];
          for (let cursor: string | null = ""; cursor !== null;) {
            const page = await asAdmin(
              "GET",
              `/admin/audit?limit=7&sort=${sort}&${query}${cursor === "" ? "" : `&cursor=${cursor}`}`,
            );
            expect({ query, status: page.status }).toEqual({ query, status: 200 });
            seen.push(...indexesOf(page));
            cursor = page.body["nextCursor"] as string | null;
          }
          expect({ query, sort, seen }).toEqual({ query, sort, seen: expected });
        }
      }
    });

    test("an organization sees its own, whatever it filters by", async () => {
      const own = indexesOf(await asBoss("GET", "/org/audit?limit=200"));
      expect(own).toEqual(all.filter((i) => i % 3 !== 0));
      expect((await asBoss("GET", `/org/audit?org=${otherOrgId}`)).status).toBe(422);
      expect(indexesOf(await asBoss("GET", "/org/audit?actor=boss"))).toEqual(
        all.filter((i) => i % 3 !== 0 && i % 4 === 0),
      );
      const stats = (await asBoss("GET", "/org/audit/stats?range=hour")).body;
      expect(stats).toMatchObject({ total: own.length, complete: true });
      const everything = (await asAdmin("GET", "/admin/audit/stats?range=week")).body;
      expect(everything).toMatchObject({ total: 40, succeeded: 20, failed: 20 });
    });

    test("the overview has the busiest tunnels and the last refusals", async () => {
      ours.totals.requests = 5;
      theirs.totals.requests = 50;
      const overview = (await asAdmin("GET", "/admin/overview")).body as Record<
        "topTunnels" | "recentRefusals",
        Shown[]
      >;
      expect(overview.topTunnels.map(({ id }) => id)).toEqual([theirs.id, ours.id]);
      expect(overview.recentRefusals[0]).toMatchObject({ name: "ours-app", rule: "because", address: "192.0.2.1" });
      const own = (await asBoss("GET", "/org/overview")).body as typeof overview;
      expect(own.topTunnels.map(({ id }) => id)).toEqual([ours.id]);
      const expected = all.filter((i) => i % 3 !== 0 && i % 2 === 1 && i % 5 >= 3);
      expect(own.recentRefusals).toHaveLength(expected.length);
    });

    test("bad filters are named", async () => {
      for (const [query, field] of [
        ["from=yesterday", "from"],
        ["outcome=maybe", "outcome"],
        ["action=%25", "action"],
        ["notAction=%25", "notAction"],
        ["sort=-action", "sort"],
        ["cursor=e30", "cursor"],
      ]) {
        const answer = await asAdmin("GET", `/admin/audit?${query}`);
        expect({ query, field: (answer.body["error"] as { field?: string }).field }).toEqual({ query, field });
      }
    });
  });

  describe("event stream", () => {
    /** Reads a stream until `enough` of its events are there. */
    async function read(response: Response, enough: (events: Event[]) => boolean): Promise<Event[]> {
      const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
      let text = "";
      for (;;) {
        const events = parse(text);
        if (enough(events)) {
          await reader.cancel();
          return events;
        }
        const { done, value } = await reader.read();
        if (done) return parse(text);
        text += value;
      }
    }
    interface Event {
      id: string | undefined;
      type: string;
      data: unknown;
    }
    const parse = (text: string): Event[] =>
      text
        .split("\n\n")
        .slice(0, -1)
        .map((block) => new Map(block.split("\n").map((line) => line.split(/: (.*)/s) as [string, string])))
        .filter((fields) => fields.has("data"))
        .map((fields) => ({
          id: fields.get("id"),
          type: fields.get("event") ?? "",
          data: JSON.parse(fields.get("data")!) as unknown,
        }));
    const stream = (person: Person, path: string, headers: Record<string, string> = {}) =>
      api.open("GET", path, { session: person.session, headers });
    const opened = (tunnel: LiveTunnel, sessions: number) => ({
      type: "session.opened" as const,
      tunnelId: tunnel.id,
      agentId: "a",
      generation: 1,
      address: "192.0.2.9",
      sessions,
      atMs: 1_000,
    });
    const { onEvents, onRequests, onReady, onCounters } = {
      onEvents: (...args: Parameters<TenantApi["tenants"]["listener"]["onEvents"]>) =>
        api.tenants.listener.onEvents(...args),
      onRequests: (...args: Parameters<TenantApi["tenants"]["listener"]["onRequests"]>) =>
        api.tenants.listener.onRequests(...args),
      onReady: (shard: number) => api.tenants.listener.onReady(shard),
      onCounters: (...args: Parameters<TenantApi["tenants"]["listener"]["onCounters"]>) =>
        api.tenants.listener.onCounters(...args),
    };

    test("tells what happens, resumes after the last event, and watches only while somebody reads", async () => {
      expect(api.sent).toEqual([]);
      onEvents(0, [opened(ours, 1)]);
      const response = await stream(admin, "/admin/events");
      expect(response.headers.get("content-type")).toBe("text/event-stream");
      expect(response.headers.get("cache-control")).toBe("no-store");
      expect(api.sent).toEqual([0, 1].map((shard) => ({ shard, message: { type: "watch", on: true } })));
      onReady(1);
      expect(api.sent).toHaveLength(3);
      onEvents(0, [opened(ours, 1), opened(ours, 2), opened(theirs, 1)]);
      onRequests(0, [capturedRequest(ours, { id: "req_a" }), capturedRequest(theirs, { id: "req_b" })]);
      onCounters(0, [counters(ours.id), counters(theirs.id, { requests: 3 })]);
      api.tenants.onAudit({
        action: "tunnel.refused",
        success: false,
        orgId,
        identity: "myname",
        reason: "not_whitelisted",
        address: "192.0.2.4",
        actorName: "ada",
      });
      api.tenants.onAudit({ action: "login.failed", success: false });
      const events = await read(response, (all) => all.some(({ type }) => type === "stats"));
      expect(events.map(({ type }) => type)).toEqual([
        "tunnel.opened",
        "tunnel.opened",
        "request",
        "request",
        "refusal",
        "stats",
      ]);
      expect(events[0]!.data).toMatchObject({ id: ours.id, subdomain: "ours-app", orgId });
      expect(events[2]!.data).toMatchObject([{ id: "req_a", name: "ours-app" }]);
      expect(events[4]!.data).toMatchObject({ name: "myname", rule: "not_whitelisted", identity: "ada" });
      expect(events[5]!.data).toMatchObject({ activeTunnels: 2 });
      expect(events[5]!.id).toBeUndefined();
      // Nobody reads now; a reader that comes back soon misses nothing.
      onEvents(0, [{ ...opened(ours, 0), type: "session.closed", reason: "gone" }]);
      const resumed = await stream(admin, "/admin/events", { "last-event-id": events[3]!.id! });
      const missed = await read(resumed, (all) => all.length >= 2);
      expect(missed.map(({ type }) => type)).toEqual(["refusal", "tunnel.closed"]);
      const unknown = await stream(admin, "/admin/events", { "last-event-id": "other-1" });
      expect((await read(unknown, (all) => all.length > 0)).map(({ type }) => type)).toEqual(["stats"]);
    });

    describe("security", () => {
      test("an organization gets its own events only", async () => {
        const response = await stream(boss, "/org/events");
        onEvents(0, [opened(theirs, 1), opened(ours, 1)]);
        // Its shard believes that the request is ours; the registry knows better.
        onRequests(0, [{ ...capturedRequest(theirs), orgId }, capturedRequest(ours)]);
        api.tenants.onAudit({ action: "visitor.auth", success: false, orgId: otherOrgId, reason: "theirs" });
        onCounters(0, [counters(theirs.id, { requests: 1_000 })]);
        const events = await read(response, (all) => all.some(({ type }) => type === "stats"));
        expect(events.map(({ type }) => type)).toEqual(["tunnel.opened", "request", "stats"]);
        expect(JSON.stringify(events)).not.toContain(theirs.id);
        expect(JSON.stringify(events)).not.toContain("theirs");
        expect(events.at(-1)!.data).toMatchObject({ activeTunnels: 1, requestsPerSecond: 0 });
      });

      test("requests of another organization are not found", async () => {
        api.requests.push(capturedRequest(theirs, { id: "req_theirs" }));
        expect((await asBoss("GET", "/org/requests/req_theirs")).status).toBe(404);
        expect((await asBoss("GET", "/org/requests")).body["requests"]).toEqual([]);
        expect((await asBoss("GET", `/org/requests?tunnel=${theirs.id}`)).body["requests"]).toEqual([]);
        expect((await asAdmin("GET", "/admin/requests/req_theirs")).status).toBe(200);
      });

      test("another origin opens no stream", async () => {
        for (const headers of [
          { origin: "https://evil.example" },
          { origin: "https://theirs.tunnel.test" },
          { "sec-fetch-site": "cross-site" },
          { "sec-fetch-site": "same-site" },
        ]) {
          expect((await stream(admin, "/admin/events", headers)).status).toBe(403);
        }
      });

      test("a stream ends when its reader is deactivated, moved or logged out", async () => {
        await database.db.changes.start();
        let people = 0;
        const ends: [string, (person: Person) => Promise<unknown>][] = [
          ["deactivated", (person) => asAdmin("DELETE", `/admin/accounts/${person.id}`)],
          ["moved", (person) => asAdmin("PUT", `/admin/accounts/${person.id}/organization`, { orgId: otherOrgId })],
          ["logged out", (person) => api.call("POST", "/auth/logout", { session: person.session, body: {} })],
        ];
        for (const [name, end] of ends) {
          const person = await createPerson(api, { username: `reader${++people}`, orgId });
          const response = await stream(person, "/org/events");
          expect({ name, status: response.status }).toEqual({ name, status: 200 });
          await end(person);
          const startedAt = performance.now();
          await read(response, () => false);
          expect(performance.now() - startedAt).toBeLessThan(5_500);
        }
      });

      test("one account holds a bounded number of streams", async () => {
        const person = await createPerson(api, { username: "greedy", orgId });
        const open: Response[] = [];
        for (let i = 0; i < 20; i++) open.push(await stream(person, "/org/events"));
        expect((await stream(person, "/org/events")).status).toBe(503);
        for (const response of open) await response.body!.cancel();
        const again = await stream(person, "/org/events");
        expect(again.status).toBe(200);
        await again.body!.cancel();
      });
    });
  });
});

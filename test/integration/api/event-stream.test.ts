// The event stream of the dashboard: what it tells, to whom, from where on, and what ends it.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { LiveTunnel } from "../../../src/api/tunnels/registry.ts";
import { openAcme, type Acme } from "../../helpers/acme.ts";
import { createLogger } from "../../../src/lib/log.ts";
import { createAudit } from "../../../src/observe/audit.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { readEvents, type ReadEvent } from "../../helpers/read-events.ts";
import { createPerson, type Person } from "../../helpers/people.ts";
import { capturedRequest, liveTunnel, type TenantApi } from "../../helpers/tenants.ts";
import { tunnelCounters } from "../../helpers/tunnel-counters.ts";

describeEngines("event stream", (open) => {
  let acme: Acme;
  let database: Acme["database"];
  let api: Acme["api"];
  let admin: Acme["admin"];
  let boss: Acme["boss"];
  let orgId: Acme["orgId"];
  let otherOrgId: Acme["otherOrgId"];
  let asAdmin: Acme["asAdmin"];
  let createApp: Acme["createApp"];
  let appId: string;
  let ours: LiveTunnel;
  let theirs: LiveTunnel;

  beforeAll(async () => {
    acme = await openAcme(open);
    ({ createApp, database, api, admin, boss, orgId, otherOrgId, asAdmin } = acme);
    appId = (await createApp("ours-app")).id;
  });
  afterAll(async () => acme[Symbol.asyncDispose]());
  beforeEach(() => {
    api.tunnels.length = 0;
    api.requests.length = 0;
    api.closed.length = 0;
    ours = liveTunnel({ name: "ours-app", orgId, appId });
    theirs = liveTunnel({ name: "theirs", orgId: otherOrgId });
    api.tunnels.push(ours, theirs);
  });

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
    onCounters(0, [tunnelCounters(ours.id), tunnelCounters(theirs.id, { requests: 3 })]);
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
    const events = await readEvents(response, (all) => all.some(({ type }) => type === "tunnel.stats"));
    expect(events.map(({ type }) => type)).toEqual([
      "tunnel.opened",
      "tunnel.opened",
      "request",
      "request",
      "refusal",
      "stats",
      "tunnel.stats",
    ]);
    expect(events[0]!.data).toMatchObject({ id: ours.id, subdomain: "ours-app", orgId });
    expect(events[2]!.data).toMatchObject([{ id: "req_a", name: "ours-app" }]);
    expect(events[4]!.data).toMatchObject({ name: "myname", rule: "not_whitelisted", identity: "ada" });
    expect(events[5]!.data).toMatchObject({ activeTunnels: 2 });
    // Numbers are not kept; their id says what was heard before them.
    expect(events[5]!.id).toBe(events[4]!.id);
    // Nobody reads now; a reader that comes back soon misses nothing.
    onEvents(0, [{ ...opened(ours, 0), type: "session.closed", reason: "gone" }]);
    const resumed = await stream(admin, "/admin/events", { "last-event-id": events[3]!.id! });
    const missed = await readEvents(resumed, (all) => all.length >= 2);
    expect(missed.map(({ type }) => type)).toEqual(["refusal", "tunnel.closed"]);
  });

  test("a reader that can't be resumed is told so, and from where it hears again", async () => {
    const first = await stream(admin, "/admin/events");
    onEvents(0, [opened(ours, 1)]);
    const [heard] = await readEvents(first, (all) => all.length > 0);
    // Of an earlier life of the server.
    const unknown = await readEvents(
      await stream(admin, "/admin/events", { "last-event-id": "other-1" }),
      (all) => all.length > 0,
    );
    expect(unknown).toMatchObject([{ type: "gap", data: { reason: "unknown" }, id: heard!.id }]);
    for (let i = 0; i < 1_001; i++) onRequests(0, [capturedRequest(ours)]);
    const late = await readEvents(
      await stream(admin, "/admin/events", { "last-event-id": heard!.id! }),
      (all) => all.length > 0,
    );
    expect(late).toMatchObject([{ type: "gap", data: { reason: "too_old" } }]);
    onRequests(0, [capturedRequest(ours, { id: "req_after" })]);
    const resumed = await stream(admin, "/admin/events", { "last-event-id": late[0]!.id! });
    expect(await readEvents(resumed, (all) => all.length > 0)).toMatchObject([
      { type: "request", data: [{ id: "req_after" }] },
    ]);
  });

  test("each second tells the tunnels that changed: state, proof, round trip, bytes, and rates that end", async () => {
    ours.rttMs = 7;
    ours.local = { state: "up", provenAtMs: 5_000, connectMs: 1 };
    const response = await stream(boss, "/org/events");
    onCounters(0, [tunnelCounters(ours.id, { requests: 30, bytesIn: 100, bytesOut: 200 }), tunnelCounters(theirs.id)]);
    const told = (all: ReadEvent[]) => all.filter(({ type }) => type === "tunnel.stats");
    const events = told(await readEvents(response, (all) => told(all).length === 2));
    type Stats = { tunnels: { requestsPerSecond: number; bytesPerSecond: number }[]; waiting: number };
    const [busy, quiet] = events.map(({ data }) => data as Stats);
    expect(busy).toMatchObject({
      waiting: 0,
      tunnels: [
        {
          ...{ id: ours.id, subdomain: "ours-app", appId, connected: true, sessions: 2, rttMs: 7 },
          local: { state: "up", provenAt: new Date(5_000).toISOString() },
        },
      ],
    });
    expect(busy!.tunnels[0]!.requestsPerSecond).toBeGreaterThan(0);
    expect(busy!.tunnels[0]!.bytesPerSecond).toBeGreaterThan(0);
    expect(quiet!.tunnels).toMatchObject([{ id: ours.id, requestsPerSecond: 0, bytesPerSecond: 0 }]);
  });

  test("tells when traffic was stored, which audit entry is the newest, and what was cleared", async () => {
    const away = liveTunnel({ name: "away", orgId, state: "away", agents: [], sessions: 0 });
    api.tunnels.push(away);
    const member = await createPerson(api, { username: "looker", orgId });
    const [asManager, asMember] = [await stream(boss, "/org/events"), await stream(member, "/org/events")];
    onCounters(0, [tunnelCounters(ours.id)]);
    await api.tenants.flush();
    expect((await api.call("POST", `/org/tunnels/${away.id}/clear`, { session: boss.session, body: {} })).status).toBe(
      200,
    );
    const log = createLogger({ level: "error", format: "json", write: () => {} });
    const audit = createAudit({ db: database.db, log, flushMs: 1_000 });
    audit.record({ action: "tunnel.opened", orgId });
    audit.record({ action: "tunnel.opened", orgId: otherOrgId });
    await audit.close();
    const { body } = await api.call("GET", "/org/audit?limit=1", { session: boss.session });
    const [newest] = body["events"] as { id: string }[];
    const isNewest = ({ data }: ReadEvent) => (data as { newestAudit?: string }).newestAudit === newest!.id;
    const events = await readEvents(asManager, (all) => all.some(isNewest));
    expect(events.find(({ type }) => type === "tunnel.cleared")!.data).toMatchObject({ id: away.id, orgId });
    expect(events.find(isNewest)!.data).toMatchObject({ trafficStoredAt: expect.any(String) });
    // Members may not read the log, and hear nothing of it.
    const ofMember = await readEvents(asMember, (all) => all.filter(({ type }) => type === "stats").length >= 2);
    expect(JSON.stringify(ofMember)).not.toContain(newest!.id);
  });

  describe("security", () => {
    test("an organization gets its own events only", async () => {
      const response = await stream(boss, "/org/events");
      onEvents(0, [opened(theirs, 1), opened(ours, 1)]);
      // Its shard believes that the request is ours; the registry knows better.
      onRequests(0, [{ ...capturedRequest(theirs), orgId }, capturedRequest(ours)]);
      api.tenants.onAudit({ action: "visitor.auth", success: false, orgId: otherOrgId, reason: "theirs" });
      onCounters(0, [tunnelCounters(theirs.id, { requests: 1_000 })]);
      const events = await readEvents(response, (all) => all.some(({ type }) => type === "tunnel.stats"));
      expect(events.map(({ type }) => type)).toEqual(["tunnel.opened", "request", "stats", "tunnel.stats"]);
      expect(JSON.stringify(events)).not.toContain(theirs.id);
      expect(JSON.stringify(events)).not.toContain("theirs");
      expect(events.at(-2)!.data).toMatchObject({ activeTunnels: 1, requestsPerSecond: 0 });
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

    test("a stream ends when its reader is deactivated, moved, demoted or logged out", async () => {
      await database.db.changes.start();
      // By another process, which tells nobody: a reader is looked at every few seconds in any case.
      const silent = await createPerson(api, { username: "silent", orgId });
      const ofSilent = readEvents(await stream(silent, "/org/events"));
      await database.db.kysely.deleteFrom("dashboard_sessions").where("account_id", "=", silent.id).execute();
      const byToken = await createPerson(api, { username: "robot", isAdmin: true, login: false });
      const ofToken = readEvents(
        await api.open("GET", "/admin/events", { headers: { "x-admin-token": byToken.token } }),
      );
      await asAdmin("DELETE", `/admin/accounts/${byToken.id}`);
      await ofToken;
      let people = 0;
      const demote = ({ id }: Person) =>
        database.db.transaction(async (trx) => {
          await trx.updateTable("accounts").set({ is_org_admin: 0 }).where("id", "=", id).execute();
          await database.db.changes.record(trx, { kind: "account", refId: id, action: "updated" });
        });
      const ends: [string, (person: Person) => Promise<unknown>][] = [
        ["deactivated", (person) => asAdmin("DELETE", `/admin/accounts/${person.id}`)],
        ["moved", (person) => asAdmin("PUT", `/admin/accounts/${person.id}/organization`, { orgId: otherOrgId })],
        ["demoted", (person) => asAdmin("PUT", `/admin/accounts/${person.id}/org-admin`, { isOrgAdmin: false })],
        // The session goes on, so that it is the role alone which ends the stream.
        ["demoted, logged in", demote],
        ["logged out", (person) => api.call("POST", "/auth/logout", { session: person.session, body: {} })],
      ];
      for (const [name, end] of ends) {
        const person = await createPerson(api, {
          username: `reader${++people}`,
          orgId,
          isOrgAdmin: name.startsWith("demoted"),
        });
        const response = await stream(person, "/org/events");
        expect({ name, status: response.status }).toEqual({ name, status: 200 });
        await end(person);
        await readEvents(response);
      }
      await ofSilent;
    });

    test("a reader that does not read is cut off, and finds what was kept for it", async () => {
      const response = await stream(admin, "/admin/events");
      for (let i = 0; i < 100; i++)
        onRequests(
          0,
          Array.from({ length: 100 }, () => capturedRequest(ours)),
        );
      const kept = await readEvents(response);
      expect(kept.length).toBeWithin(1, 100);
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

    test("one organization leaves streams to others", async () => {
      const open: Response[] = [];
      const refused: number[] = [];
      for (let i = 0; i < 13; i++) {
        const person = await createPerson(api, { username: `crowd${i}`, orgId });
        for (let j = 0; j < 20; j++) {
          const response = await stream(person, "/org/events");
          if (response.status === 200) open.push(response);
          else refused.push(response.status);
        }
      }
      // One or two may still be open of the tests before.
      expect(open.length).toBeWithin(245, 251);
      expect(new Set(refused)).toEqual(new Set([503]));
      const admins = await stream(admin, "/admin/events");
      expect(admins.status).toBe(200);
      for (const response of [...open, admins]) await response.body!.cancel();
    });
  });
});

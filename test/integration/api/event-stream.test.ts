// The event stream of the dashboard: what it tells, to whom, from where on, and what ends it.

import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import type { LiveTunnel } from "../../../src/api/tunnels/registry.ts";
import { openAcme, type Acme } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";
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
      onCounters(0, [tunnelCounters(theirs.id, { requests: 1_000 })]);
      const events = await read(response, (all) => all.some(({ type }) => type === "stats"));
      expect(events.map(({ type }) => type)).toEqual(["tunnel.opened", "request", "stats"]);
      expect(JSON.stringify(events)).not.toContain(theirs.id);
      expect(JSON.stringify(events)).not.toContain("theirs");
      expect(events.at(-1)!.data).toMatchObject({ activeTunnels: 1, requestsPerSecond: 0 });
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

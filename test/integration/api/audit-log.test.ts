// The audit log over the API: pages under every filter, what an organization sees of it, what the overview shows.

import { afterAll, beforeAll, beforeEach, expect, test } from "bun:test";
import type { LiveTunnel } from "../../../src/api/tunnels/registry.ts";
import { createAudit } from "../../../src/observe/audit.ts";
import { openAcme, type Acme, type Shown } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { liveTunnel } from "../../helpers/tenants.ts";

describeEngines("the audit log", (open) => {
  let acme: Acme;
  let database: Acme["database"];
  let api: Acme["api"];
  let boss: Acme["boss"];
  let orgId: Acme["orgId"];
  let otherOrgId: Acme["otherOrgId"];
  let asAdmin: Acme["asAdmin"];
  let asBoss: Acme["asBoss"];
  let createApp: Acme["createApp"];
  let appId: string;
  let ours: LiveTunnel;
  let theirs: LiveTunnel;

  beforeAll(async () => {
    acme = await openAcme(open);
    ({ createApp, database, api, boss, orgId, otherOrgId, asAdmin, asBoss } = acme);
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
      ["action=!login", (i) => i % 5 >= 2],
      ["action=NOT login", (i) => i % 5 >= 2],
      ["action=login !login.failed", (i) => i % 5 === 1],
      ["action=!login !visitor", (i) => i % 5 === 2 || i % 5 === 4],
      [`action=!visitor.&org=${orgId}&outcome=success`, (i) => i % 5 !== 3 && i % 3 !== 0 && i % 2 === 0],
      ["action=!nothing", () => true],
      ["outcome=!success", (i) => i % 2 === 1],
      [`org=!${orgId}`, (i) => i % 3 === 0],
      [`app=!${appId}&outcome=!failure`, (i) => i % 5 !== 3 && i % 2 === 0],
      ["actor=!boss", (i) => i % 4 !== 0],
      [`actor=!${boss.id}&action=login`, (i) => i % 4 !== 0 && i % 5 < 2],
      ["actor=!somebody-unknown", () => true],
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
      [`to=${new Date(stamps[5]!).toISOString()}&action=login&org=${orgId}`, (i) => i <= 5 && i % 5 < 2 && i % 3 !== 0],
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
    const overview = (await asAdmin("GET", "/admin/overview")).body as Record<"topTunnels" | "recentRefusals", Shown[]>;
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
      ["action=!%25", "action"],
      ["action=login visitor", "action"],
      ["org=!", "org"],
      ["sort=-action", "sort"],
      ["cursor=e30", "cursor"],
    ]) {
      const answer = await asAdmin("GET", `/admin/audit?${query}`);
      expect({ query, field: (answer.body["error"] as { field?: string }).field }).toEqual({ query, field });
    }
  });
});

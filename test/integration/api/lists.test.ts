// What all lists have in common: `!` in front of a filter's value, orders that hold under it, pages that were cut short.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mostScanned } from "../../../src/db/list-page.ts";
import { openAcme, type Acme, type Shown } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { login } from "../../helpers/people.ts";
import { liveTunnel } from "../../helpers/tenants.ts";

describeEngines("lists", (open) => {
  let acme: Acme;
  let shopId: string;
  let orgId: string;
  let otherOrgId: string;
  beforeAll(async () => {
    acme = await openAcme(open, { agentWhitelist: ["10.0.0.0/8", "2001:db8::/32"] });
    ({ orgId, otherOrgId } = acme);
    shopId = (await acme.createApp("shop")).id;
    await acme.createApp("blog");
    await acme.as(acme.otherBoss)("POST", "/org/applications", { subdomain: "theirs", name: "Theirs" });
    for (const [appId, description] of [
      [shopId, "of the shop"],
      [null, "of all"],
    ]) {
      await acme.asBoss("POST", "/org/api-keys", { appId, description });
    }
    await acme.asAdmin("DELETE", `/admin/accounts/${acme.member.id}`);
  });
  afterAll(async () => acme[Symbol.asyncDispose]());

  /** All pages of a list, a few entries at a time, as `key` of each entry. */
  async function all(path: string, plural: string, key: string, limit = 2): Promise<unknown[]> {
    const seen: unknown[] = [];
    for (let cursor: string | null = ""; cursor !== null;) {
      const page = await acme.asAdmin("GET", `${path}&limit=${limit}${cursor === "" ? "" : `&cursor=${cursor}`}`);
      expect({ path, status: page.status }).toEqual({ path, status: 200 });
      seen.push(...(page.body[plural] as Shown[]).map((one) => one[key]));
      cursor = page.body["nextCursor"] as string | null;
    }
    return seen;
  }

  test("NOT means everything else, in every order", async () => {
    const cases: [path: string, plural: string, key: string, expected: unknown[]][] = [
      ["/admin/accounts?sort=username&q=!b", "accounts", "username", ["admin", "member", "stranger"]],
      ["/admin/accounts?sort=-createdAt&q=NOT BOSS", "accounts", "username", ["stranger", "member", "admin"].sort()],
      [`/admin/accounts?sort=username&org=!${orgId}`, "accounts", "username", ["admin", "stranger"]],
      ["/admin/accounts?sort=username&active=!true", "accounts", "username", ["member"]],
      [`/admin/accounts?sort=lastUsed&active=true&org=${orgId}`, "accounts", "username", ["boss"]],
      ["/admin/accounts?admin=!false", "accounts", "username", ["admin"]],
      ["/admin/organizations?sort=createdAt&q=-ACME", "organizations", "name", ["Other"]],
      ["/admin/applications?sort=-subdomain&q=!s", "applications", "subdomain", ["theirs", "blog"]],
      ["/admin/applications?sort=name&q=NOT App s", "applications", "subdomain", ["blog", "theirs"]],
      [`/admin/applications?org=!${otherOrgId}&sort=subdomain`, "applications", "subdomain", ["blog", "shop"]],
      [`/admin/api-keys?app=!${shopId}&sort=lastUsed`, "keys", "description", ["of all"]],
      [`/admin/api-keys?app=${shopId}&sort=-lastUsed`, "keys", "description", ["of the shop"]],
      [`/admin/api-keys?org=!${orgId}`, "keys", "description", []],
    ];
    for (const [path, plural, key, expected] of cases) {
      const found = await all(path, plural, key);
      // Made in the same moment, these have no order in time.
      expect({ path, found: path.includes("createdAt") ? found.sort() : found }).toEqual({ path, found: expected });
    }
  });

  test("NOT in lists that are held in memory", async () => {
    acme.api.tunnels.push(
      liveTunnel({ name: "shop", orgId, appId: shopId }),
      liveTunnel({ name: "theirs", orgId: otherOrgId }),
      liveTunnel({ name: "gone", orgId, state: "away" }),
    );
    for (const [filter, expected] of [
      [`org=!${orgId}`, ["theirs"]],
      [`app=!${shopId}`, ["gone", "theirs"]],
      ["state=!connected", ["gone"]],
      ["q=!shop", ["gone", "theirs"]],
    ] as const) {
      expect({ filter, found: await all(`/admin/tunnels?sort=subdomain&${filter}`, "tunnels", "subdomain") }).toEqual({
        filter,
        found: [...expected],
      });
    }
  });

  test("a search by the beginning has the order of that text, and says so", async () => {
    for (const path of ["/admin/accounts?q=b", "/admin/organizations?q=a", "/admin/applications?q=s"]) {
      const refused = await acme.asAdmin("GET", `${path}&sort=createdAt`);
      expect({ path, ...(refused.body["error"] as object) }).toMatchObject({ path, code: "validation", field: "sort" });
    }
  });

  test("words are found in capital and in small letters, those beyond A to Z too", async () => {
    for (const description of ["Büro ÖSTERREICH", "Łódź"]) await acme.asBoss("POST", "/org/api-keys", { description });
    for (const [q, expected] of [
      ...["ÖSTERREICH", "österreich", "Österreich", "büro", "BÜRO österreich"].map((word) => [
        word,
        ["Büro ÖSTERREICH"],
      ]),
      ...["Łódź", "łódź", "ódź"].map((word) => [word, ["Łódź"]]),
      ["österreich NOT büro", []],
    ] as [string, string[]][]) {
      const found = await all(`/admin/api-keys?org=${orgId}&q=${encodeURIComponent(q)}`, "keys", "description");
      expect({ q, found }).toEqual({ q, found: expected });
    }
  });

  test("API keys are found by words of description and prefix, and by whether they expired", async () => {
    const make = async (description: string, expiresIn: number | null) => {
      acme.api.clock.nowMs += 1_000;
      const made = await acme.asAdmin("POST", "/admin/api-keys", { orgId: otherOrgId, description, expiresIn });
      return made.body["key"] as { id: string; prefix: string };
    };
    // Words that no key's prefix can hold: six characters of it are random.
    const ended = await make("Deploy staging", 1);
    await make("deploy production", 30);
    await make("100% PIPELINE", 1);
    await make("Backup, PIPELINE", null);
    await acme.database.db.kysely
      .updateTable("api_keys")
      .set({ expires_at: acme.api.clock.nowMs })
      .where("id", "=", ended.id)
      .execute();
    const cases: [filter: string, expected: string[]][] = [
      ["", ["Deploy staging", "deploy production", "100% PIPELINE", "Backup, PIPELINE"]],
      ["q=DEPLOY", ["Deploy staging", "deploy production"]],
      ["q=production deploy", ["deploy production"]],
      ["q=pipeline NOT backup", ["100% PIPELINE"]],
      ["q=!deploy", ["100% PIPELINE", "Backup, PIPELINE"]],
      ["q=100%25", ["100% PIPELINE"]],
      [`q=${ended.prefix}`, ["Deploy staging"]],
      ["q=dlk_ !deploy", ["100% PIPELINE", "Backup, PIPELINE"]],
      // At the very moment that it names a key is refused.
      ["state=expired", ["Deploy staging"]],
      ["state=!expired", ["deploy production", "100% PIPELINE", "Backup, PIPELINE"]],
      ["state=active&q=!production", ["100% PIPELINE", "Backup, PIPELINE"]],
      ["state=!active&q=deploy", ["Deploy staging"]],
      ["state=expired&q=backup", []],
    ];
    for (const [filter, expected] of cases) {
      for (const sort of ["createdAt", "-createdAt"]) {
        const found = await all(`/admin/api-keys?org=${otherOrgId}&sort=${sort}&${filter}`, "keys", "description", 1);
        const inOrder = sort === "createdAt" ? expected : expected.toReversed();
        expect({ filter, sort, found }).toEqual({ filter, sort, found: inOrder });
      }
      const own = await acme.as(acme.otherBoss)("GET", `/org/api-keys?sort=createdAt&${filter}`);
      expect({ filter, own: (own.body["keys"] as Shown[]).map((key) => key["description"]) }).toEqual({
        filter,
        own: expected,
      });
    }
    for (const wrong of ["state=revoked", "state=", "q="]) {
      expect({ wrong, status: (await acme.asAdmin("GET", `/admin/api-keys?${wrong}`)).status }).toEqual({
        wrong,
        status: 422,
      });
    }
  });

  describe("whitelists", () => {
    beforeAll(async () => {
      for (const [path, ipRange, description] of [
        ["/admin/whitelist", "192.0.2.0/24", "Office in Bonn"],
        ["/admin/whitelist", "192.0.2.7", "CI"],
        [`/admin/organizations/${orgId}/whitelist`, "0.0.0.0/0", "everybody"],
        [`/admin/organizations/${otherOrgId}/whitelist`, "198.51.100.0/24", "100% theirs"],
        [`/admin/applications/${shopId}/whitelist`, "2001:db8:1::/48", "Shop"],
        [`/admin/accounts/${acme.boss.id}/whitelist`, "203.0.113.5", "Home"],
        [`/admin/accounts/${acme.otherBoss.id}/whitelist`, "203.0.113.6", "Home"],
      ] as const) {
        const body = { ipRange, description };
        expect((await acme.asAdmin("POST", path, body)).status).toBe(201);
        acme.api.clock.nowMs += 1_000;
      }
    });

    test("are found by words, and by an address that a range contains", async () => {
      const cases: [path: string, expected: string[]][] = [
        ["/admin/whitelist?sort=ipRange", ["10.0.0.0/8", "2001:db8::/32", "192.0.2.0/24", "192.0.2.7"]],
        ["/admin/whitelist?sort=-ipRange&source=database", ["192.0.2.7", "192.0.2.0/24"]],
        ["/admin/whitelist?source=!database", ["10.0.0.0/8", "2001:db8::/32"]],
        ["/admin/whitelist?sort=createdAt&q=192.0.2.7", ["192.0.2.0/24", "192.0.2.7"]],
        ["/admin/whitelist?q=10.9.8.7", ["10.0.0.0/8"]],
        ["/admin/whitelist?q=192.0.2.70", ["192.0.2.0/24"]],
        ["/admin/whitelist?q=192.0.2", ["192.0.2.7", "192.0.2.0/24"]],
        ["/admin/whitelist?q=2001:DB8:1::1", ["2001:db8::/32"]],
        ["/admin/whitelist?q=office NOT ci&source=database", ["192.0.2.0/24"]],
        ["/admin/whitelist?q=!192.0.2.7", ["10.0.0.0/8", "2001:db8::/32"]],
        ["/admin/org-whitelists?q=198.51.100.9&sort=ipRange", ["0.0.0.0/0", "198.51.100.0/24"]],
        ["/admin/org-whitelists?q=100%25", ["198.51.100.0/24"]],
        [`/admin/org-whitelists?org=!${orgId}`, ["198.51.100.0/24"]],
        ["/admin/app-whitelists?q=2001:db8:1:2::/64", ["2001:db8:1::/48"]],
        [`/admin/accounts/${acme.boss.id}/whitelist?q=home`, ["203.0.113.5"]],
        ["/admin/account-whitelists?sort=ipRange", ["203.0.113.5", "203.0.113.6"]],
        [`/admin/account-whitelists?org=${otherOrgId}`, ["203.0.113.6"]],
      ];
      for (const [path, expected] of cases) {
        const found = await all(path.includes("?") ? path : `${path}?`, "entries", "ipRange", 1);
        expect({ path, found }).toEqual({ path, found: expected });
      }
    });

    test("of accounts name their owner; an organization's admin sees its own members' only", async () => {
      const own = await acme.asBoss("GET", "/org/account-whitelist");
      expect(own.body["entries"]).toMatchObject([{ ipRange: "203.0.113.5", ownerName: "boss", ownerId: acme.boss.id }]);
      expect((await acme.asBoss("GET", `/org/account-whitelist?org=${otherOrgId}`)).status).toBe(422);
    });

    test("a page looks at so many entries only, and the next one goes on from there", async () => {
      const { kysely } = acme.database.db;
      const row = { level: "organization", owner_id: otherOrgId, org_id: otherOrgId, app_id: null, account_id: null };
      const rest = { description: "many", created_by: null } as const;
      for (let from = 0; from < mostScanned; from += 500) {
        const rows = Array.from({ length: 500 }, (_, i) => ({
          ...(row as typeof row & { level: "organization" }),
          ...rest,
          ...{
            id: `wl_${from + i}`,
            cidr: `172.16.${(from + i) >> 8}.${(from + i) & 255}`,
            created_at: 1_000 + from + i,
          },
        }));
        await kysely.insertInto("whitelist_entries").values(rows).execute();
      }
      const path = `/admin/organizations/${otherOrgId}/whitelist?sort=createdAt&q=theirs`;
      const first = await acme.asAdmin("GET", path);
      expect(first.body["entries"]).toEqual([]);
      const second = await acme.asAdmin("GET", `${path}&cursor=${String(first.body["nextCursor"])}`);
      expect(second.body).toMatchObject({ entries: [{ ipRange: "198.51.100.0/24" }], nextCursor: null });
    });
  });

  test("own sessions: those that ended, by address or browser, in each order", async () => {
    const { api, otherBoss } = acme;
    api.clock.nowMs += 60_000;
    const second = await login(api, otherBoss.username);
    api.clock.nowMs += 60_000;
    const third = await login(api, otherBoss.username);
    await api.call("POST", "/auth/logout", { session: second, body: {} });
    const list = async (query: string) => {
      const answer = await api.call("GET", `/auth/sessions?${query}`, { session: third });
      expect({ query, status: answer.status }).toEqual({ query, status: 200 });
      return answer.body["sessions"] as { current: boolean; endedAt: string | null; createdAt: string }[];
    };
    expect((await list("")).map(({ current, endedAt }) => [current, endedAt])).toEqual([
      [true, null],
      [false, null],
    ]);
    for (const sort of ["createdAt", "expiresAt", "lastSeen"]) {
      const times = (await list(`sort=${sort}&state=any`)).map(({ createdAt }) => createdAt);
      const back = (await list(`sort=-${sort}&state=any`)).map(({ createdAt }) => createdAt);
      expect({ sort, times: times.length, back }).toEqual({ sort, times: 3, back: times.toReversed() });
    }
    for (const [query, length] of [
      ["state=ended", 1],
      ["state=!live", 1],
      ["state=any&current=true", 1],
      ["state=any&current=!true", 2],
      ["q=203.0.113.7", 2],
      ["q=!203.0.113.7", 0],
      ["q=no-such-browser&state=any", 0],
    ] as const) {
      expect({ query, length: (await list(query)).length }).toEqual({ query, length });
    }
    expect((await api.call("GET", "/auth/sessions?sort=address", { session: third })).status).toBe(422);
    // The one that began first was seen last; page by page the order is the same.
    api.clock.nowMs += 600_000;
    await api.call("GET", "/auth/me", { session: otherBoss.session });
    for (const sort of ["-createdAt", "-expiresAt", "-lastSeen"]) {
      const whole = await list(`sort=${sort}&state=any`);
      const pages: unknown[] = [];
      for (let cursor: unknown = ""; cursor !== null;) {
        const more = cursor === "" ? "" : `&cursor=${cursor as string}`;
        const path = `/auth/sessions?sort=${sort}&state=any&limit=1${more}`;
        const { body } = await api.call("GET", path, { session: third });
        pages.push(...(body["sessions"] as unknown[]));
        cursor = body["nextCursor"];
      }
      expect({ sort, pages }).toEqual({ sort, pages: whole });
    }
    api.clock.nowMs += 25 * 3_600_000;
    const session = await login(api, otherBoss.username);
    const { body } = await api.call("GET", "/auth/sessions?state=any&current=!true", { session });
    const ended = (body["sessions"] as { endedAt: string | null }[]).filter(({ endedAt }) => endedAt !== null);
    expect(ended).toHaveLength(3);
  });
});

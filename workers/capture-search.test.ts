// Looking through captured requests: sorted, paged and complete in every order, in many small pieces, and only what may be shown.

import { describe, expect, test } from "bun:test";
import { orderValue, type RequestOrder, type RequestsQuery } from "../src/link/requests-query.ts";
import { CaptureBudget, type CaptureEntry, CaptureRing, type Visit } from "./capture.ts";
import { searchCaptures } from "./capture-search.ts";

const everything: RequestsQuery = {
  ...{ tunnelIds: [], requestId: null, terms: [], order: "time", descending: true, after: null },
  limit: 10,
};

function entry(ring: CaptureRing, number: number, target: string, change: Partial<CaptureEntry> = {}): CaptureEntry {
  const visit: Visit = {
    ...{ request: number, tunnelId: "t1", entry: { name: "app", appId: null, orgId: "o1" } },
    ...{ visitor: { address: "192.0.2.1" }, pass: { email: null, user: null } },
    ...{ repeatable: true, startedAt: number, judgedAt: number },
  };
  const head = Buffer.from(`GET ${target} HTTP/1.1\r\nHost: app.test\r\n\r\n`);
  return Object.assign(ring.begin(visit, head, head.length), { endedAt: number + 1, status: 200, ...change });
}

const rings = Array.from({ length: 5 }, () => new CaptureRing(700, new CaptureBudget(1e8)));
for (let i = 0; i < 3_000; i++) {
  const change = { status: 200 + (i % 7), bytesOut: (i * 7919) % 1_000, endedAt: i + 1 + ((i * 31) % 500) };
  entry(rings[i % rings.length]!, i, i % 10 === 0 ? `/tenth/${i}` : `/${i}`, change);
}
const all = rings.flatMap((ring) => ring.newest());
const search = (change: Partial<RequestsQuery>, logQuery = false, among = rings) =>
  searchCaptures(
    among.map((ring) => ring.newest()),
    { ...everything, ...change },
    (row) => row.line(logQuery),
  );

describe("a search", () => {
  test.each(["time", "status", "duration", "size"] as const)(
    "by %s gives every entry once, in order",
    async (order) => {
      for (const descending of [false, true]) {
        const sign = descending ? -1 : 1;
        const by = (a: CaptureEntry, b: CaptureEntry) =>
          (orderValue(order, a) - orderValue(order, b) || (a.id < b.id ? -1 : 1)) * sign;
        const sorted = all.toSorted(by).map(({ id }) => id);
        const paged: string[] = [];
        for (let after: RequestsQuery["after"] = null; ;) {
          const page = await search({ order, descending, after, limit: 700 });
          paged.push(...page.map(({ id }) => id));
          const last = page.at(-1);
          if (last === undefined) break;
          after = { value: orderValue(order as RequestOrder, last), id: last.id };
        }
        expect(paged).toEqual(sorted);
      }
    },
  );

  test("finds what is rare among all that is kept, by terms and by id", async () => {
    const found = await search({ terms: [{ field: "path", text: "/tenth/50", not: false }] });
    expect(found.map((one) => one.line(false).path)).toEqual(["/tenth/500", "/tenth/50"]);
    expect(await search({ requestId: all[0]!.id })).toEqual([all[0]!]);
    const many = await search({ terms: [{ field: "path", text: "/tenth/", not: false }], limit: 1_000 });
    expect(many.length).toBe(300);
  });

  test("takes many turns of the event loop, and few heads: those that a full page leaves out are not read", async () => {
    let turnsMeanwhile = 0;
    const timer = setInterval(() => turnsMeanwhile++);
    const count = (): void => {
      turnsMeanwhile++;
      immediate = setImmediate(count);
    };
    let immediate = setImmediate(count);
    let read = 0;
    const terms = [{ field: "any", text: "/", not: false }] as const;
    await searchCaptures(
      rings.map((ring) => ring.newest()),
      { ...everything, terms: [...terms] },
      (row) => {
        read++;
        return row.line(false);
      },
    );
    clearInterval(timer);
    clearImmediate(immediate);
    expect(turnsMeanwhile).toBeGreaterThanOrEqual(2);
    expect(read).toBeLessThan(all.length / 10);
  });
});

describe("security", () => {
  test("a query that is not shown is not found either", async () => {
    const ring = new CaptureRing(10, new CaptureBudget(1e6));
    entry(ring, 1, "/p?code=c0de");
    for (const field of ["path", "any"] as const) {
      const terms = [{ field, text: "c0de", not: false }];
      expect(await search({ terms }, false, [ring])).toEqual([]);
      expect((await search({ terms }, true, [ring])).length).toBe(1);
    }
  });
});

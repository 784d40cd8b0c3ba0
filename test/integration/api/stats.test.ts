// The sums of all traffic that the overview shows: what is read for them.

import { expect, test } from "bun:test";
import { SqliteQueryCompiler } from "kysely";
import { createNumbers } from "../../../src/api/live/numbers.ts";
import { addTraffic, olderSlot } from "../../../src/db/traffic.ts";
import { createTestApi } from "../../helpers/api.ts";
import { describeEngines } from "../../helpers/databases.ts";

const dayMs = 86_400_000;

describeEngines("the sums of all traffic", (open) => {
  test("ask for the days that there are, however many may be kept", async () => {
    await using fresh = await open();
    const { deps, clock } = createTestApi(fresh);
    const counts = { requests: 1, connections: 1, status_2xx: 1, status_3xx: 0, status_4xx: 0, status_5xx: 0 };
    const ofServer = { resolution: "day" as const, name: "*", app_id: "", org_id: "*", ...counts };
    let most = 0;
    const kysely = fresh.db.kysely.withPlugin({
      transformQuery({ node, queryId }) {
        most = Math.max(most, new SqliteQueryCompiler().compileQuery(node, queryId).parameters.length);
        return node;
      },
      transformResult: async ({ result }) => result,
    });
    const numbers = createNumbers(
      { ...deps, db: { ...fresh.db, kysely } },
      { within: () => [], find: () => null, countConnected: () => new Map() },
      { retentionDays: 36_500 },
    );
    const sums = async () => {
      const { totalBytesSent, totalBytesReceived } = await numbers.stats(null);
      return [totalBytesSent, totalBytesReceived];
    };
    expect(await sums()).toEqual([0, 0]);
    const today = clock.nowMs - (clock.nowMs % dayMs);
    const days = [olderSlot, today - 20 * dayMs, today - 3 * dayMs, today];
    await addTraffic(
      fresh.db.kysely,
      days.map((slot_at, i) => ({ ...ofServer, slot_at, bytes_in: 10 ** i, bytes_out: 2 * 10 ** i })),
    );
    expect(await sums()).toEqual([2_222, 1_111]);
    expect(most).toBeLessThan(40);
  });
});

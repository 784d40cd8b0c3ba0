// A commit whose answer is lost was done, or was not: what is written again by itself is stored once either way.

import { expect, test } from "bun:test";
import { toAppError } from "../../src/api/errors.ts";
import { createLogger } from "../../src/lib/log.ts";
import { createAudit } from "../../src/observe/audit.ts";
import { verifyChain } from "../../src/observe/audit-chain.ts";
import { createTraffic } from "../../src/observe/traffic.ts";
import { eventually } from "../helpers/eventually.ts";
import { openLosingAnswers } from "../helpers/lost-answers.ts";
import { addAccount, openTestRegistry } from "../helpers/test-registry.ts";
import { tunnelCounters } from "../helpers/tunnel-counters.ts";

const log = createLogger({ level: "error", format: "json", write: () => {} });

test("events of the audit log are stored once, and those that came meanwhile after them", async () => {
  await using at = await openLosingAnswers();
  const { db } = at.fresh;
  const audit = createAudit({ db: at.impatient, log, flushMs: 60_000 });
  audit.record({ action: "a.first" });
  audit.record({ action: "a.second" });
  const stored = async () =>
    (await db.kysely.selectFrom("audit_log").select("action").orderBy("seq").execute()).map(({ action }) => action);
  await at.loseAnswer("audit_log", async () => {
    const flushed = audit.flush();
    audit.record({ action: "b.meanwhile" });
    await flushed;
  });
  expect(await stored()).toEqual(["a.first", "a.second"]);
  await audit.close();
  expect(await stored()).toEqual(["a.first", "a.second", "b.meanwhile"]);
  expect(await verifyChain(db)).toMatchObject({ intact: true, rows: 3 });
}, 30_000);

test("sums of traffic are added once, and what came meanwhile to them", async () => {
  await using at = await openLosingAnswers();
  const { kysely } = at.fresh.db;
  const nowMs = Date.UTC(2030, 0, 1, 12);
  const owner = { name: "adhoc", appId: null, orgId: null };
  const options = { db: at.impatient, log, retentionDays: 90, flushMs: 3_600_000 };
  const traffic = createTraffic({ ...options, ownerOf: () => owner, nowMs: () => nowMs });
  const requests = async () => {
    const rows = kysely.selectFrom("traffic").select("requests").where("name", "=", "adhoc").execute();
    return (await rows).map((row) => row.requests);
  };
  await at.loseAnswer("traffic", async () => {
    // At once, after a quiet time.
    traffic.onCounters([tunnelCounters("adhoc")]);
    const flushed = traffic.flush();
    traffic.onCounters([tunnelCounters("adhoc")]);
    await flushed;
  });
  // By minute, quarter of an hour and day.
  expect(await requests()).toEqual([1, 1, 1]);
  await traffic.close();
  expect(await requests()).toEqual([2, 2, 2]);
}, 30_000);

test("of a commit that was not done all is stored by the next one", async () => {
  await using at = await openLosingAnswers();
  const { db } = at.fresh;
  const audit = createAudit({ db: at.impatient, log, flushMs: 60_000 });
  audit.record({ action: "a.undone" });
  await at.loseAnswer("audit_log", () => audit.flush(), "undone");
  const count = async () => (await db.kysely.selectFrom("audit_log").select("seq").execute()).length;
  expect(await count()).toBe(0);
  await audit.close();
  expect(await count()).toBe(1);
}, 30_000);

test.each(["done", "undone"] as const)(
  "what a server stores last, by a commit that was %s, is stored once",
  async (commit) => {
    await using at = await openLosingAnswers();
    const { kysely } = at.fresh.db;
    const audit = createAudit({ db: at.impatient, log, flushMs: 60_000 });
    audit.record({ action: "a.last" });
    await at.loseAnswer("audit_log", () => audit.close(), commit);
    expect(await kysely.selectFrom("audit_log").select("action").execute()).toEqual([{ action: "a.last" }]);
    const ownerOf = () => ({ name: "adhoc", appId: null, orgId: null });
    const traffic = createTraffic({ db: at.impatient, log, ownerOf, retentionDays: 90, flushMs: 3_600_000 });
    // At once, after a quiet time.
    await at.loseAnswer(
      "traffic",
      async () => {
        traffic.onCounters([tunnelCounters("adhoc")]);
        await traffic.close();
      },
      commit,
    );
    const rows = await kysely.selectFrom("traffic").select("requests").where("name", "=", "adhoc").execute();
    // By minute, quarter of an hour and day.
    expect(rows).toEqual([{ requests: 1 }, { requests: 1 }, { requests: 1 }]);
  },
  60_000,
);

test("a registration that is tried again has its name back, whoever chose it, and not a second one", async () => {
  await using lossy = await openLosingAnswers();
  const { fresh, impatient } = lossy;
  const ada = await addAccount(fresh, "ada");
  const env = { MAX_TUNNELS_PER_ACCOUNT: "1" };
  // Nobody looks for what is over meanwhile.
  await using at = await openTestRegistry({ ...fresh, db: impatient }, { env, sweepMs: 60_000 });
  const registering = lossy.loseAnswer("leases", () => at.register(ada));
  const why = await registering.catch((error: unknown) => error);
  expect(why).toMatchObject({ mayBeDone: true });
  const request = new Request("http://localhost/_tunnel/register", { method: "POST" });
  // There is nothing for people to look at.
  expect(toAppError(why, undefined, request, log)).toMatchObject({
    ...{ code: "unavailable", retryable: true, message: "The server is not ready. Try again in a moment." },
  });
  const stored = await fresh.db.kysely.selectFrom("leases").select(["name", "tunnel_id"]).execute();
  const { subdomain, tunnelId } = await at.serve(ada);
  expect(stored).toEqual([{ name: subdomain, tunnel_id: tunnelId }]);
  const leases = () => fresh.db.kysely.selectFrom("leases").select(["name", "tunnel_id", "free_at"]).execute();
  await eventually(async () => (await leases())[0]?.free_at === null, "it is served");
  expect(await leases()).toEqual([{ ...stored[0]!, free_at: null }]);
}, 30_000);

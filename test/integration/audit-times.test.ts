// The audit log asked by time after the server's clock was wrong for a while, on both engines.

import { expect, test } from "bun:test";
import { createLogger } from "../../src/lib/log.ts";
import { anyAudit, readAudit } from "../../src/db/audit-log.ts";
import { createAudit } from "../../src/observe/audit.ts";
import { describeEngines } from "../helpers/databases.ts";

const log = createLogger({ level: "error", format: "text" });
const minutes = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => from + i);

describeEngines("the audit log by time", (open) => {
  test.each([
    ["was ahead for a moment", [...minutes(0, 10), ...minutes(60, 65), ...minutes(10, 20)], { toMs: 40 * 60_000 }],
    ["was ahead long ago", [0, 60, 1, 2, ...minutes(90, 250)], { toMs: 40 * 60_000 }],
    [
      "was behind for a moment",
      [...minutes(100, 110), ...minutes(50, 55), ...minutes(110, 120)],
      { fromMs: 60 * 60_000 },
    ],
  ])("what was written by the right clock is found, also when it %s", async (_what, written, range) => {
    await using fresh = await open();
    const audit = createAudit({ db: fresh.db, log, flushMs: 5 });
    for (const minute of written) audit.record({ action: "x.y", atMs: minute * 60_000 });
    await audit.close();
    const { fromMs = 0, toMs = Infinity } = range as { fromMs?: number; toMs?: number };
    const expected = written.filter((minute) => minute * 60_000 >= fromMs && minute * 60_000 <= toMs);
    for (const descending of [false, true]) {
      const page = { limit: 100, descending, after: null };
      const { rows, nextSeq } = await readAudit(fresh.db.kysely, { ...anyAudit, ...range }, page);
      const found = rows.map(({ at }) => at / 60_000);
      expect({ found: descending ? found.reverse() : found, nextSeq }).toEqual({ found: expected, nextSeq: null });
    }
  });
});

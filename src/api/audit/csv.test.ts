// CSV of audit entries: quoting, and texts that a spreadsheet would run.

import { describe, expect, test } from "bun:test";
import type { AuditRow } from "../../db/audit-log.ts";
import { csvHeader, csvLine } from "./csv.ts";

const row = (change: Partial<AuditRow>): AuditRow => ({
  ...{ seq: 1, id: "aud_1", at: 0, org_id: null, app_id: null, actor_id: null, actor_name: null, action: "a.b" },
  ...{ auth_type: null, success: 1, reason: null, address: null, identity: null, key_id: null, request_id: null },
  ...{ details_json: null, prev_hash: "", hash: "h" },
  ...change,
});

describe("security", () => {
  test("no cell is a formula, and no text breaks out of its cell", () => {
    for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx"]) {
      expect(csvLine(row({ identity: text }))).toContain(`'${text}`);
    }
    expect(csvLine(row({ reason: 'a "b", c\nd' }))).toContain('"a ""b"", c\nd"');
  });
});

test("a line has a cell per column", () => {
  const cells = csvLine(row({})).trimEnd().split(",");
  expect(cells).toHaveLength(csvHeader.split(",").length);
  expect(cells.slice(0, 3)).toEqual(["1970-01-01T00:00:00.000Z", "aud_1", "1"]);
});

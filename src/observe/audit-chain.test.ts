// Tests of what the hash of an audit entry covers: stored chains must verify for ever.

import { describe, expect, test } from "bun:test";
import type { AuditLogTable } from "../db/tables-record.ts";
import { auditHash } from "./audit-chain.ts";

const row: Omit<AuditLogTable, "hash" | "prev_hash"> = {
  ...{ seq: 7, id: "aud_1", at: 1_000, org_id: "org_1", app_id: "app_1", actor_id: "acc_1", actor_name: "ada" },
  ...{ action: "login.failed", auth_type: "password", success: 0, reason: "wrong", address: "192.0.2.1" },
  ...{ identity: "eve", key_id: null, request_id: "req_1", details_json: '{"a":1}' },
};

describe("security", () => {
  test("the hash covers the entry before and every column, in an order that never changes", () => {
    const text = String.raw`before
[7,"aud_1",1000,"org_1","app_1","acc_1","ada","login.failed","password",0,"wrong","192.0.2.1","eve",null,"req_1","{\"a\":1}"]`;
    expect(auditHash("before", row)).toBe(new Bun.CryptoHasher("sha256").update(text).digest("hex"));
  });
});

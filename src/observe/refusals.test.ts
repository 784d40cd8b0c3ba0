// Refusals: which entries they are, how they read, and that a flood of one visitor is one entry a minute.

import { describe, expect, test } from "bun:test";
import type { AuditEntry } from "./audit.ts";
import { createShardAudit, isRefusal, toRefusal } from "./refusals.ts";

const refusal = {
  type: "refusal" as const,
  name: "myapp",
  appId: "app_1",
  orgId: "org_1",
  rule: "address_denied",
  address: "192.0.2.1",
  identity: null,
  requestId: "r1",
  atMs: 1_000_000,
};

describe("refusals", () => {
  test("are failures of visitors and agents", () => {
    expect(isRefusal({ action: "visitor.auth", success: false })).toBe(true);
    expect(isRefusal({ action: "tunnel.refused", success: false })).toBe(true);
    expect(isRefusal({ action: "visitor.auth", success: true })).toBe(false);
    expect(isRefusal({ action: "visitor.auth" })).toBe(false);
    expect(isRefusal({ action: "login.failed", success: false })).toBe(false);
  });

  test("name the tunnel and the rule", () => {
    const atMs = 0;
    const agent = { action: "tunnel.refused", reason: "name_taken", identity: "myapp", actorName: "ada", atMs };
    expect(toRefusal(agent)).toMatchObject({ name: "myapp", rule: "name_taken", identity: "ada" });
    const visitor = { action: "visitor.auth", identity: "bob", details: { name: "shop" }, atMs };
    expect(toRefusal(visitor)).toMatchObject({ name: "shop", rule: "visitor.auth", identity: "bob" });
  });
});

describe("audit of the shards", () => {
  const record = (events: Parameters<ReturnType<typeof createShardAudit>["onEvents"]>[1]): AuditEntry[] => {
    const entries: AuditEntry[] = [];
    createShardAudit({ record: (entry) => void entries.push(entry) }).onEvents(0, events);
    return entries;
  };

  test("records who was refused and admitted", () => {
    const [first, second, third] = record([
      refusal,
      { ...refusal, type: "admitted", rule: "api_key", identity: "deploy" },
      { ...refusal, name: "", appId: null, orgId: null, rule: "bad_ticket" },
    ]);
    expect(first).toMatchObject({
      action: "visitor.refused",
      success: false,
      reason: "address_denied",
      appId: "app_1",
    });
    expect(second).toMatchObject({ action: "visitor.admitted", success: true, identity: "deploy" });
    expect(third).toMatchObject({ action: "tunnel.session_refused", success: false, reason: "bad_ticket" });
  });

  test("records the same once a minute", () => {
    const flood = Array.from({ length: 5_000 }, (_, i) => ({ ...refusal, atMs: refusal.atMs + i * 20 }));
    expect(record(flood)).toHaveLength(2);
    expect(record([refusal, { ...refusal, address: "192.0.2.2" }, { ...refusal, rule: "other" }])).toHaveLength(3);
  });
});

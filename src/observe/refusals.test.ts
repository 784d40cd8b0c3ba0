// Refusals: which entries they are, how they read, and which of them are the same.

import { describe, expect, test } from "bun:test";
import type { AuditEntry } from "./audit.ts";
import { createShardAudit, isRefusal, repeatKeyOf, toRefusal } from "./refusals.ts";

const refusal = {
  type: "refusal" as const,
  name: "myapp",
  appId: "app_1",
  orgId: "org_1",
  rule: "address_denied",
  address: "192.0.2.1",
  authType: null,
  identity: null,
  requestId: "r1",
  atMs: 1_000_000,
  times: 1,
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
    const where = { appId: "app_1", address: "192.0.2.1", requestId: "r1" };
    expect(toRefusal({ ...visitor, ...where })).toMatchObject({ ...where, time: "1970-01-01T00:00:00.000Z" });
  });
});

describe("audit of the shards", () => {
  const record = (events: Parameters<ReturnType<typeof createShardAudit>["onEvents"]>[1]): AuditEntry[] => {
    const entries: AuditEntry[] = [];
    createShardAudit({ record: (entry) => void entries.push(entry) }).onEvents(0, events);
    return entries;
  };

  test("records who was refused, how often, and with which credential", () => {
    const { name: _, ...common } = refusal;
    const whose = { tunnelId: "tun_1", name: "myapp", accountId: "acc_1", keyId: null };
    const [first, second, third] = record([
      refusal,
      { ...refusal, rule: "wrong_key", authType: "api_key", times: 40 },
      { ...common, ...whose, type: "session.refused", rule: "replaced" },
    ]);
    expect(first).toMatchObject({
      ...{ action: "visitor.refused", success: false, reason: "address_denied", appId: "app_1" },
      details: { name: "myapp" },
    });
    expect(second).toMatchObject({
      ...{ action: "visitor.auth", authType: "api_key", success: false, reason: "wrong_key" },
      details: { name: "myapp", times: 40 },
    });
    expect(third).toMatchObject({
      ...{ action: "tunnel.session_refused", success: false, reason: "replaced", identity: "myapp", actorId: "acc_1" },
      details: { tunnelId: "tun_1" },
    });
    expect(toRefusal({ ...third!, atMs: 0 })).toMatchObject({ name: "myapp", rule: "replaced" });
    const [unknown] = record([{ ...common, ...whose, tunnelId: null, type: "session.refused", rule: "bad_ticket" }]);
    expect(unknown!.details).toBeNull();
  });
});

test("what a stranger makes up makes no refusal another one, and neither does another address of his network", () => {
  const entry = {
    action: "tunnel.refused",
    reason: "bad_token",
    address: "2001:db8::1",
    identity: "a",
    requestId: "1",
  };
  const key = repeatKeyOf(entry);
  expect(repeatKeyOf({ ...entry, address: "2001:db8::2", identity: "b", requestId: "2" })).toBe(key);
  for (const other of [
    ...[{ action: "tunnel.opened" }, { reason: "rate_limited" }, { authType: "ticket" }, { orgId: "org_1" }],
    ...[{ appId: "app_1" }, { actorId: "acc_1" }, { keyId: "key_1" }, { address: "2001:db8:0:1::1" }],
    { details: { name: "shop" } },
  ])
    expect({ other, key: repeatKeyOf({ ...entry, ...other }) }).not.toEqual({ other, key });
});

// Loads of organizations over shards: the sum counts, and others' loads are not one's own.

import { describe, expect, test } from "bun:test";
import { createLoadMemory, OrganizationLoad } from "./organization-load.ts";

describe("security", () => {
  test("an organization is full by what all shards carry of it, and not by what they carry of others", () => {
    const memory = createLoadMemory(2);
    const [one, two] = [0, 1].map((shard) => new OrganizationLoad(memory, shard, 2)) as [
      OrganizationLoad,
      OrganizationLoad,
    ];
    one.add("org_full", 1);
    two.add(null, 1);
    expect([one.isFull("org_full"), two.isFull("org_full")]).toEqual([false, false]);
    two.add("org_full", 1);
    expect([one.isFull("org_full"), two.isFull("org_full"), two.isFull(null)]).toEqual([true, true, false]);
    // Those who share one of its buckets are dozens.
    const others = Array.from({ length: 40_000 }, (_, i) => `org_${i}`).filter((id) => one.isFull(id));
    expect(others.length).toBeLessThan(2);
    one.add("org_full", -1);
    expect([one.isFull("org_full"), two.isFull("org_full")]).toEqual([false, false]);
  });
});

// An account that is moved takes its names with it, and nothing of what passed through them: on both engines.

import { describe, expect, test } from "bun:test";
import { createTunnelDirectory } from "../../src/api/live/directory.ts";
import type { Queryable } from "../../src/db/database.ts";
import { describeEngines } from "../helpers/databases.ts";
import { closed, historyOf } from "../helpers/registry-facts.ts";
import { addAccount, addOrganization, openTestRegistry } from "../helpers/test-registry.ts";

describeEngines("names of an account that is moved", (open) => {
  describe("security", () => {
    test.each([
      ["its sessions are still closing", false, { subdomain: "mine" }, {}],
      ["it has been away for a moment", true, { subdomain: "mine" }, {}],
      ["the server chose the name", true, {}, {}],
      ["it is a port", true, { protocol: "tcp" }, { TCP_PORTS: "7001" }],
    ] as const)("are new tunnels for the new organization: %s", async (_when, isAway, wish, env) => {
      await using fresh = await open();
      const [acme, globex] = [await addOrganization(fresh, "acme"), await addOrganization(fresh, "globex")];
      const ada = await addAccount(fresh, "ada", acme);
      await using at = await openTestRegistry(fresh, { env });
      const before = await at.serve(ada, wish);
      const move = (db: Queryable) =>
        db.updateTable("accounts").set({ org_id: globex }).where("id", "=", ada.id).execute();
      if (isAway) {
        await at.change("account", ada.id, globex, move);
        await closed(at, before.tunnelId);
      } else await move(fresh.db.kysely);
      const after = await at.serve(ada, wish);
      expect(after.url).toBe(before.url);
      // Captured requests and totals are a tunnel's: whose tunnel it is decides who sees them.
      const directory = createTunnelDirectory(at.registry);
      expect(directory.within(globex).map(({ id, orgId }) => [id, orgId])).toEqual([[after.tunnelId, globex]]);
      expect(directory.find(globex, before.tunnelId)).toBeNull();
      expect(before.tunnelId).not.toBe(after.tunnelId);
      await at.registry.stop();
      const histories = [await historyOf(fresh, before), await historyOf(fresh, after)];
      expect(histories).toMatchObject([
        { org_id: acme, closed_at: at.clock.nowMs },
        { org_id: globex, closed_at: null },
      ]);
    });
  });
});

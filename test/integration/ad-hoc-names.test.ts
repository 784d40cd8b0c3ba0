// Names that are leased and no application's: whose policy holds there, and which keys open them, on both engines.

import { describe, expect, test } from "bun:test";
import { hashToken } from "../../src/auth/tokens.ts";
import { takeLease } from "../../src/db/leases.ts";
import { findNameOwner, findVisitorKey } from "../../src/db/policies.ts";
import { describeEngines } from "../helpers/databases.ts";
import { acmeOf } from "../helpers/registry-facts.ts";
import { addKey, addOrganization } from "../helpers/test-registry.ts";

describeEngines("ad-hoc names", (open) => {
  describe("security", () => {
    test("belong to the organization that their account is in now, whatever it was in when it leased them", async () => {
      await using fresh = await open();
      const { kysely } = fresh.db;
      const { ada, orgId } = await acmeOf(fresh);
      const otherOrgId = await addOrganization(fresh, "other");
      const lease = {
        ...{ name: "adhoc", kind: "http" as const, holder_id: ada.id, account_id: ada.id, key_id: null, org_id: orgId },
        ...{ app_id: null, agent_id: "a", generation: 1, tunnel_id: "tun_1", random: 0 as const, taken_at: 1 },
        ...{ target: null, free_at: null },
      };
      expect(await takeLease(kysely, lease, 1)).toBe(true);
      for (const org_id of [orgId, otherOrgId, null]) {
        await kysely.updateTable("accounts").set({ org_id }).where("id", "=", ada.id).execute();
        expect(await findNameOwner(kysely, "adhoc")).toMatchObject({ appId: null, orgId: org_id, isActive: true });
      }
    });

    test("are opened by visitors' keys of the organization, and by none of one application", async () => {
      await using fresh = await open();
      const { orgId, shop } = await acmeOf(fresh);
      const [ofAll, ofShop] = [
        await addKey(fresh, orgId, { scope: "visitor" }),
        await addKey(fresh, orgId, { scope: "visitor", app_id: shop }),
      ];
      const opens = async ({ token }: { token: string }, appId: string | null) =>
        (await findVisitorKey(fresh.db.kysely, { hash: hashToken(token), orgId, appId, nowMs: 1 })) !== null;
      expect([await opens(ofAll, null), await opens(ofAll, shop)]).toEqual([true, true]);
      expect([await opens(ofShop, null), await opens(ofShop, shop)]).toEqual([false, true]);
    });
  });
});

// Organizations that are deleted, and live tunnels, on both engines.

import { test, expect } from "bun:test";
import { deleteOrganization } from "../../src/db/organizations.ts";
import { describeEngines } from "../helpers/databases.ts";
import { acmeOf, closed } from "../helpers/registry-facts.ts";
import { addKey, addOrganization, openTestRegistry } from "../helpers/test-registry.ts";

describeEngines("organizations and live tunnels", (open) => {
  test("an organization that is deleted takes the tunnels of its keys along, by its change or by a call, and no other", async () => {
    await using fresh = await open();
    const { ada } = await acmeOf(fresh);
    const orgId = await addOrganization(fresh, "leaving");
    const key = await addKey(fresh, orgId);
    await using at = await openTestRegistry(fresh);
    const [stays, leaves] = [await at.serve(ada, { subdomain: "stays" }), await at.serve(key, { subdomain: "leaves" })];
    await at.registry.disconnect({ orgId }, "credential_revoked");
    await closed(at, leaves.tunnelId);
    await at.serve(key, { subdomain: "leaves", generation: 2 });
    await at.change("organization", orgId, orgId, (trx) => deleteOrganization(trx, orgId));
    await closed(at, leaves.tunnelId);
    expect(at.shards.sessionsOf(stays.tunnelId)).toHaveLength(1);
  });
});

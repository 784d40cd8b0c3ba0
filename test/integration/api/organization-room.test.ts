// How many applications, keys and members one organization may have.

import { describe, expect, test } from "bun:test";
import { openAcme } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";

describeEngines("the room of an organization", (open) => {
  describe("security", () => {
    test.each([
      ["applications", "applications", (n: number) => ({ subdomain: `shop-${n}`, name: "Shop" })],
      ["api-keys", "API keys", (n: number) => ({ description: `key ${n}` })],
      ["accounts", "members", (n: number) => ({ username: `person-${n}` })],
    ])(
      "has an end for %s, however many are made at once and by whom, and only for itself",
      async (path, what, make) => {
        const room = { applications: 3, api_keys: 3, accounts: 5 };
        await using acme = await openAcme(open, { settings: { room } });
        const { asBoss, asAdmin, orgId, otherBoss } = acme;
        let made = 0;
        const add = () => asBoss("POST", `/org/${path}`, make(++made));
        const answers = await Promise.all(Array.from({ length: 5 }, add));
        // Acme has its admin and a member already.
        const refused = answers.filter(({ status }) => status !== 201);
        expect(refused.map(({ status }) => status)).toEqual([409, 409]);
        expect(refused[0]!.body["error"]).toMatchObject({
          code: "conflict",
          message: expect.stringMatching(
            new RegExp(
              `^The organization has \\d ${what}.*: as many as it may have \\(MAX_\\w+_PER_ORGANIZATION\\)\\. Delete some first\\.$`,
            ),
          ),
        });
        expect((await asAdmin("POST", `/admin/${path}`, { orgId, ...make(++made) })).status).toBe(409);
        expect((await acme.as(otherBoss)("POST", `/org/${path}`, make(++made))).status).toBe(201);
        const list = (await asBoss("GET", `/org/${path}`)).body;
        const [one] = (list["applications"] ?? list["keys"] ?? list["accounts"]) as { id: string }[];
        const hard = path === "accounts" ? "/hard" : "";
        expect((await asBoss("DELETE", `/org/${path}/${one!.id}${hard}`)).status).toBe(200);
        expect([(await add()).status, (await add()).status]).toEqual([201, 409]);
      },
    );
  });
});

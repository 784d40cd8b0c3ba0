// An account that is moved while an admin of its organization changes it, on both engines.

import { describe, expect, test } from "bun:test";
import { sql } from "kysely";
import { findAccount } from "../../../src/db/accounts.ts";
import { createTestApi } from "../../helpers/api.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { eventually } from "../../helpers/eventually.ts";
import { createOrganization, createPerson } from "../../helpers/people.ts";

describeEngines("an account that is being moved", (open, engine) => {
  describe("security", () => {
    test("its old organization's admin can't make it an admin of the new one, nor deactivate or delete it there", async () => {
      await using database = await open();
      const api = createTestApi(database);
      const { db } = database;
      const [from, to] = [await createOrganization(api, "From"), await createOrganization(api, "To")];
      const { session } = await createPerson(api, { username: "boss", orgId: from, isOrgAdmin: true });
      const isWaiting = async (): Promise<boolean> => {
        const query = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
        return (await query.execute(db.kysely)).rows.length > 0;
      };
      for (const [method, path, body] of [
        ["PUT", "/org-admin", { isOrgAdmin: true }],
        ["DELETE", "", undefined],
        ["DELETE", "/hard", undefined],
      ] as const) {
        const { id } = await createPerson(api, { username: `moved${path.slice(1)}`, orgId: from, login: false });
        let isAnswered = false;
        const { answer } = await db.transaction(async (trx) => {
          await trx.updateTable("accounts").set({ org_id: to }).where("id", "=", id).execute();
          const call = api.call(method, `/org/accounts/${id}${path}`, { session, ...(body && { body }) });
          const ended = call.finally(() => (isAnswered = true));
          // SQLite has one transaction at a time.
          if (engine === "postgres") await eventually(async () => isAnswered || (await isWaiting()), "the call waits");
          return { answer: ended };
        });
        expect([path, (await answer).status]).toEqual([path, 404]);
        expect(await findAccount(db.kysely, id)).toMatchObject({ orgId: to, isOrgAdmin: false, active: true });
      }
    });
  });
});

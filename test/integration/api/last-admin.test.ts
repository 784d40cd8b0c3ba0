// That an admin always remains, however many are removed at once, on both engines.

import { expect, test } from "bun:test";
import { sql } from "kysely";
import { countOtherActiveAdmins } from "../../../src/db/accounts.ts";
import { createTestApi } from "../../helpers/api.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { eventually } from "../../helpers/eventually.ts";
import { createPerson } from "../../helpers/people.ts";

describeEngines("the last admin", (open, engine) => {
  test("whoever counts the admins that are left waits for another who is about to remove one", async () => {
    await using database = await open();
    const api = createTestApi(database);
    const { db } = database;
    const [one, two] = [
      await createPerson(api, { username: "leaving1", isAdmin: true, login: false }),
      await createPerson(api, { username: "leaving2", isAdmin: true, login: false }),
    ];
    const isWaiting = async (): Promise<boolean> => {
      const query = sql`select 1 from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`;
      return (await query.execute(db.kysely)).rows.length > 0;
    };
    let isCounted = false;
    let other: Promise<number> | undefined;
    const left = await db.transaction(async (trx) => {
      const count = await countOtherActiveAdmins(trx, one.id);
      other = db.transaction((later) => countOtherActiveAdmins(later, two.id)).finally(() => (isCounted = true));
      // SQLite has one transaction at a time.
      if (engine === "postgres") await eventually(async () => isCounted || (await isWaiting()), "the other one waits");
      await trx.updateTable("accounts").set({ active: 0 }).where("id", "=", one.id).execute();
      return count;
    });
    expect(await other).toBe(left - 1);
  });
});

// What ends an event stream, in the moments that are easily missed.

import { describe, expect, spyOn, test } from "bun:test";
import { openAcme } from "../../helpers/acme.ts";
import { describeEngines } from "../../helpers/databases.ts";
import { readEvents } from "../../helpers/read-events.ts";

describeEngines("end of an event stream", (open) => {
  describe("security", () => {
    test("a reader that is logged out while it is being looked at is looked at again", async () => {
      await using acme = await openAcme(open);
      const { api, member, database } = acme;
      const { db } = database;
      await db.changes.start();
      // Nobody looks by the clock.
      const clock = spyOn(globalThis, "setInterval").mockImplementation((() => 0) as never);
      const response = await api.open("GET", "/org/events", { session: member.session });
      clock.mockRestore();
      const body = { session: member.session, body: {} };
      const looked = Promise.withResolvers<void>();
      // The last that a look does: by now it has found the session alive.
      api.clock.nowMs += 61_000;
      const touched = spyOn(db.kysely, "updateTable").mockImplementationOnce((() => ({
        set: () => ({
          where: () => ({
            async execute() {
              touched.mockRestore();
              expect((await api.call("POST", "/auth/logout", body)).status).toBe(200);
              await db.changes.caughtUp();
              looked.resolve();
            },
          }),
        }),
      })) as never);
      await db.transaction((trx) => db.changes.record(trx, { kind: "account", refId: member.id, action: "updated" }));
      await looked.promise;
      expect(await readEvents(response)).toEqual([]);
    });
  });
});

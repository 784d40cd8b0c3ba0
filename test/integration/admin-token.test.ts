// ADMIN_TOKEN: an admin whose API token is the setting, on both engines.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { findAccountByTokenHash, findAccountByUsername, insertAccount, updateAccount } from "../../src/db/accounts.ts";
import { createDatabase, type Database } from "../../src/db/database.ts";
import { insertOrganization } from "../../src/db/organizations.ts";
import { AppError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/lib/log.ts";
import { createAudit } from "../../src/observe/audit.ts";
import { bootstrapAdminToken } from "../../src/operator/admin-token.ts";
import { describeEngines } from "../helpers/databases.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const log = createLogger({ level: "error", format: "json", write: () => {} });
const auditOf = (db: Database) => createAudit({ db, log, flushMs: 5 });

const actionsOf = async (db: Database) =>
  (await db.kysely.selectFrom("audit_log").select(["action", "actor_name", "auth_type"]).orderBy("seq").execute()).map(
    (row) => `${row.action} ${row.actor_name} ${row.auth_type}`,
  );

const refusalOf = (work: Promise<unknown>): Promise<AppError> =>
  work.then(
    () => Promise.reject(new Error("was not refused")),
    (error: unknown) => (error instanceof AppError ? error : Promise.reject(error as Error)),
  );

describeEngines("ADMIN_TOKEN", (open) => {
  test("ADMIN_TOKEN makes the account admin once, follows its value, and survives starts at the same time", async () => {
    await using fresh = await open();
    const audit = auditOf(fresh.db);
    const other = await createDatabase(fresh.options);
    const otherAudit = auditOf(other);
    const [first, second] = ["first value of the token, 32 long", "second value of the token, longer"];
    const outcomes = await Promise.all([
      bootstrapAdminToken(fresh.db, audit, first, 1_000),
      bootstrapAdminToken(other, otherAudit, first, 1_000),
    ]);
    expect(outcomes.sort()).toEqual(["created", "unchanged"]);
    expect(await bootstrapAdminToken(fresh.db, audit, first, 2_000)).toBe("unchanged");
    const made = await findAccountByTokenHash(fresh.db.kysely, sha256(first));
    expect(made).toMatchObject({ username: "admin", isAdmin: true, active: true, passwordHash: null });
    expect(await bootstrapAdminToken(fresh.db, audit, second, 3_000)).toBe("changed");
    expect(await findAccountByTokenHash(fresh.db.kysely, sha256(first))).toBeNull();
    expect((await findAccountByTokenHash(fresh.db.kysely, sha256(second)))?.id).toBe(made!.id);
    await updateAccount(fresh.db.kysely, made!.id, { active: 0 });
    expect(await bootstrapAdminToken(fresh.db, audit, second, 4_000)).toBe("inactive");
    expect(await findAccountByUsername(fresh.db.kysely, "admin")).toMatchObject({ active: false });
    expect(await actionsOf(fresh.db)).toEqual([
      "account.created ADMIN_TOKEN token",
      "account.token_changed ADMIN_TOKEN token",
    ]);
    await audit.close();
    await otherAudit.close();
    await other.close();
  });

  describe("security", () => {
    test("ADMIN_TOKEN raises no ordinary account, and shares no other account's token", async () => {
      await using fresh = await open();
      const audit = auditOf(fresh.db);
      const bootstrap = (token: string) => bootstrapAdminToken(fresh.db, audit, token, 1_000);
      await insertOrganization(fresh.db.kysely, {
        ...{ id: "org_1", name: "Acme", name_key: "acme", require_totp: 0, created_at: 0 },
      });
      const member = { passwordHash: null, isAdmin: false, isOrgAdmin: false, orgId: "org_1", createdAtMs: 0 };
      await fresh.db.transaction(async (trx) => {
        await insertAccount(trx, { ...member, id: "acc_1", username: "Admin", usernameKey: "admin", tokenHash: null });
        await insertAccount(trx, {
          ...member,
          id: "acc_2",
          username: "eve",
          usernameKey: "eve",
          tokenHash: sha256("t".repeat(32)),
        });
      });
      expect((await refusalOf(bootstrap("x".repeat(32)))).message).toContain("no system administrator");
      expect(await findAccountByUsername(fresh.db.kysely, "admin")).toMatchObject({ isAdmin: false, orgId: "org_1" });
      await updateAccount(fresh.db.kysely, "acc_1", { username: "someone", username_key: "someone" });
      expect((await refusalOf(bootstrap("t".repeat(32)))).message).toContain("another account");
      expect((await refusalOf(bootstrap("x".repeat(31)))).code).toBe("validation");
      expect(await findAccountByUsername(fresh.db.kysely, "admin")).toBeNull();
      await audit.close();
    });
  });
});

// The operator's commands on both engines: accounts, the system's list, the audit log.

import { describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { sql } from "kysely";
import { openOperator } from "../../src/admin.ts";
import { parseToken } from "../../src/auth/tokens.ts";
import { findAccountByTokenHash, findAccountByUsername, updateAccount } from "../../src/db/accounts.ts";
import type { Change } from "../../src/db/changes.ts";
import { type Database } from "../../src/db/database.ts";
import { insertPendingLogin, replaceRecoveryCodes, useTotpStep } from "../../src/db/second-factors.ts";
import { findLiveSession, insertSession } from "../../src/db/sessions.ts";
import { AppError } from "../../src/lib/errors.ts";
import type { AuditLogTable } from "../../src/db/tables-record.ts";
import { exportLine, verifyChain } from "../../src/observe/audit-chain.ts";
import { createExportFrame } from "../../src/observe/audit-export.ts";
import { describeEngines, type TestDatabase } from "../helpers/databases.ts";
import { eventually } from "../helpers/eventually.ts";

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

function operatorOf({ options }: TestDatabase, env: Record<string, string> = {}) {
  const secrets = { JWT_SECRET: "j".repeat(32), ENCRYPTION_KEY: "e".repeat(32) };
  const storage = options.url === null ? { DB_PATH: options.path } : { DATABASE_URL: options.url, ...secrets };
  return openOperator({ ...storage, BCRYPT_COST: "4", ...env });
}

const refusalOf = (work: Promise<unknown>): Promise<AppError> =>
  work.then(
    () => Promise.reject(new Error("was not refused")),
    (error: unknown) => (error instanceof AppError ? error : Promise.reject(error as Error)),
  );

/** Gives an account a second factor, a session, and a half-done login. */
async function enrol(db: Database, username: string, nowMs = Date.now()): Promise<string> {
  const { id } = (await findAccountByUsername(db.kysely, username))!;
  await db.transaction(async (trx) => {
    await updateAccount(trx, id, { totp_secret: "v1.k.sealed", totp_enrolled_at: nowMs });
    await replaceRecoveryCodes(trx, id, ["code-a", "code-b"], nowMs);
    await useTotpStep(trx, id, 7, nowMs);
  });
  const common = { account_id: id, created_at: nowMs, expires_at: nowMs + 3_600_000 };
  await insertSession(db.kysely, {
    ...common,
    ...{ id: `ses_${username}`, session_hash: `hash-${username}`, user_agent: "test", last_seen_at: nowMs },
    address: "192.0.2.1",
    revoked_at: null,
  });
  await insertPendingLogin(db.kysely, {
    ...common,
    ...{ token_hash: `pending-${username}`, kind: "totp", totp_secret: null },
  });
  return id;
}

const rowsOf = async (
  db: Database,
  table: "recovery_codes" | "totp_used_steps" | "pending_logins",
  accountId: string,
) => (await db.kysely.selectFrom(table).select("account_id").where("account_id", "=", accountId).execute()).length;

const actionsOf = async (db: Database) =>
  (await db.kysely.selectFrom("audit_log").select(["action", "actor_name", "auth_type"]).orderBy("seq").execute()).map(
    (row) => `${row.action} ${row.actor_name} ${row.auth_type}`,
  );

describeEngines("operator", (open) => {
  test("an administrator is made with a token and, if asked, an address; the running server hears of it", async () => {
    await using fresh = await open();
    const heard: Change[] = [];
    await fresh.db.changes.start();
    fresh.db.changes.subscribe((changes) => void heard.push(...changes));
    await using operator = await operatorOf(fresh);
    const { token } = await operator.createAdmin(" Alice ", "192.0.2.7/32");
    expect(parseToken(token)).toBe("dlt");
    const account = await findAccountByTokenHash(fresh.db.kysely, sha256(token));
    expect(account).toMatchObject({
      username: "Alice",
      usernameKey: "alice",
      isAdmin: true,
      orgId: null,
      active: true,
    });
    expect(await operator.listAdmins()).toEqual([{ name: "Alice", active: true, hasPassword: false, totp: false }]);
    expect(await operator.allowed()).toEqual([{ cidr: "192.0.2.7", description: "Of Alice", source: "database" }]);
    await eventually(() => heard.length === 2, "both changes are heard");
    expect(heard.map(({ kind, action }) => `${kind} ${action}`).sort()).toEqual([
      "account created",
      "whitelist created",
    ]);
    expect(await actionsOf(fresh.db)).toEqual(["account.created operator shell", "whitelist.added operator shell"]);
    expect(await verifyChain(fresh.db)).toMatchObject({ intact: true, rows: 2 });
  });

  test("an ordinary account is no administrator and in no organization", async () => {
    await using fresh = await open();
    await using operator = await operatorOf(fresh);
    const { token } = await operator.createAccount("bob");
    expect(await findAccountByTokenHash(fresh.db.kysely, sha256(token))).toMatchObject({ isAdmin: false, orgId: null });
    expect(await operator.listAdmins()).toEqual([]);
  });

  test("an account gets a new token: the old one is void, the running server hears of it, logins stay", async () => {
    await using fresh = await open();
    await using operator = await operatorOf(fresh);
    const first = await operator.createAccount("bob");
    const id = await enrol(fresh.db, "bob");
    const heard: Change[] = [];
    await fresh.db.changes.start();
    fresh.db.changes.subscribe((changes) => void heard.push(...changes));
    const second = await operator.changeToken("Bob");
    expect(parseToken(second.token)).toBe("dlt");
    expect(await findAccountByTokenHash(fresh.db.kysely, sha256(first.token))).toBeNull();
    expect(await findAccountByTokenHash(fresh.db.kysely, sha256(second.token))).toMatchObject({ id });
    expect(await findLiveSession(fresh.db.kysely, "hash-bob", id, Date.now())).not.toBeNull();
    await eventually(() => heard.some(({ kind, refId }) => kind === "account" && refId === id), "the change is heard");
    expect(await actionsOf(fresh.db)).toEqual([
      "account.created operator shell",
      "account.token_changed operator shell",
    ]);
    expect((await refusalOf(operator.changeToken("nobody"))).code).toBe("not_found");
  });

  test("what can't be is refused, and leaves nothing behind", async () => {
    await using fresh = await open();
    await using operator = await operatorOf(fresh);
    await operator.createAccount("bob");
    expect((await refusalOf(operator.createAdmin("BOB", null))).code).toBe("conflict");
    expect((await refusalOf(operator.createAdmin("x", null))).code).toBe("validation");
    expect((await refusalOf(operator.createAdmin("carol", "192.0.2.300"))).code).toBe("validation");
    const unknown = [() => operator.resetTotp("nobody"), () => operator.setPassword("nobody", "quiet-river-stone")];
    for (const work of unknown)
      expect(await refusalOf(work())).toMatchObject({ code: "not_found", message: "There is no account nobody." });
    expect((await refusalOf(operator.setPassword("bob", "short"))).code).toBe("validation");
    expect(await operator.listAdmins()).toEqual([]);
    expect(await actionsOf(fresh.db)).toEqual(["account.created operator shell"]);
  });

  test("ranges are added once, listed with those of the environment, and removed", async () => {
    await using fresh = await open();
    await using operator = await operatorOf(fresh, { AGENT_WHITELIST: "10.0.0.0/8" });
    expect(await operator.allow("192.0.2.77/24", "office")).toEqual({ cidr: "192.0.2.0/24", warning: null });
    await operator.allow("192.0.2.0/24", "again");
    expect((await operator.allow("2001:DB8::1", "")).cidr).toBe("2001:db8::1");
    expect((await operator.allow("0.0.0.0/0", "")).warning).toContain("every IPv4 address");
    expect((await operator.allow("2000::/3", "")).warning).toContain("wide");
    expect(
      (await operator.allowed()).map(({ cidr, description, source }) => `${cidr} ${description} ${source}`),
    ).toEqual(expect.arrayContaining(["10.0.0.0/8 AGENT_WHITELIST env", "192.0.2.0/24 office database"]));
    expect(await operator.allowed()).toHaveLength(5);
    await operator.disallow("192.0.2.0/24");
    expect(await operator.allowed()).toHaveLength(4);
    expect((await refusalOf(operator.disallow("192.0.2.0/24"))).code).toBe("not_found");
    expect((await refusalOf(operator.disallow("10.0.0.0/8"))).message).toContain("AGENT_WHITELIST");
    expect((await refusalOf(operator.allow("10.0.0.0/8", "a\nb"))).code).toBe("validation");
    expect((await refusalOf(operator.allow("everywhere", ""))).message).toContain("everywhere");
  });

  test("the audit log of the database, and an export of it, are verified", async () => {
    await using fresh = await open();
    await using operator = await operatorOf(fresh);
    for (const name of ["alice", "bob", "carol"]) await operator.createAccount(name);
    expect(await operator.verifyAudit(null)).toEqual({ intact: true, rows: 3 });
    const folder = mkdtempSync(join(tmpdir(), "digit-link-export-"));
    try {
      const rows = await fresh.db.kysely.selectFrom("audit_log").selectAll().orderBy("seq").execute();
      const write = (name: string, kept: AuditLogTable[], change = (text: string): string => text): string => {
        const frame = createExportFrame({ filters: {}, nowMs: Date.now });
        const begin = frame.begin({ seq: 0, hash: "" }, kept[0]);
        frame.passed(kept);
        const lines = [JSON.stringify(begin), ...kept.map(exportLine), JSON.stringify(frame.end())];
        writeFileSync(join(folder, name), change(`${lines.join("\n")}\n`));
        return join(folder, name);
      };
      const whole = write("whole", rows);
      expect(await operator.verifyAudit(whole)).toEqual({ intact: true, rows: 3 });
      expect(await operator.verifyAudit(whole, true)).toEqual({ intact: true, rows: 3 });
      expect(await operator.verifyAudit(write("cut", rows.toSpliced(1, 1)))).toMatchObject({ intact: false, seq: 3 });
      const older = write("older", rows, (text) => text.split("\n").slice(1, -2).join("\n"));
      expect(await operator.verifyAudit(older)).toMatchObject({ intact: false, unproven: true });
      // Ends that were made to fit: only the database knows better.
      const forged = write("forged", rows.slice(1));
      expect(await operator.verifyAudit(forged)).toEqual({ intact: true, rows: 2 });
      expect(await operator.verifyAudit(forged, true)).toMatchObject({ intact: false, seq: 2 });
      await using other = await open();
      await using stranger = await operatorOf(other);
      await stranger.createAccount("dave");
      expect(await stranger.verifyAudit(whole, true)).toMatchObject({ intact: false, seq: 3 });
      expect((await refusalOf(operator.verifyAudit(write("none", [], () => "")))).message).toContain("no audit entry");
      expect((await refusalOf(operator.verifyAudit(join(folder, "nowhere")))).message).toContain("cannot be read");
    } finally {
      rmSync(folder, { recursive: true });
    }
    await sql`update audit_log set actor_name = 'mallory' where seq = 2`.execute(fresh.db.kysely);
    expect(await operator.verifyAudit(null)).toMatchObject({ intact: false, seq: 2 });
  });

  describe("security", () => {
    test("reset-totp and set-password end every session and half-done login, of that account alone", async () => {
      await using fresh = await open();
      await using operator = await operatorOf(fresh);
      for (const name of ["alice", "bob", "carol"]) await operator.createAdmin(name, null);
      const ids = new Map<string, string>();
      for (const name of ["alice", "bob", "carol"]) ids.set(name, await enrol(fresh.db, name));
      const isLive = async (name: string) =>
        (await findLiveSession(fresh.db.kysely, `hash-${name}`, ids.get(name)!, Date.now())) !== null;

      await operator.resetTotp("Alice");
      await operator.setPassword("bob", "quiet-river-stone");
      expect([await isLive("alice"), await isLive("bob"), await isLive("carol")]).toEqual([false, false, true]);
      for (const [name, left] of [
        ["alice", 0],
        ["bob", 0],
        ["carol", 1],
      ] as const)
        expect(await rowsOf(fresh.db, "pending_logins", ids.get(name)!)).toBe(left);
      const [alice, bob] = [ids.get("alice")!, ids.get("bob")!];
      expect(await rowsOf(fresh.db, "recovery_codes", alice)).toBe(0);
      expect(await rowsOf(fresh.db, "totp_used_steps", alice)).toBe(0);
      expect(await findAccountByUsername(fresh.db.kysely, "alice")).toMatchObject({ totpSecret: null });
      // A new password is no second factor.
      expect(await rowsOf(fresh.db, "recovery_codes", bob)).toBe(2);
      const after = await findAccountByUsername(fresh.db.kysely, "bob");
      expect(after?.totpSecret).not.toBeNull();
      expect(await Bun.password.verify("quiet-river-stone", after?.passwordHash ?? "")).toBe(true);
      expect((await actionsOf(fresh.db)).slice(3)).toEqual([
        "account.totp_reset operator shell",
        "account.password_set operator shell",
      ]);
    });

    test("neither token nor password is in the database or the audit log", async () => {
      await using fresh = await open();
      await using operator = await operatorOf(fresh);
      const { token } = await operator.createAdmin("alice", null);
      await operator.setPassword("alice", "quiet-river-stone");
      const accounts = await fresh.db.kysely.selectFrom("accounts").selectAll().execute();
      const entries = await fresh.db.kysely.selectFrom("audit_log").selectAll().execute();
      const everything = JSON.stringify([accounts, entries]);
      expect(everything).not.toContain(token);
      expect(everything).not.toContain("quiet-river-stone");
    });

    test("a change that can't be audited is not made", async () => {
      await using fresh = await open();
      await using operator = await operatorOf(fresh);
      await operator.createAccount("bob");
      await sql`alter table audit_log rename to audit_away`.execute(fresh.db.kysely);
      expect((await refusalOf(operator.createAdmin("mallory", null))).code).toBe("audit_unavailable");
      expect((await refusalOf(operator.allow("192.0.2.1", ""))).code).toBe("audit_unavailable");
      expect(await operator.listAdmins()).toEqual([]);
      expect(await operator.allowed()).toEqual([]);
      await sql`alter table audit_away rename to audit_log`.execute(fresh.db.kysely);
    });
  });
});

describe("PostgreSQL", () => {
  test("backup and restore point to its own tools, without a connection", async () => {
    const env = {
      DATABASE_URL: "postgres://nobody@127.0.0.1:1/none",
      JWT_SECRET: "j".repeat(32),
      ENCRYPTION_KEY: "e".repeat(32),
    };
    await using operator = await openOperator(env);
    expect((await refusalOf(operator.backup("/tmp/never"))).message).toContain("pg_dump");
    expect((await refusalOf(operator.restore("/tmp/never"))).message).toContain("pg_restore");
  });
});

// Backup and restore of a SQLite database: online, whole, private, and never in the way of a running server.

import { describe, expect, test } from "bun:test";
import {
  chownSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openOperator } from "../../src/admin.ts";
import { findAccountByUsername } from "../../src/db/accounts.ts";
import { createDatabase, type Database } from "../../src/db/database.ts";
import { insertSession } from "../../src/db/sessions.ts";
import { AppError } from "../../src/lib/errors.ts";
import { verifyChain } from "../../src/observe/audit-chain.ts";

interface Place extends Disposable {
  folder: string;
  path: string;
  copy: string;
}

function place(): Place {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-copies-"));
  mkdirSync(join(folder, "backups"));
  return {
    folder,
    path: join(folder, "data", "server.db"),
    copy: join(folder, "backups", "monday.db"),
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  };
}

const operatorOf = ({ path }: Place, env: Record<string, string> = {}) => openOperator({ DB_PATH: path, ...env });
const openDatabase = (path: string): Promise<Database> =>
  createDatabase({
    url: null,
    path,
    onError(error) {
      throw error;
    },
  });

async function usernames(path: string): Promise<string[]> {
  const db = await openDatabase(path);
  try {
    expect(await verifyChain(db)).toMatchObject({ intact: true });
    return (await db.kysely.selectFrom("accounts").select("username").orderBy("username").execute()).map(
      (row) => row.username,
    );
  } finally {
    await db.close();
  }
}

const refusalOf = (work: Promise<unknown>): Promise<AppError> =>
  work.then(
    () => Promise.reject(new Error("was not refused")),
    (error: unknown) => (error instanceof AppError ? error : Promise.reject(error as Error)),
  );

describe("backup and restore (sqlite)", () => {
  test.skipIf(process.getuid?.() !== 0)("what root restores is the server's user's, as what was there", async () => {
    using at = place();
    {
      await using first = await operatorOf(at);
      await first.createAccount("bob");
      await first.backup(at.copy);
    }
    await using operator = await operatorOf(at);
    const owner = { uid: 1234, gid: 1235 };
    chownSync(at.path, owner.uid, owner.gid);
    await operator.restore(at.copy);
    expect(statSync(at.path)).toMatchObject(owner);
    chownSync(join(at.folder, "data"), owner.uid, owner.gid);
    rmSync(at.path);
    await operator.restore(at.copy);
    expect(statSync(at.path)).toMatchObject(owner);
  });

  test("a backup taken while the server writes is whole, and restores to that moment; the old database is kept", async () => {
    using at = place();
    await using operator = await operatorOf(at);
    await operator.createAdmin("alice", null);
    const server = await openDatabase(at.path);
    let writing = true;
    const writes = (async () => {
      for (let i = 0; writing; i++) {
        const row = { id: `org_${i}`, name: `o${i}`, name_key: `o${i}`, require_totp: 0, created_at: i } as const;
        await server.kysely.insertInto("organizations").values(row).execute();
      }
    })();
    const { notes } = await operator.backup(at.copy);
    writing = false;
    await writes;
    await server.close();
    expect(notes.join(" ")).toContain(join(at.folder, "data", "encryption-key"));
    expect(statSync(at.copy).mode & 0o777).toBe(0o600);
    await operator.createAccount("bob");
    await operator[Symbol.asyncDispose]();

    await using second = await operatorOf(at);
    const restored = await second.restore(at.copy);
    const kept = /kept as (\S+)\.$/.exec(restored.notes[0] ?? "")?.[1] ?? "";
    expect(restored.notes.join(" ")).toContain("revoke them once more");
    expect(await usernames(at.path)).toEqual(["alice"]);
    expect(await usernames(kept)).toEqual(["alice", "bob"]);
    expect(await usernames(at.copy)).toEqual(["alice"]);
    for (const file of [at.path, kept]) expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(join(at.folder, "data")).filter((name) => name.includes("restoring"))).toEqual([]);
  });

  test("a restore works where there was no database, and where there is a broken one", async () => {
    using at = place();
    await using operator = await operatorOf(at);
    await operator.createAdmin("alice", null);
    await operator.backup(at.copy);
    await operator[Symbol.asyncDispose]();
    rmSync(join(at.folder, "data"), { recursive: true });
    await using second = await operatorOf(at);
    expect((await second.restore(at.copy)).notes).toHaveLength(1);
    expect(await usernames(at.path)).toEqual(["alice"]);
    const rubbish = "this was a database once ".repeat(500);
    writeFileSync(at.path, rubbish);
    const { notes } = await second.restore(at.copy);
    const kept = /kept as (\S+)\.$/.exec(notes[0] ?? "")?.[1] ?? "";
    expect(readFileSync(kept, "utf8")).toBe(rubbish);
    expect(await usernames(at.path)).toEqual(["alice"]);
  });

  test("a backup needs a database, and a file that is not there yet", async () => {
    using at = place();
    await using operator = await operatorOf(at);
    expect((await refusalOf(operator.backup(at.copy))).message).toContain("no database");
    expect(existsSync(at.path)).toBe(false);
    expect((await refusalOf(operator.listAdmins())).message).toContain("no database");
    expect(existsSync(at.path)).toBe(false);
    await operator.createAdmin("alice", null);
    writeFileSync(at.copy, "mine");
    expect((await refusalOf(operator.backup(at.copy))).message).toContain("exists already");
    expect(readFileSync(at.copy, "utf8")).toBe("mine");
    expect((await refusalOf(operator.backup(join(at.folder, "none", "x.db")))).code).toBe("conflict");
  });

  test("named keys are named, not looked for beside the file", async () => {
    using at = place();
    await using operator = await operatorOf(at, { ENCRYPTION_KEY: "e".repeat(32), JWT_SECRET: "j".repeat(32) });
    await operator.createAdmin("alice", null);
    expect((await operator.backup(at.copy)).notes.join(" ")).toContain("keep ENCRYPTION_KEY and JWT_SECRET");
  });

  describe("security", () => {
    test("while a server has the database open nothing is restored and nothing is lost", async () => {
      using at = place();
      await using operator = await operatorOf(at);
      await operator.createAdmin("alice", null);
      await operator.backup(at.copy);
      await operator.createAccount("bob");
      await operator[Symbol.asyncDispose]();
      const server = await openDatabase(at.path);
      await using second = await operatorOf(at);
      expect((await refusalOf(second.restore(at.copy))).message).toContain("stop the server first");
      expect(await findAccountByUsername(server.kysely, "bob")).not.toBeNull();
      await server.close();
      expect(await usernames(at.path)).toEqual(["alice", "bob"]);
      expect(readdirSync(join(at.folder, "data"))).toEqual(["server.db"]);
    });

    test("what is no backup is not restored, and a running server's database is refused as a source", async () => {
      using at = place();
      await using operator = await operatorOf(at);
      await operator.createAdmin("alice", null);
      await operator.backup(at.copy);
      const sources: [string, (file: string) => void, RegExp][] = [
        ["text.db", (file) => writeFileSync(file, "no database ".repeat(1_000)), /no backup/],
        ["empty.db", (file) => writeFileSync(file, ""), /no backup/],
        ["none.db", () => {}, /no file/],
        ["live.db", (file) => (copyFileSync(at.copy, file), writeFileSync(`${file}-wal`, "frames")), /in use/],
        ["cut.db", (file) => writeFileSync(file, readFileSync(at.copy).subarray(0, 40_960)), /damaged|no backup/],
      ];
      for (const [name, make, message] of sources) {
        const file = join(at.folder, name);
        make(file);
        expect((await refusalOf(operator.restore(file))).message).toMatch(message);
      }
      expect((await refusalOf(operator.restore(at.path))).message).toContain("the database itself");
      expect(await operator.listAdmins()).toHaveLength(1);
      const left = readdirSync(join(at.folder, "data")).filter((name) => !name.startsWith("server.db"));
      expect(left).toEqual([]);
    });

    test("logins of the backup's time do not come back", async () => {
      using at = place();
      await using operator = await operatorOf(at);
      await operator.createAdmin("alice", null);
      const server = await openDatabase(at.path);
      const { id } = (await findAccountByUsername(server.kysely, "alice"))!;
      const times = { created_at: 1, last_seen_at: 1, expires_at: Date.now() + 3_600_000, revoked_at: null };
      const session = { id: "ses_1", session_hash: "hash", account_id: id, address: "::1", user_agent: "", ...times };
      await insertSession(server.kysely, session);
      await server.close();
      await operator.backup(at.copy);
      await operator[Symbol.asyncDispose]();
      await using second = await operatorOf(at);
      await second.restore(at.copy);
      const after = await openDatabase(at.path);
      const row = await after.kysely.selectFrom("dashboard_sessions").select("revoked_at").executeTakeFirstOrThrow();
      expect(row.revoked_at).toBeGreaterThan(0);
      const last = await after.kysely
        .selectFrom("audit_log")
        .select("action")
        .orderBy("seq", "desc")
        .executeTakeFirst();
      expect(last?.action).toBe("database.restored");
      await after.close();
    });
  });
});

// A rotation of ENCRYPTION_KEY: everything sealed moves to the new key, on both engines, and the old one can be dropped.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Glob } from "bun";
import { join } from "node:path";
import { sql } from "kysely";
import { createResealing, resealValues, sealedColumns, sealedRow } from "../../../src/api/sealed-values.ts";
import { createSealer } from "../../../src/auth/sealing.ts";
import { createTestApi, testEncryptionKey, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, login } from "../../helpers/people.ts";

const newKey = "a newer encryption key of 32 bytes and more";

describeEngines("sealed values", (open) => {
  let database: TestDatabase;
  let api: TestApi;
  beforeAll(async () => {
    database = await open();
    api = createTestApi(database);
  });
  afterAll(async () => database[Symbol.asyncDispose]());

  /** Seals one value in each column that has sealed ones. */
  async function plant(): Promise<void> {
    const { kysely } = database.db;
    const { sealer } = api.deps;
    const at = { created_at: 1, expires_at: api.clock.nowMs + 600_000 };
    const { id } = await createPerson(api, { username: "root", isAdmin: true, totp: true, login: false });
    const orgId = await createOrganization(api, "Acme");
    const secret = (row: string) => sealer.seal("oauth-state", row, row);
    await kysely
      .insertInto("policies")
      .values({
        ...{ id: "pol_1", owner_id: orgId, org_id: orgId, app_id: null, auth_type: "oidc", version: "v1" },
        ...{ basic_username: null, basic_password_hash: null, api_key_enabled: 0, allow_preflight: 0 },
        ...{ oidc_issuer_url: "https://id.test", oidc_client_id: "us", oidc_scopes_json: "[]" },
        oidc_client_secret: sealer.seal("oidc-secret", sealedRow.policy(orgId), "client secret"),
        ...{ oidc_allowed_domains_json: "[]", oidc_required_claims_json: "{}", allow_ips_json: "[]" },
        ...{ deny_ips_json: "[]", session_hours: 8, updated_at: 1 },
      })
      .execute();
    await kysely
      .insertInto("pending_logins")
      .values({
        ...{ token_hash: "pending", account_id: id, kind: "enrol", ...at },
        totp_secret: sealer.seal("totp-seed", sealedRow.enrolment("pending"), "seed"),
      })
      .execute();
    await kysely
      .insertInto("oauth_states")
      .values({
        ...{ state_hash: "state", browser_hash: "b", provider: "oidc", nonce: null, account_id: null },
        ...{ return_path: "/", verifier: secret(sealedRow.signIn("state")), ...at },
      })
      .execute();
    const visitor = { host: "app.test", name: "app", app_id: null, org_id: null, policy_version: "v1", subject: "ada" };
    await kysely
      .insertInto("visitor_states")
      .values({
        ...{ ...visitor, state_hash: "visit", browser_hash: "b", issuer: "https://id.test", nonce: "n" },
        ...{ return_path: "/", code_hash: "code", code_expires_at: at.expires_at, email: null, ...at },
        verifier: secret(sealedRow.visitorState("visit")),
        id_token: secret(sealedRow.visitorCode("code")),
      })
      .execute();
    await kysely
      .insertInto("visitor_sessions")
      .values({
        ...{ ...visitor, session_hash: "session", kind: "oidc", email: null, ...at },
        id_token: secret(sealedRow.visitorSession("session")),
      })
      .execute();
    const draft = sealer.seal("setup-draft", sealedRow.setting("setup.draft"), "{}");
    for (const [key, value] of [
      ["setup.draft", draft],
      ["other", "not sealed"],
    ] as const)
      await kysely.insertInto("settings").values({ key, value, updated_at: 1 }).execute();
  }

  /** What each column holds, opened with the new key alone. */
  async function opened(): Promise<string[]> {
    const sealer = createSealer([newKey]);
    const found: string[] = [];
    for (const { table, id, column, purpose, rowOf, only } of sealedColumns) {
      const { rows } = await sql<{ id: string; value: string }>`
        select ${sql.ref(id)} as id, ${sql.ref(column)} as value from ${sql.table(table)}
        where ${sql.ref(column)} is not null`.execute(database.db.kysely);
      for (const row of rows)
        if (only === undefined || only === row.id) found.push(sealer.open(purpose, rowOf(row.id), row.value));
    }
    return found;
  }

  test("all of them move to the new key, and the log says when the old one can be dropped", async () => {
    await plant();
    const rotated = createTestApi(database, { encryptionKeys: [newKey, testEncryptionKey] });
    const reseal = createResealing(rotated.deps);
    expect(opened()).rejects.toThrow("is not part of ENCRYPTION_KEY");
    await reseal();
    await reseal();
    expect(await opened()).toHaveLength(sealedColumns.length);
    const messages = rotated.logs.map((line) => JSON.parse(line) as { message: string; values?: number });
    expect(messages).toMatchObject([{ values: sealedColumns.length }, {}]);
    expect(messages[1]!.message).toContain("no sealed value needs an older key of ENCRYPTION_KEY any more");
    const other = await database.db.kysely.selectFrom("settings").select("value").where("key", "=", "other").execute();
    expect(other).toEqual([{ value: "not sealed" }]);
    const without = createTestApi(database, { encryptionKeys: [newKey] });
    expect(await login(without, "root")).not.toBe("");
  });

  test("more values than one transaction takes", async () => {
    const seal = (id: string) => api.deps.sealer.seal("oauth-state", sealedRow.signIn(id), id);
    const rows = Array.from({ length: 1_001 }, (_, i) => ({
      ...{ state_hash: `state${i}`, browser_hash: "b", provider: "oidc", nonce: null, account_id: null },
      ...{ return_path: "/", verifier: seal(`state${i}`), created_at: 1, expires_at: 2 },
    }));
    for (let i = 0; i < rows.length; i += 500)
      await database.db.kysely
        .insertInto("oauth_states")
        .values(rows.slice(i, i + 500))
        .execute();
    const sealer = createSealer([newKey, testEncryptionKey]);
    expect(await resealValues({ db: database.db, sealer })).toEqual({ moved: 1_001, unreadable: 0 });
  });

  test("a value that changes meanwhile keeps the change", async () => {
    const { kysely } = database.db;
    const sealer = createSealer([newKey, testEncryptionKey]);
    const row = sealedRow.signIn("raced");
    const [old, fresh] = [api.deps.sealer, sealer].map((one) => one.seal("oauth-state", row, "verifier"));
    const state = { state_hash: "raced", browser_hash: "b", provider: "oidc", nonce: null, account_id: null };
    await kysely
      .insertInto("oauth_states")
      .values({ ...state, return_path: "/", verifier: old!, created_at: 1, expires_at: 2 })
      .execute();
    const raced = kysely.updateTable("oauth_states").set({ verifier: fresh! }).where("verifier", "=", old!);
    let left = sealedColumns.findIndex(({ table }) => table === "oauth_states");
    const transaction: TestDatabase["db"]["transaction"] = async (work) => {
      if (left-- === 0) await raced.execute();
      return await database.db.transaction(work);
    };
    expect(await resealValues({ db: { ...database.db, transaction }, sealer })).toMatchObject({ moved: 0 });
    const found = kysely.deleteFrom("oauth_states").where("state_hash", "=", "raced").returning("verifier");
    expect(await found.execute()).toEqual([{ verifier: fresh! }]);
  });

  test("values whose key is gone are counted on the log, and nothing else stops", async () => {
    const newest = "the newest encryption key, of 32 bytes as well";
    const { deps, logs } = createTestApi(database, { encryptionKeys: [newest] });
    await createResealing(deps)();
    expect(logs.join()).toContain("can't be opened by any key of ENCRYPTION_KEY");
    expect((JSON.parse(logs[0]!) as { values: number }).values).toBe(sealedColumns.length + 1_001);
    expect(await opened()).toHaveLength(sealedColumns.length + 1_001);
  });
});

describe("security", () => {
  test("whatever is sealed anywhere stands in the list", async () => {
    const root = join(import.meta.dir, "../../../src");
    const used = new Set<string>();
    for (const path of new Glob("**/*.ts").scanSync(root)) {
      if (path.endsWith(".test.ts") || path === "auth/sealing.ts" || path === "api/sealed-values.ts") continue;
      const source = await Bun.file(join(root, path)).text();
      for (const [call, row] of source.matchAll(/\b[sS]ealer\.(?:seal|open)\(\s*"[\w-]+",\s*([\w.]+)/g)) {
        const name = row === "draftRow" ? "sealedRow.setting" : row!;
        expect({ path, call, isListed: /^sealedRow\.\w+$/.test(name) }).toEqual({ path, call: call, isListed: true });
        used.add(name.slice("sealedRow.".length));
      }
    }
    expect([...used].sort()).toEqual(Object.keys(sealedRow).sort());
    expect(new Set(sealedColumns.map(({ rowOf }) => rowOf))).toEqual(new Set(Object.values(sealedRow)));
  });
});

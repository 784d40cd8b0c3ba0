// What people change about themselves: what the log says of it, and which sessions and enrolments it leaves.

import { afterAll, beforeAll, beforeEach, describe, expect, spyOn, test } from "bun:test";
import { createTestApi, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { codeNow, createOrganization, createPerson, goodPassword, login } from "../../helpers/people.ts";

describeEngines("own changes", (open) => {
  let database: TestDatabase;
  let api: TestApi;
  let orgId: string;
  let name = "";
  let count = 0;
  beforeAll(async () => {
    database = await open();
    orgId = await createOrganization(createTestApi(database), "Acme");
  });
  afterAll(async () => database[Symbol.asyncDispose]());
  beforeEach(() => {
    api = createTestApi(database);
    name = `own${++count}`;
  });

  test("everything that people do to themselves is in the log: what, who, from where; event streams hear of ended sessions", async () => {
    const { id, session: first } = await createPerson(api, { username: name, orgId, totp: true });
    await login(api, name);
    let session = first;
    const act = async (method: string, path: string, body: object) => {
      api.clock.nowMs += 30_000;
      const answer = await api.call(method, path, { session, body });
      expect({ path, status: answer.status }).toEqual({ path, status: 200 });
      session = answer.cookies["__Host-dl_session"] ?? session;
      return answer.body;
    };
    const proof = { currentPassword: goodPassword };
    const code = () => codeNow(api, undefined, 1);
    const { sessions } = (await api.call("GET", "/auth/sessions?current=false", { session })).body as {
      sessions: { id: string }[];
    };
    const before = api.audited.length;
    await act("DELETE", `/auth/sessions/${sessions[0]!.id}`, {});
    await act("POST", "/auth/recovery-codes", { code: code() });
    await act("POST", "/org/me/token", proof);
    await act("PUT", "/org/me/password", { ...proof, newPassword: goodPassword });
    await act("DELETE", "/org/me/totp", { ...proof, code: code() });
    session = await login(api, name);
    const { secret } = await act("POST", "/org/me/totp/start", proof);
    await act("POST", "/org/me/totp/setup", { code: codeNow(api, secret as string, 1) });
    await act("POST", "/auth/logout-all", {});
    const audited = api.audited.slice(before);
    const entries = audited.filter(({ action }) => !/^login\.(password|confirmed)$/.test(action));
    const own = { actorId: id, actorName: name, orgId, address: "203.0.113.7", requestId: "req-1" };
    const actions = [
      ...["session.revoked", "account.recovery_codes", "login.totp", "account.token_changed"],
      ...["account.password_changed", "account.totp_removed", "login.totp"],
      ...["account.totp_enrolled", "login.totp_enrolment", "session.all_ended"],
    ];
    for (const [i, entry] of entries.entries())
      expect(entry).toMatchObject({ action: actions[i], success: true, ...own });
    expect(entries).toHaveLength(actions.length);
    expect(entries[0]!.details).toEqual({ session: sessions[0]!.id });
    // One for each that asked for the password again.
    const confirmed = audited.filter(({ action }) => action === "login.confirmed");
    expect(confirmed).toHaveLength(4);
    for (const entry of confirmed) expect(entry).toMatchObject({ authType: "password", success: true, ...own });

    const other = await createPerson(api, { username: `${name}-2`, orgId });
    session = other.session;
    await act("POST", "/auth/logout", {});
    expect(api.audited.at(-1)).toMatchObject({ action: "session.ended", actorName: `${name}-2` });
    const heard = await database.db.kysely
      .selectFrom("changes")
      .select("ref_id")
      .where("kind", "=", "session")
      .execute();
    expect([id, other.id].map((ended) => heard.filter(({ ref_id }) => ref_id === ended).length)).toEqual([2, 1]);
  });

  describe("security", () => {
    test("an enrolment belongs to the session that began it", async () => {
      const { session: one } = await createPerson(api, { username: name, orgId });
      const two = await login(api, name);
      const proof = { currentPassword: goodPassword };
      const started = await api.call("POST", "/org/me/totp/start", { session: one, body: proof });
      const body = { code: codeNow(api, started.body["secret"] as string) };
      expect((await api.call("POST", "/org/me/totp/setup", { session: two, body })).status).toBe(404);
      expect((await api.call("POST", "/org/me/totp/setup", { session: one, body })).status).toBe(200);
    });

    test("whoever proves itself by a password that is replaced meanwhile gets no token for it", async () => {
      const { id, session } = await createPerson(api, { username: name, orgId });
      const { kysely } = database.db;
      const { verify } = Bun.password;
      const tokenOf = () =>
        kysely.selectFrom("accounts").select("token_hash").where("id", "=", id).executeTakeFirstOrThrow();
      const before = await tokenOf();
      const judging = spyOn(Bun.password, "verify").mockImplementationOnce(async (password, hash, algorithm) => {
        const isRight = await verify(password, hash, algorithm);
        await kysely.updateTable("accounts").set({ password_hash: "another" }).where("id", "=", id).execute();
        return isRight;
      });
      const answer = await api.call("POST", "/org/me/token", { session, body: { currentPassword: goodPassword } });
      judging.mockRestore();
      expect([answer.status, await tokenOf()]).toEqual([401, before]);
    });

    test("a password that was changed with an API token ends the sessions of the old one", async () => {
      const { session, token } = await createPerson(api, { username: name, isAdmin: true, totp: true });
      const body = { currentPassword: goodPassword, newPassword: "another-quiet-river" };
      const answer = await api.call("PUT", "/admin/me/password", { headers: { "x-admin-token": token }, body });
      expect([answer.status, answer.cookies]).toEqual([200, {}]);
      expect((await api.call("GET", "/auth/me", { session })).status).toBe(401);
    });
  });
});

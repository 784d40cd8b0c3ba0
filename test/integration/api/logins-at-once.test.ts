// A login, or a change of the own second factor, while the same account is changed by somebody else or twice at once.

import { describe, expect, spyOn, test } from "bun:test";
import { updateAccount } from "../../../src/db/accounts.ts";
import { deletePendingLogins } from "../../../src/db/second-factors.ts";
import { AppError } from "../../../src/lib/errors.ts";
import { codeOf } from "../../helpers/api.ts";
import { describeLogins } from "../../helpers/describe-logins.ts";
import { meanwhile } from "../../helpers/meanwhile.ts";
import { codeNow, createOrganization, createPerson, goodPassword } from "../../helpers/people.ts";

describeLogins("logins at once", (at) => {
  const sessionsOf = (id: string) =>
    at.database.db.kysely.selectFrom("dashboard_sessions").select("id").where("account_id", "=", id).execute();

  test("an account that is deactivated while its code is judged: both are answered, and there is no session", async () => {
    const { id } = await createPerson(at.api, { username: at.name, totp: true, login: false });
    const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
    const body = { pendingToken, code: codeNow(at.api) };
    const answer = await meanwhile(
      at.database.db,
      (trx) => updateAccount(trx, id, { active: 0 }),
      () => at.api.call("POST", "/auth/totp/verify", { body }),
      (trx) => deletePendingLogins(trx, id),
    );
    expect([codeOf(answer), await sessionsOf(id)]).toEqual(["unauthorized", []]);
  });

  test("an enrolment that is finished twice at once is finished once, and its recovery codes are those that were shown", async () => {
    const orgId = await createOrganization(at.api, `Org ${at.name}`);
    const { session } = await createPerson(at.api, { username: at.name, orgId });
    const proof = { currentPassword: goodPassword };
    const started = await at.api.call("POST", "/org/me/totp/start", { session, body: proof });
    const body = { code: codeNow(at.api, started.body["secret"] as string) };
    const finish = () => at.api.call("POST", "/org/me/totp/setup", { session, body });
    const answers = await Promise.all([finish(), finish()]);
    const done = answers.filter(({ status }) => status === 200);
    expect(done).toHaveLength(1);
    const { pendingToken } = (await at.tryLogin(at.name, goodPassword)).body;
    const code = (done[0]!.body["recoveryCodes"] as string[])[0];
    expect((await at.api.call("POST", "/auth/totp/verify", { body: { pendingToken, code } })).status).toBe(200);
  });

  describe("while a hash is renewed", () => {
    const dated = () => Bun.password.hash(goodPassword, { algorithm: "bcrypt", cost: 5 });
    const hashOf = async (id: string) =>
      (await at.database.db.kysely.selectFrom("accounts").selectAll().where("id", "=", id).executeTakeFirstOrThrow())
        .password_hash;

    test("a login whose new hash has no room in the queue goes on with the old one, and is audited as what it was", async () => {
      const { id } = await createPerson(at.api, { username: at.name, login: false });
      await updateAccount(at.database.db.kysely, id, { password_hash: await dated() });
      const before = await hashOf(id);
      const { passwords } = at.api.deps;
      const full = spyOn(passwords, "hash").mockRejectedValueOnce(new AppError("unavailable"));
      expect((await at.tryLogin(at.name, goodPassword)).status).toBe(200);
      expect(full).toHaveBeenCalledTimes(1);
      expect(at.api.audited.map(({ action, success }) => [action, success])).toEqual([["login.password", true]]);
      expect(await hashOf(id)).toBe(before);
      expect((await at.tryLogin(at.name, goodPassword)).status).toBe(200);
      expect(await hashOf(id)).toStartWith("$2b$04$");
    });

    test("a login whose password is changed meanwhile is no success", async () => {
      const { id } = await createPerson(at.api, { username: at.name, login: false });
      const { kysely } = at.database.db;
      await updateAccount(kysely, id, { password_hash: await dated() });
      const { passwords } = at.api.deps;
      const hash = passwords.hash.bind(passwords);
      spyOn(passwords, "hash").mockImplementationOnce(async (password) => {
        const another = await hash("another-quiet-river");
        await updateAccount(kysely, id, { password_hash: another, password_changed_at: at.api.clock.nowMs + 1 });
        return await hash(password);
      });
      expect(codeOf(await at.tryLogin(at.name, goodPassword))).toBe("bad_credentials");
      expect(at.api.audited.map(({ action, success }) => [action, success])).toEqual([["login.password", false]]);
    });

    test("whoever confirms the password is not refused for it", async () => {
      const { id, session } = await createPerson(at.api, { username: at.name });
      await updateAccount(at.database.db.kysely, id, { password_hash: await dated() });
      const verify = Bun.password.verify.bind(Bun.password);
      const judging = spyOn(Bun.password, "verify").mockImplementationOnce(async (...given) => {
        // Somewhere else the same person logs in.
        const renewed = await Bun.password.hash(goodPassword, { algorithm: "bcrypt", cost: 4 });
        await updateAccount(at.database.db.kysely, id, { password_hash: renewed });
        return await verify(...given);
      });
      const body = { currentPassword: goodPassword };
      expect((await at.api.call("POST", "/org/me/token", { session, body })).status).toBe(200);
      judging.mockRestore();
    });
  });

  describe("security", () => {
    test.each(["/auth/login", "/org/me/token", "/org/me/password"])(
      "whoever proves a password at %s while the account gets a second factor has proven too little",
      async (path) => {
        const { id, session } = await createPerson(at.api, { username: at.name });
        const { verify } = Bun.password;
        const judging = spyOn(Bun.password, "verify").mockImplementationOnce(async (...given) => {
          await updateAccount(at.database.db.kysely, id, { totp_secret: "sealed", totp_enrolled_at: 1 });
          return await verify(...given);
        });
        const before = await sessionsOf(id);
        const proof = { currentPassword: goodPassword };
        const answer = await (path === "/auth/login"
          ? at.tryLogin(at.name, goodPassword)
          : path === "/org/me/token"
            ? at.api.call("POST", path, { session, body: proof })
            : at.api.call("PUT", path, { session, body: { ...proof, newPassword: "another-quiet-river" } }));
        judging.mockRestore();
        expect(codeOf(answer)).toBe("bad_credentials");
        expect(await sessionsOf(id)).toEqual(before);
      },
    );
  });
});

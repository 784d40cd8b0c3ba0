// Every operation of the API as every kind of caller: the expected answer stands in one table (access.ts).

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createTestApi, type TestApi } from "../../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../../helpers/databases.ts";
import { createOrganization, createPerson, goodPassword, login } from "../../helpers/people.ts";
import { access, bodies, type Level } from "./access.ts";

/** How a caller presents itself. */
type Credentials = { session?: string; headers?: Record<string, string> };

const levelOf = (name: string): Level => {
  const row = access[name]!;
  return typeof row === "string" ? row : row.level;
};

type Caller =
  "user" | "loner" | "orgAdmin" | "otherAdmin" | "admin" | "unenrolledMember" | "unenrolledAdmin" | "adminToken";

/** 401: we don't know you. 403: we do. null: the guard lets it pass (whatever the operation then says). */
const expected: Record<Exclude<Level, "public">, Record<Caller, 401 | 403 | null>> = {
  session: {
    user: null,
    loner: null,
    orgAdmin: null,
    otherAdmin: null,
    admin: null,
    unenrolledMember: 403,
    unenrolledAdmin: 403,
    adminToken: 401,
  },
  sessionEnrolling: {
    user: null,
    loner: null,
    orgAdmin: null,
    otherAdmin: null,
    admin: null,
    unenrolledMember: null,
    unenrolledAdmin: null,
    adminToken: 401,
  },
  admin: {
    user: 403,
    loner: 403,
    orgAdmin: 403,
    otherAdmin: 403,
    admin: null,
    unenrolledMember: 403,
    unenrolledAdmin: 403,
    adminToken: null,
  },
  adminEnrolling: {
    user: 403,
    loner: 403,
    orgAdmin: 403,
    otherAdmin: 403,
    admin: null,
    unenrolledMember: 403,
    unenrolledAdmin: null,
    adminToken: null,
  },
  nonAdmin: {
    user: null,
    loner: null,
    orgAdmin: null,
    otherAdmin: null,
    admin: 403,
    unenrolledMember: 403,
    unenrolledAdmin: 403,
    adminToken: 401,
  },
  member: {
    user: null,
    loner: 403,
    orgAdmin: null,
    otherAdmin: null,
    admin: 403,
    unenrolledMember: 403,
    unenrolledAdmin: 403,
    adminToken: 401,
  },
  nonAdminEnrolling: {
    user: null,
    loner: null,
    orgAdmin: null,
    otherAdmin: null,
    admin: 403,
    unenrolledMember: null,
    unenrolledAdmin: 403,
    adminToken: 401,
  },
  orgAdmin: {
    user: 403,
    loner: 403,
    orgAdmin: null,
    otherAdmin: null,
    admin: 403,
    unenrolledMember: 403,
    unenrolledAdmin: 403,
    adminToken: 401,
  },
};

describeEngines("isolation", (open) => {
  let database: TestDatabase;
  let api: TestApi;
  let operations: string[];
  let orgId: string;
  let otherOrgId: string;
  /** Of an organization that may want a second factor of its members. */
  let strictOrgId: string;
  const foreignIds: Record<"account", string> = { account: "" };
  let people = 0;

  beforeAll(async () => {
    database = await open();
    api = createTestApi(database);
    orgId = await createOrganization(api, "Acme");
    otherOrgId = await createOrganization(api, "Other");
    strictOrgId = await createOrganization(api, "Strict");
    foreignIds.account = (await createPerson(api, { username: "theirs", orgId: otherOrgId, login: false })).id;
    const document = JSON.parse((await api.call("GET", "/swagger/json")).text) as { paths: Record<string, object> };
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
  });
  afterAll(async () => database[Symbol.asyncDispose]());

  const requireTotp = (wanted: boolean) =>
    database.db.kysely
      .updateTable("organizations")
      .set({ require_totp: wanted ? 1 : 0 })
      .where("id", "=", strictOrgId)
      .execute();

  /** Everyone anew, because some operations end the caller's session. */
  const person = (options: { isAdmin?: boolean; isOrgAdmin?: boolean; orgId?: string; totp?: boolean }) =>
    createPerson(api, { username: `caller${++people}`, ...options });

  async function send(name: string, credentials: Credentials, id: string | null = null): Promise<number> {
    const [method = "", path = ""] = name.split(" ");
    // Without an id in question: a body that no operation accepts, so that callers who pass the guard change nothing.
    const body = method === "GET" ? undefined : (bodies[name] ?? (id === null ? { notAField: true } : undefined));
    const answer = await api.call(method, path.replace("{id}", id ?? "acc_unknown").replace(/\{\w+\}/g, "unknown"), {
      ...credentials,
      ...(body === undefined ? {} : { body }),
    });
    return answer.status;
  }

  test("every operation has its row, and no row is left over", () => {
    expect([...operations].sort()).toEqual(Object.keys(access).sort());
  });

  describe("security", () => {
    const guarded = Object.keys(access).filter((name) => levelOf(name) !== "public");

    test("nobody, half-done, expired, revoked, deactivated, made-up", async () => {
      const pendingOf = async (totp: boolean): Promise<string> => {
        const { username } = await createPerson(api, {
          username: `half${++people}`,
          isAdmin: true,
          totp,
          login: false,
        });
        const first = await api.call("POST", "/auth/login", { body: { username, password: goodPassword } });
        return first.body["pendingToken"] as string;
      };
      const expired = await person({ isAdmin: true, totp: true });
      api.clock.nowMs += 24 * 3_600_000;
      const revoked = await person({ isAdmin: true, totp: true });
      await api.call("POST", "/auth/logout", { session: revoked.session });
      const inactive = await person({ isAdmin: true, totp: true });
      await database.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", inactive.id).execute();
      const pending = [await pendingOf(true), await pendingOf(false)];
      const callers: Record<string, Credentials> = {
        nobody: {},
        "half-done, code pending": { session: pending[0]! },
        "half-done, enrolment pending": { session: pending[1]! },
        "half-done as bearer": { headers: { authorization: `Bearer ${pending[0]}` } },
        expired: { session: expired.session },
        revoked: { session: revoked.session },
        deactivated: { session: inactive.session },
        "API token as session": { headers: { authorization: `Bearer ${inactive.token}` } },
        "made-up": { session: "eyJhbGciOiJub25lIn0.e30." },
      };
      for (const name of guarded) {
        for (const [who, credentials] of Object.entries(callers)) {
          expect({ name, who, status: await send(name, credentials) }).toEqual({ name, who, status: 401 });
        }
      }
    });

    test("each role reaches exactly its own", async () => {
      for (const name of guarded) {
        await requireTotp(false);
        const user = await person({ orgId });
        const unenrolled = await person({ isAdmin: true, totp: true });
        await database.db.kysely
          .updateTable("accounts")
          .set({ totp_secret: null })
          .where("id", "=", unenrolled.id)
          .execute();
        const admin = await person({ isAdmin: true, totp: true });
        const callers: Record<Caller, Credentials> = {
          user: { session: user.session },
          loner: { session: (await person({})).session },
          orgAdmin: { session: (await person({ orgId, isOrgAdmin: true })).session },
          otherAdmin: { session: (await person({ orgId: otherOrgId, isOrgAdmin: true })).session },
          admin: { session: admin.session },
          unenrolledAdmin: { session: unenrolled.session },
          unenrolledMember: { session: (await person({ orgId: strictOrgId, isOrgAdmin: true })).session },
          adminToken: { headers: { "x-admin-token": admin.token } },
        };
        await requireTotp(true);
        for (const who of Object.keys(callers) as (keyof typeof callers)[]) {
          const status = await send(name, callers[who]);
          const seen = status === 401 || status === 403 ? status : null;
          expect({ name, who, seen }).toEqual({
            name,
            who,
            seen: expected[levelOf(name) as Exclude<Level, "public">][who],
          });
        }
      }
    });

    test("whoever owes a second factor gets nothing of /auth but to see who it is, and out; nothing else happens", async () => {
      const free = operations.filter((name) => name.includes(" /auth/") && levelOf(name) !== "session");
      expect(free.sort()).toEqual([
        "GET /auth/me",
        "GET /auth/totp/setup",
        "POST /auth/check-account",
        "POST /auth/login",
        "POST /auth/logout",
        "POST /auth/logout-all",
        "POST /auth/totp/setup",
        "POST /auth/totp/verify",
      ]);
      await requireTotp(false);
      const { id, username, session } = await person({ orgId: strictOrgId });
      await login(api, username);
      const list = await api.call("GET", "/auth/sessions", { session });
      const [other] = (list.body["sessions"] as { id: string; current: boolean }[]).filter(({ current }) => !current);
      await requireTotp(true);
      const rows = () =>
        database.db.kysely.selectFrom("dashboard_sessions").selectAll().where("account_id", "=", id).execute();
      const before = await rows();
      for (const name of operations.filter((operation) => levelOf(operation) === "session")) {
        const [method = "", path = ""] = name.split(" ");
        const body = name.endsWith("/recovery-codes") ? { body: { code: "000000" } } : {};
        const answer = await api.call(method, path.replace("{id}", other!.id), { session, ...body });
        expect({ name, error: answer.body["error"] }).toMatchObject({ name, error: { code: "totp_required" } });
      }
      expect(await rows()).toEqual(before);
    });

    test("another organization's things are not found, and stay as they are", async () => {
      const before = await snapshot();
      const boss = await person({ orgId, isOrgAdmin: true });
      for (const name of guarded) {
        const row = access[name]!;
        if (typeof row === "string") continue;
        const status = await send(name, { session: boss.session }, foreignIds[row.foreign]);
        expect({ name, status }).toEqual({ name, status: 404 });
      }
      expect(await snapshot()).toEqual(before);
      expect(api.closed).toEqual([]);
    });

    async function snapshot(): Promise<string> {
      const theirs = await database.db.kysely
        .selectFrom("accounts")
        .selectAll()
        .where("id", "=", foreignIds.account)
        .execute();
      const entries = await database.db.kysely.selectFrom("whitelist_entries").selectAll().execute();
      return JSON.stringify([theirs, entries]);
    }

    test("every operation of /org that names something by id says whose it is", () => {
      for (const [name, row] of Object.entries(access)) {
        if (/ \/org\/.*\{/.test(name)) expect({ name, foreign: typeof row }).toEqual({ name, foreign: "object" });
      }
    });
  });
});

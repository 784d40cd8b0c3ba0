// POST /_tunnel/register, GET /_tunnel/credential and DELETE /_tunnel/{id} as agents call them: answers, refusals, the limiter of wrong tokens.

import { describe, expect, test } from "bun:test";
import { createToken } from "../../src/auth/tokens.ts";
import { createTunnelRoutes } from "../../src/api/tunnels/routes.ts";
import type { AuditEntry } from "../../src/observe/audit.ts";
import { createTestApi, unnamed } from "../helpers/api.ts";
import { describeEngines, type TestDatabase } from "../helpers/databases.ts";
import { addAccount, addKey, addOrganization, openTestRegistry } from "../helpers/test-registry.ts";

async function setUp(database: TestDatabase, env: Record<string, string> = {}) {
  const at = await openTestRegistry(database, { env: { AGENT_WHITELIST: "203.0.113.0/24", ...env } });
  const api = createTestApi(database, { features: () => [(deps) => createTunnelRoutes(deps, at.registry)] });
  const bearer = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  return {
    ...{ at, api },
    register: (token: string, body: object = {}, address = "203.0.113.7") =>
      api.call("POST", "/_tunnel/register", {
        ...bearer(token),
        body: { agentId: "agent-one", generation: 1, version: "1.0.0", ...body },
        address,
      }),
    check: (token: string, address?: string) =>
      api.call("GET", "/_tunnel/credential", { ...bearer(token), ...(address === undefined ? {} : { address }) }),
    giveUp: (token: string, id: string) => api.call("DELETE", `/_tunnel/${id}`, bearer(token)),
    async [Symbol.asyncDispose]() {
      await at[Symbol.asyncDispose]();
    },
  };
}

describeEngines("the agents' calls", (open) => {
  test("a registration is answered with everything that the agent needs, and given up by its id", async () => {
    await using fresh = await open();
    await using one = await setUp(fresh, { TCP_PORTS: "20001" });
    const { token } = await addAccount(fresh, "ada");
    const other = await addAccount(fresh, "bob");
    const answer = await one.register(token, { subdomain: "mine", connections: 64, pool: true, capabilities: ["x"] });
    expect(answer).toMatchObject({
      status: 200,
      body: { success: true, subdomain: "mine", url: "https://mine.tunnel.test" },
    });
    // MAX_SESSIONS_PER_AGENT
    expect(answer.body["tickets"]).toHaveLength(4);
    expect(answer.headers.get("cache-control")).toContain("no-store");
    const tcp = await one.register(token, { protocol: "tcp", port: 20001, agentId: "agent-two" });
    expect(tcp).toMatchObject({ status: 200, body: { port: 20001, subdomain: "" } });
    const id = String(answer.body["tunnelId"]);
    expect((await one.giveUp(other.token, id)).status).toBe(404);
    expect((await one.giveUp(createToken("dlt"), id)).status).toBe(401);
    expect(await one.giveUp(token, id)).toMatchObject({ status: 200, body: { success: true } });
    expect((await one.giveUp(token, id)).status).toBe(404);
  });

  test("refusals say what, why, and whether trying again can help", async () => {
    await using fresh = await open();
    await using one = await setUp(fresh, { MAX_TUNNELS_PER_ACCOUNT: "1" });
    const [ada, bob] = [await addAccount(fresh, "ada"), await addAccount(fresh, "bob")];
    await one.register(ada.token, { subdomain: "mine" });
    const refused = await one.register(bob.token, { subdomain: "mine" });
    expect(refused).toMatchObject({
      status: 409,
      body: { error: { code: "name_taken", retryable: false, requestId: "req-1" } },
    });
    const full = await one.register(ada.token, { subdomain: "more" });
    expect(full).toMatchObject({ status: 429, body: { error: { code: "quota_exceeded", retryable: true } } });
    const far = await one.register(ada.token, {}, "192.0.2.1");
    expect(far).toMatchObject({ status: 403, body: { error: { code: "not_whitelisted" } } });
    expect(far.text).toContain("192.0.2.1");
    expect((await one.register(ada.token, { version: "0.0.1" })).status).toBe(426);
    expect((await one.register(ada.token, { protocol: "tcp" })).body).toMatchObject({
      error: { code: "protocol_unavailable" },
    });
  });

  test("a credential can be checked from anywhere, and opens nothing", async () => {
    await using fresh = await open();
    await using one = await setUp(fresh);
    const ada = await addAccount(fresh, "ada", await addOrganization(fresh, "acme"));
    const key = await addKey(fresh, ada.orgId!);
    const visitors = await addKey(fresh, ada.orgId!, { scope: "visitor" });
    const gone = await addAccount(fresh, "gone");
    await fresh.db.kysely.updateTable("accounts").set({ active: 0 }).where("id", "=", gone.id).execute();
    for (const address of ["203.0.113.7", "192.0.2.1"])
      expect(await one.check(ada.token, address)).toMatchObject({ status: 200, body: { success: true, name: "ada" } });
    expect(await one.check(key.token)).toMatchObject({ status: 200, body: { success: true } });
    const refused: [token: string, status: number, code: string][] = [
      [createToken("dlt"), 401, "bad_token"],
      ["anything", 401, "bad_token"],
      [visitors.token, 403, "scope_forbidden"],
      [gone.token, 403, "account_inactive"],
    ];
    for (const [token, status, code] of refused)
      expect(await one.check(token)).toMatchObject({ status, body: { error: { code, retryable: false } } });
    expect(one.at.registry.live()).toEqual([]);
    expect(one.api.audited.map(({ action, reason }) => `${action} ${reason}`)).toEqual(
      refused.map(([, , code]) => `tunnel.check_refused ${code}`),
    );
    for (let i = 0; i < 10; i++) await one.check(`guess-${i}`);
    expect((await one.check("guess")).status).toBe(429);
    expect((await one.check(ada.token)).status).toBe(200);
  });

  test("fields out of bounds and fields that nobody knows are refused before anything is judged", async () => {
    await using fresh = await open();
    await using one = await setUp(fresh);
    const { token } = await addAccount(fresh, "ada");
    const wrong: object[] = [
      { agentId: "short" },
      { agentId: "with space in it" },
      { generation: 0 },
      { generation: 1.5 },
      { generation: "5" },
      { port: "8080" },
      { connections: "2" },
      { pool: "true" },
      { exactPort: "true" },
      { capabilities: "x" },
      { subdomain: "" },
      { subdomain: "x".repeat(64) },
      { protocol: "udp" },
      { port: 0 },
      { connections: 0 },
      { target: "" },
      { target: "http://local host" },
      { target: "http://localhost/\u202e" },
      { target: "x".repeat(256) },
      { capabilities: Array.from({ length: 33 }, () => "x") },
      { host: "127.0.0.1" },
    ];
    for (const body of wrong) expect([body, (await one.register(token, body)).status]).toEqual([body, 422]);
    expect(one.at.registry.live()).toEqual([]);
    for (const connections of [65, "2"]) {
      const { body } = await one.register(token, { connections });
      expect(body["error"]).toMatchObject({ message: "connections must be a whole number from 1 to 64." });
    }
  });

  describe("security", () => {
    test("a call that is refused before it is judged says whether retrying helps, and is in the log once a minute", async () => {
      await using fresh = await open();
      await using one = await setUp(fresh);
      const { token, id: accountId } = await addAccount(fresh, "ada");
      const headers = { authorization: `Bearer ${token}` };
      const send = (body: string, more: object = {}) =>
        one.api.call("POST", "/_tunnel/register", { body, headers: { ...headers, ...more } });
      const again = async () => [
        await send("{"),
        await send("{}", { "content-type": "text/plain" }),
        await send("{}", { "content-length": "999999999" }),
        await send("{}"),
        await one.giveUp(token, "not%20an%20id"),
        await one.giveUp(token, "tun_00000000000000000000000000"),
      ];
      const wanted: [status: number, code: string, action: string][] = [
        [400, "bad_request", "tunnel.refused"],
        [415, "unsupported_media_type", "tunnel.refused"],
        [413, "payload_too_large", "tunnel.refused"],
        [422, "validation", "tunnel.refused"],
        [422, "validation", "tunnel.release_refused"],
        [404, "not_found", "tunnel.release_refused"],
      ];
      for (let i = 0; i < 3; i++) {
        expect(await again()).toMatchObject(
          wanted.map(([status, code]) => ({ status, body: { error: { code, retryable: false, requestId: "req-1" } } })),
        );
      }
      expect(one.api.audited).toMatchObject(
        wanted.map(([, reason, action]) => ({
          ...{ action, reason, success: false, address: "203.0.113.7", requestId: "req-1" },
        })),
      );
      expect(one.api.audited.at(-1)).toMatchObject({ actorId: accountId, actorName: "ada", authType: "token" });
    });

    test("wrong tokens count per address; a guesser is blocked, whoever has a token of ours is not", async () => {
      await using fresh = await open();
      await using one = await setUp(fresh);
      const { token } = await addAccount(fresh, "ada");
      const guess = (n: number, address?: string) => one.register(`${"guess".repeat(8)}${n}`, {}, address);
      for (let i = 0; i < 10; i++) expect((await guess(i)).status).toBe(401);
      const blocked = await guess(10);
      expect(blocked).toMatchObject({ status: 429, body: { error: { code: "rate_limited", retryable: true } } });
      expect(Number(blocked.headers.get("retry-after"))).toBeGreaterThan(0);
      expect((await one.register(createToken("dlt"))).status).toBe(429);
      const nobodys = "tun_00000000000000000000000000";
      expect((await one.giveUp(createToken("dlk"), nobodys)).status).toBe(429);
      // Every refusal is in the log, and none fills it: while the address is blocked, the same is one entry a minute.
      const refused = (of: AuditEntry[]) => of.map(({ action, reason, success }) => `${action} ${reason} ${success}`);
      expect(refused(one.api.audited)).toEqual([
        "tunnel.refused rate_limited false",
        "tunnel.release_refused bad_token false",
      ]);
      // Ten that the limiter counted, and one with the form of a token.
      expect(refused(one.at.audited)).toEqual(Array(11).fill("tunnel.refused bad_token false"));
      for (let i = 0; i < 50; i++) {
        expect((await guess(i)).status).toBe(429);
        expect((await one.register(createToken("dlt"))).status).toBe(429);
        expect((await one.giveUp(createToken("dlk"), nobodys)).status).toBe(429);
        expect((await one.giveUp("guess".repeat(9), nobodys)).status).toBe(429);
      }
      expect(refused(one.api.audited).slice(2)).toEqual(["tunnel.release_refused rate_limited false"]);
      expect(one.at.audited).toHaveLength(11);
      expect((await one.register(token)).status).toBe(200);
      expect((await guess(11, "203.0.113.8")).status).toBe(401);
      one.api.clock.nowMs += 31 * 60_000;
      expect((await guess(12)).status).toBe(401);
      const body = { agentId: "agent-one", generation: 1, version: "1.0.0" };
      for (let i = 0; i < 12; i++) {
        const headers = { authorization: `Bearer ${"guess".repeat(8)}${i}`, ...unnamed };
        expect((await one.api.call("POST", "/_tunnel/register", { headers, body })).status).toBe(401);
      }
    });

    test("many agents that come back from one address at once are no guessers", async () => {
      await using fresh = await open();
      await using one = await setUp(fresh);
      const people = await Promise.all(Array.from({ length: 40 }, (_, i) => addAccount(fresh, `person-${i}`)));
      const answers = await Promise.all(people.map(({ token }, i) => one.register(token, { subdomain: `name-${i}` })));
      expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
    });

    test("a session of the dashboard opens no tunnel", async () => {
      await using fresh = await open();
      await using one = await setUp(fresh);
      await addAccount(fresh, "ada");
      const body = { agentId: "agent-one", generation: 1, version: "1.0.0" };
      const answer = await one.api.call("POST", "/_tunnel/register", { body, session: "anything" });
      expect(answer).toMatchObject({ status: 401, body: { error: { code: "bad_token" } } });
    });
  });
});

// Changes over the HTTP API act on live tunnels of a running server, on both engines: policies within a second, and what
// is no longer permitted is closed within five.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import type { AdminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import type { LocalService } from "../helpers/local-service.ts";
import { type OrganizationServer, startOrganizationServer } from "../helpers/organization-server.ts";
import { RawClient } from "../helpers/raw-client.ts";
import type { TestServer } from "../helpers/server.ts";
import { statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(60_000);

const ada = { authType: "basic", basicUsername: "ada", basicPassword: "visitor-secret" };
const asAda = `Authorization: Basic ${btoa("ada:visitor-secret")}\r\n`;

/** Rejects when the server doesn't end the connection. */
async function ends(client: RawClient): Promise<void> {
  let over = false;
  void client.ended.then(() => (over = true));
  await eventually(() => over, "the connection is ended");
}

describe.each(["sqlite", "postgres"])("%s", (engine) => {
  let server: TestServer;
  let local: LocalService;
  let api: AdminApi;
  let orgId: string;
  let world: OrganizationServer | null = null;
  beforeAll(async () => {
    world = await startOrganizationServer(engine);
    ({ server, local, api, orgId } = world);
  });
  afterAll(() => world?.[Symbol.asyncDispose]());

  const serve = (name: string, token: string, connections = 2) =>
    startTestAgent({ server: { port: server.port, token }, subdomain: name, localPort: local.port, connections });
  /** An organization's list entry that lets agents of here in, unless another level is named. */
  const allow = async (path = `/admin/organizations/${orgId}/whitelist`): Promise<string> => {
    const { entry } = await api.must("POST", path, { ipRange: "127.0.0.0/8" });
    return `${path}/${(entry as { id: string }).id}`;
  };
  const open = async (name: string, lines = ""): Promise<RawClient> => {
    const client = await RawClient.open({ port: server.port });
    const upgrade =
      "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    const head = client.response();
    await client.send(`GET /raw HTTP/1.1\r\nHost: ${name}.localhost\r\n${lines}${upgrade}\r\n`);
    expect((await head).status).toBe(101);
    return client;
  };

  test("a policy that is set, changed or removed is in force without a restart, on kept connections too", async () => {
    const entry = await allow();
    const appId = await api.createApplication(orgId, "moving", "inherit");
    const key = await api.createKey({ orgId, scope: "tunnel" });
    await using agent = await serve("moving", key.raw);
    expect(agent.of("refused")).toEqual([]);
    using kept = await RawClient.open({ port: server.port });
    const onKept = async (lines: string): Promise<number> => {
      const answer = kept.response();
      await kept.send(`GET / HTTP/1.1\r\nHost: moving.localhost\r\n${lines}\r\n`);
      return (await answer).status;
    };
    expect(await onKept("")).toBe(200);
    const within = async (change: () => Promise<unknown>, lines: string, status: number): Promise<void> => {
      await change();
      await eventually(async () => {
        using client = await RawClient.open({ port: server.port });
        const answer = client.response();
        await client.send(`GET / HTTP/1.1\r\nHost: moving.localhost\r\n${lines}\r\n`);
        return (await answer).status === status;
      }, `visitors get ${status}`);
    };
    const app = `/admin/applications/${appId}`;
    const org = `/admin/organizations/${orgId}/policy`;
    await within(() => api.must("PUT", org, ada), asAda, 200);
    await within(() => Promise.resolve(), "", 401);
    expect(await onKept(asAda)).toBe(200);
    await within(() => api.must("PUT", org, { ...ada, basicPassword: "another-secret" }), asAda, 401);
    await within(() => api.must("PUT", app, { authMode: "disabled" }), "", 200);
    await within(() => api.must("PUT", app, { authMode: "custom" }), "", 403);
    await within(() => api.setPolicy(appId, { ...ada, denyIps: ["127.0.0.0/8"] }), asAda, 403);
    await within(() => api.setPolicy(appId, { ...ada, denyIps: [] }), asAda, 200);
    await within(() => api.must("DELETE", `${app}/policy`), asAda, 403);
    await within(() => api.must("PUT", app, { authMode: "inherit" }), "", 401);
    await within(() => api.must("DELETE", org), "", 200);
    await api.must("DELETE", entry);
  });

  describe("security", () => {
    /** Takes the permission away and expects sessions, visitors and the name to be gone. */
    async function expectClosed(name: string, token: string, change: () => Promise<unknown>): Promise<void> {
      await using agent = await serve(name, token);
      using visitor = await open(name);
      await change();
      await ends(visitor);
      await eventually(async () => (await statusOf(visit(server.port, name, "/"))) !== 200, "no visitor passes");
      await eventually(() => agent.of("tunnel.lost").length + agent.of("refused").length > 0, "the agent knows");
    }

    test("a revoked key closes its tunnels", async () => {
      const entry = await allow();
      await api.createApplication(orgId, "byte", "inherit");
      const key = await api.createKey({ orgId, scope: "tunnel" });
      await expectClosed("byte", key.raw, () => api.must("DELETE", `/admin/api-keys/${key.id}`));
      await api.must("DELETE", entry);
    });

    test("a disabled account closes its tunnels", async () => {
      const account = await api.createAccount("bob", null);
      await allow(`/admin/accounts/${account.id}/whitelist`);
      await expectClosed("bobs", account.token, () => api.must("DELETE", `/admin/accounts/${account.id}`));
    });

    test("a removed list entry closes what only it allowed, at every level", async () => {
      const account = await api.createAccount("carol", null);
      const appId = await api.createApplication(orgId, "listed", "inherit");
      const key = await api.createKey({ orgId, appId, scope: "tunnel" });
      for (const [path, name, token] of [
        ["/admin/whitelist", "carols", account.token],
        [`/admin/accounts/${account.id}/whitelist`, "carols", account.token],
        [`/admin/organizations/${orgId}/whitelist`, "listed", key.raw],
        [`/admin/applications/${appId}/whitelist`, "listed", key.raw],
      ] as const) {
        const entry = await allow(path);
        await expectClosed(name, token, () => api.must("DELETE", entry));
      }
    });

    test("a tightened policy ends long answers and upgraded connections of those who would not pass now, and of nobody else", async () => {
      const entry = await allow();
      const appId = await api.createApplication(orgId, "tight", "custom");
      await api.must("PUT", `/admin/applications/${appId}`, { authMode: "disabled" });
      const key = await api.createKey({ orgId, scope: "tunnel" });
      await using agent = await serve("tight", key.raw);
      expect(agent.of("refused")).toEqual([]);
      using stranger = await open("tight");
      using reader = await RawClient.open({ port: server.port });
      const answer = reader.response();
      void answer.catch(() => {});
      await reader.send("GET /sse/tight HTTP/1.1\r\nHost: tight.localhost\r\n\r\n");
      await (await local.events("tight")).send("still open");
      await reader.until("still open");
      // Before what is waited for: a key that comes and goes between two looks at the feed is no change.
      const guest = await api.createKey({ orgId, appId, scope: "visitor" });
      await api.setPolicy(appId, { ...ada, apiKeyEnabled: true });
      await api.must("PUT", `/admin/applications/${appId}`, { authMode: "custom" });
      await Promise.all([ends(stranger), ends(reader)]);
      await expect(answer).rejects.toThrow();

      using byKey = await open("tight", `X-API-Key: ${guest.raw}\r\n`);
      using byPassword = await open("tight", asAda);
      await api.must("DELETE", `/admin/api-keys/${guest.id}`);
      await ends(byKey);
      const echo = byPassword.rawBytes(5);
      await byPassword.send("still");
      expect((await echo).toString()).toBe("still");
      await api.setPolicy(appId, { ...ada, denyIps: ["127.0.0.0/8"] });
      await ends(byPassword);
      await api.must("DELETE", entry);
    });
  });
});

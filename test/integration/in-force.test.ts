// An answer of the API says what is so: visitors meet a change from the moment on at which it was answered.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { createTestApi } from "../helpers/api.ts";
import { openTestSqlite } from "../helpers/databases.ts";
import { createPerson } from "../helpers/people.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { startTaggedService, type TaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

let server: ServerProcess;
let service: TaggedService;
beforeAll(async () => {
  server = await startServerProcess({ shards: 2 });
  service = startTaggedService("in-force");
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

test("security: a policy, on connections that stand and on new ones, each time that it changes", async () => {
  const api = adminApi(server);
  const orgId = await api.createOrganization("Acme");
  const appId = await api.createApplication(orgId, "shop", "disabled");
  await api.setPolicy(appId, { authType: "basic", basicUsername: "guest", basicPassword: "come on in 77" });
  await using _agent = await openTunnel({
    origin: server.origin,
    token: (await api.createKey({ orgId, appId, scope: "tunnel" })).raw,
    port: service.port,
    name: "shop",
  });
  const visit = async (headers: Record<string, string>): Promise<number> => {
    const init = { headers: { host: "shop.localhost", ...headers } };
    const response = await fetch(`http://127.0.0.1:${server.port}/`, init);
    await response.arrayBuffer();
    return response.status;
  };
  // Much else changes as well: what was committed is not yet what the shards know.
  const others = await Promise.all(["a", "b", "c", "d"].map((name) => api.createApplication(orgId, name, "disabled")));
  const seen: number[] = [];
  for (let round = 0; round < 10; round++) {
    for (const authMode of ["custom", "disabled"]) {
      const busy = others.map((id) => api.must("PUT", `/admin/applications/${id}`, { name: `round ${round}` }));
      await api.must("PUT", `/admin/applications/${appId}`, { authMode });
      seen.push(await visit({}), await visit({ connection: "close" }));
      await Promise.all(busy);
    }
  }
  expect(seen).toEqual(Array.from({ length: 10 }, () => [401, 401, 200, 200]).flat());
});

test("a change is answered when it has been told, and what only reads waits for nothing", async () => {
  await using database = await openTestSqlite();
  const told = Promise.withResolvers<void>();
  let waiting = 0;
  const api = createTestApi(database, {
    caughtUp: () => {
      waiting++;
      return told.promise;
    },
  });
  const { session } = await createPerson(api, { username: "root", isAdmin: true, totp: true });
  waiting = 0;
  let isAnswered = false;
  const body = { username: "ada" };
  const change = api.call("POST", "/admin/accounts", { session, body }).finally(() => (isAnswered = true));
  await eventually(() => waiting === 1, "the change waits");
  expect((await api.call("GET", "/admin/accounts", { session })).status).toBe(200);
  expect([waiting, isAnswered]).toEqual([1, false]);
  told.resolve();
  expect((await change).status).toBeWithin(200, 300);
});

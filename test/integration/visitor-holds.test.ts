// An agent that is away: whom the policy doesn't let in is told so at once, and reads nothing of it; everybody else waits.

import { describe, expect, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startTestServer } from "../helpers/server.ts";
import { requestBytes } from "../helpers/services.ts";

describe("security", () => {
  test("a visitor is judged before it waits for an agent, and before it is told that there is none", async () => {
    // Longer than a test may take: who is answered has not waited.
    await using server = await startTestServer({ HOLD_MS: "10m", GRACE_MS: "10m" });
    const api = adminApi(server);
    const orgId = await api.createOrganization("Acme");
    const policy = { authType: "basic", basicUsername: "guest", basicPassword: "come on in 77" };
    for (const name of ["away", "never"])
      await api.setPolicy(await api.createApplication(orgId, name, "custom"), policy);
    const { raw: token } = await api.createKey({ orgId, scope: "tunnel" });
    using service = startLocalService();
    const options = { server: { port: server.port, token }, subdomain: "away", localPort: service.port };
    await (await startTestAgent(options)).stop(0);

    const credential = (password: string): string =>
      `Authorization: Basic ${Buffer.from(`guest:${password}`).toString("base64")}`;
    const ask = async (name: string, lines: string[]): Promise<number> => {
      using client = await RawClient.open(server);
      await client.send(requestBytes(`${name}.localhost`, "/ok", { lines }));
      return (await client.response({ timeoutMs: 30_000 })).status;
    };
    const waiting = ask("away", [credential("come on in 77")]);
    for (const name of ["away", "never"])
      for (const lines of [[], [credential("a guess of mine")]])
        expect([name, await ask(name, lines)]).toEqual([name, 401]);
    expect(await ask("never", [credential("come on in 77")])).toBe(503);
    await using _agent = await startTestAgent(options);
    expect(await waiting).toBe(200);
  });
});

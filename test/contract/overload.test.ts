// Contract: agents that are here and have no room. Visitors are told at once; they wait only for agents that are away.

import { describe, expect, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalService, startLocalService } from "../helpers/local-service.ts";
import { onlyValue, type RawClient, type RawResponse } from "../helpers/raw-client.ts";
import { describeContract, requestBytes } from "../helpers/services.ts";

const env = { MAX_STREAMS_PER_SESSION: "2", GRACE_MS: "10m" };

function expectOverload(response: RawResponse): void {
  const { error } = JSON.parse(response.body.toString()) as { error: { code: string } };
  expect([response.status, error.code]).toEqual([503, "tunnel_overloaded"]);
  expect(Number(onlyValue(response, "retry-after"))).toBeGreaterThan(0);
}

// Who waits does so for longer than a test may take: who is answered has not waited.
describeContract("overload", { ...env, HOLD_MS: "10m" }, (parties) => {
  /** A visitor whose request is at the local service and gets no answer. */
  async function occupy(target: string, host: string, service: LocalService): Promise<RawClient> {
    const client = await parties().open();
    await client.send(requestBytes(host, target));
    await service.next(target);
    return client;
  }

  describe("security", () => {
    test.each([1, 2])(
      "when all places of %d sessions are taken the next visitor reads so at once, and places come free",
      async (sessions) => {
        const { host, service, other, ask } = parties();
        const [name, at] = sessions === 1 ? [other.host, other.service] : [host, service];
        const clients: RawClient[] = [];
        for (let i = 0; i < sessions * 2; i++) clients.push(await occupy(`/silent/${i}`, name, at));
        expectOverload(await ask("/refused", { host: name }));
        const lines = ["Content-Length: 3"];
        expectOverload(await ask("/refused", { host: name, method: "POST", lines, body: "abc" }));
        expect(at.requests.filter(({ target }) => target === "/refused")).toEqual([]);
        clients.pop()!.socket.destroy();
        await eventually(async () => (await ask("/ok", { host: name })).status === 200, "a place came free");
        for (const client of clients) client.socket.destroy();
      },
    );
  });

  test("an agent that leaves is no full one: visitors wait for the next", async () => {
    const { server, ask } = parties();
    using service = startLocalService();
    const options = { server, subdomain: "leaving", localPort: service.port, connections: 1 };
    const host = "leaving.localhost";
    const first = await startTestAgent(options);
    using one = await occupy("/sse/one", host, service);
    using _two = await occupy("/sse/two", host, service);
    expectOverload(await ask("/ok", { host }));
    const events = await service.events("one");
    const stopped = first.stop(5_000);
    // It comes on the session behind the word that the agent leaves.
    await events.send("behind");
    await one.until("behind");
    const answer = ask("/ok", { host });
    await using _second = await startTestAgent(options);
    expect((await answer).status).toBe(200);
    await stopped;
  });
});

describeContract("overload, and a wait that ends", { ...env, HOLD_MS: "3s" }, (parties) => {
  test("of those who waited for an agent some find no room: they are served as places come free, or read why not", async () => {
    const { server, open, ask } = parties();
    using service = startLocalService();
    const options = { server, subdomain: "back", localPort: service.port, connections: 1 };
    const host = "back.localhost";
    await (await startTestAgent(options)).stop(0);
    const clients = [await open(), await open(), await open(), await open()];
    const answers = clients.map((client) => client.response());
    for (const answer of answers) answer.catch(() => undefined);
    for (const [i, client] of clients.entries()) await client.send(requestBytes(host, `/silent/back/${i}`));
    const streams = async (): Promise<number> => {
      const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
      return (tunnels as { subdomain: string; streams: number }[]).find((it) => it.subdomain === "back")?.streams ?? 0;
    };
    await eventually(async () => (await streams()) === 4, "all of them wait");
    await using _agent = await startTestAgent(options);
    const served = async (): Promise<number> => Number((await service.next("/silent/back/")).target.split("/").pop());
    const first = await served();
    const told = new Set([0, 1, 2, 3]);
    for (const one of [first, await served()]) told.delete(one);
    expectOverload(await ask("/ok", { host }));
    clients[first]!.socket.destroy();
    told.delete(await served());
    const [last] = told;
    expectOverload(await answers[last!]!);
    for (const client of clients) client.socket.destroy();
  });
});

// A server with few open files: strangers, whatever they ask, leave enough of them for the others.

import { expect, setDefaultTimeout, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent, type TestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { descriptorCount } from "../helpers/process-facts.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { basic } from "../helpers/visitor-asks.ts";
import { startTaggedService, type TaggedService } from "../helpers/tagged-service.ts";

setDefaultTimeout(30_000);

const openFiles = 400;
const many = { MAX_CONNECTIONS: "100000", MAX_CONNECTIONS_PER_ADDRESS: "100000" };

interface Parties extends AsyncDisposable {
  server: ServerProcess;
  agent: TestAgent;
  service: TaggedService;
}

/** A server that may open `openFiles`, and a tunnel `any`. */
async function startParties(): Promise<Parties> {
  const server = await startServerProcess({ shards: 1, env: many, openFiles });
  const service = startTaggedService("any");
  const agent = await startTestAgent({ server, subdomain: "any", localPort: service.port });
  return {
    ...{ server, agent, service },
    async [Symbol.asyncDispose]() {
      await agent[Symbol.asyncDispose]();
      await service[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

/** Strangers that send `bytes` and then nothing; counts the statuses they read. */
async function crowdOf(port: number, size: number, bytes: string) {
  const statuses: Record<number, number> = {};
  const clients = await Promise.all(
    Array.from({ length: size }, async () => {
      const client = await RawClient.open({ port });
      if (bytes !== "") await client.send(bytes);
      void client.response().then(
        ({ status }) => (statuses[status] = (statuses[status] ?? 0) + 1),
        () => {},
      );
      return client;
    }),
  );
  const leave = () => clients.forEach((client) => client.socket.destroy());
  return { statuses, leave };
}

/** The most descriptors that the process was seen to have. */
function watchFiles(pid: number) {
  let most = 0;
  const watching = setInterval(() => (most = Math.max(most, descriptorCount(pid))), 5);
  return { most: () => most, [Symbol.dispose]: () => clearInterval(watching) };
}

async function ask(visitor: RawClient, host: string, path = "/"): Promise<number> {
  await visitor.send(`GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`);
  return (await visitor.response()).status;
}

test("MAX_CONNECTIONS is lowered with a warning: visitors beyond it are refused, and nobody else notices", async () => {
  await using parties = await startParties();
  const { server } = parties;
  expect(server.log.filter(({ level }) => level === "warn").map(({ message }) => message)).toContain(
    "MAX_CONNECTIONS is lowered from 100000 to 320: this process may open 400 files. Raise that limit (LimitNOFILE, --ulimit nofile) for more.",
  );
  using visitor = await RawClient.open(server);
  expect(await ask(visitor, "any.localhost")).toBe(200);
  const { statuses, leave } = await crowdOf(server.port, 500, "");
  // The visitor, the agent's two sessions and its registration may have places, too.
  await eventually(() => (statuses[503] ?? 0) >= 500 - 320, "those beyond it have read why");
  expect(statuses[503]).toBeLessThanOrEqual(500 - 320 + 4);
  expect(await ask(visitor, "any.localhost")).toBe(200);
  leave();
  expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  // Once a minute, whatever strangers do.
  const told = server.log.filter(({ message }) => message.startsWith("connections are refused"));
  expect(told).toMatchObject([{ level: "warn", limit: "MAX_CONNECTIONS", most: 320 }]);
});

// Main relays the one, a shard the other.
test.each([
  ["localhost", "/auth/login"],
  ["guarded.localhost", "/__auth/basic"],
])(
  "requests to the control plane whose bodies never come don't take the files of the tunnels' visitors: %s%s",
  async (host, path) => {
    await using parties = await startParties();
    const { server } = parties;
    const api = adminApi(server);
    const appId = await api.createApplication(await api.createOrganization("Guarded"), "guarded", "custom");
    await api.setPolicy(appId, basic);
    const slow = `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`;
    using files = watchFiles(server.pid);
    const { statuses, leave } = await crowdOf(server.port, 280, slow);
    for (let i = 0; i < 20; i++) {
      using visitor = await RawClient.open(server);
      expect(await ask(visitor, "any.localhost")).toBe(200);
    }
    await eventually(() => (statuses[503] ?? 0) > 200, "most of them are refused");
    expect(files.most()).toBeLessThan(openFiles);
    leave();
    using visitor = await RawClient.open(server);
    await eventually(async () => (await ask(visitor, "localhost", "/live")) === 200, "the control plane answers again");
    expect(server.log.filter(({ level }) => level === "error")).toEqual([]);
  },
);

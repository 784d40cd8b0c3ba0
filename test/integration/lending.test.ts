// What a lent request costs: nothing that is counted per address, and no place where there is none.

import { expect, test } from "bun:test";
import { createPair } from "../../src/lib/descriptor.ts";
import { ConnectionCounts, createCountsMemory } from "../../src/handover/counts.ts";
import { createLedgerMemory, Ledger } from "../../src/handover/ledger.ts";
import { Connections } from "../../src/ingress/connections.ts";
import type { IngressHost } from "../../src/ingress/exchange.ts";
import { startTestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startTestServer } from "../helpers/server.ts";
import { requestBytes } from "../helpers/services.ts";

test("the way of lent requests counts among all connections, and among no address's", async () => {
  const memory = createLedgerMemory(1024);
  const counts = new ConnectionCounts(createCountsMemory(1), 0);
  const host = { settings: { headTimeoutMs: 10_000 }, released: (one) => connections.released(one) } as IngressHost;
  const connections = new Connections({ ledger: new Ledger(memory, 0), counts, host, tickMs: 1_000 });
  const address = "192.0.2.1";
  const adopt = (lent: boolean): void => {
    const fd = createPair()![0];
    const meta = { address, secure: false, unread: "", acceptedAtMs: 0, last: false, moves: 0, lent };
    new Ledger(memory, 1).send(fd, -1, 0, () => connections.adopt({ fd, ...meta }));
  };
  adopt(false);
  adopt(true);
  expect([counts.total(), counts.ofAddress(address)]).toEqual([2, 1]);
  connections.close();
  await eventually(() => counts.total() === 0 && counts.ofAddress(address) === 0, "all are given back");
});

test("security: where there is no place more nothing is lent: the connection moves", async () => {
  await using server = await startTestServer({ SHARDS: "2", LEND_AFTER_MOVES: "1", MAX_CONNECTIONS: "12" });
  using service = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response("ok") });
  const serve = async (subdomain: string) =>
    startTestAgent({ server, subdomain, localPort: service.port ?? 0, connections: 1 });
  // Of two shards each has one name.
  await using _one = await serve("demo");
  await using _two = await serve("other");
  const { port } = server;
  const ask = async (client: RawClient, host: string): Promise<number> => {
    await client.send(requestBytes(host, "/health")).catch(() => {});
    return (await client.response().catch(() => null))?.status ?? 0;
  };
  using visitor = await RawClient.open({ port });
  expect(await ask(visitor, "demo.localhost")).toBe(200);
  const others: RawClient[] = [];
  do others.push(await RawClient.open({ port }));
  while ((await ask(others.at(-1)!, "localhost")) === 200);
  expect(await ask(visitor, "other.localhost")).toBe(200);
  // A loan would have taken the place that comes free.
  others[0]!.socket.destroy();
  await eventually(async () => {
    using next = await RawClient.open({ port });
    return (await ask(next, "localhost")) === 200;
  }, "there is a place for somebody else");
  for (const { socket } of others) socket.destroy();
});

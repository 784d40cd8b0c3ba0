// What a lent request costs: no place of a visitor's, and no descriptor.

import { expect, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { requestBytes } from "../helpers/services.ts";
import { descriptorCount } from "../helpers/process-facts.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

test("security: connections that lend take a place and a descriptor each, as those that don't", async () => {
  const env = { LEND_AFTER_MOVES: "1", MAX_CONNECTIONS: "14" };
  await using server = await startServerProcess({ shards: 2, env });
  // Of two shards each has one name.
  const services = ["ant", "bee"].map(startTaggedService);
  const agents = await Promise.all(services.map(({ tag, port }) => openTunnel({ ...server, port, name: tag })));
  const { port } = server;
  const ask = async (client: RawClient, host: string): Promise<number> => {
    await client.send(requestBytes(host, "/health")).catch(() => {});
    return (await client.response().catch(() => null))?.status ?? 0;
  };
  const both = async (client: RawClient): Promise<number[]> => {
    const statuses: number[] = [];
    for (const host of ["ant", "bee", "ant", "bee"]) statuses.push(await ask(client, `${host}.localhost`));
    return statuses;
  };
  const visitors: RawClient[] = [];
  const served = async (): Promise<boolean> => {
    visitors.push(await RawClient.open({ port }));
    return (await both(visitors.at(-1)!)).every((status) => status === 200);
  };
  expect(await served()).toBe(true);
  const before = descriptorCount(server.pid);
  while (await served()) expect(visitors.length).toBeLessThan(14);
  const more = visitors.length - 2;
  // With the four sessions of the agents.
  expect(more).toBeGreaterThanOrEqual(7);
  await eventually(() => descriptorCount(server.pid) <= before + more, "a descriptor for each visitor");
  for (const { socket } of visitors) socket.destroy();
  await Promise.all([...agents, ...services].map((one) => one[Symbol.asyncDispose]()));
});

test("an agent's way to its shard is never lent: what its shard says of it depends on no connection's past", async () => {
  await using server = await startServerProcess({ shards: 2, env: { LEND_AFTER_MOVES: "1" } });
  // The names belong to one shard each, and so do the paths. A proxy between agent and server may have taken the upgrade away.
  for (const name of ["ant", "bee"]) {
    for (const [shard, code] of [
      [0, "bad_request"],
      [1, "bad_request"],
      [7, "not_found"],
    ] as const) {
      using client = await RawClient.open(server);
      await client.send(requestBytes(`${name}.localhost`, "/") + requestBytes("localhost", `/_tunnel/s/${shard}`));
      const [first, second] = await client.responses(2);
      expect([first!.status, JSON.parse(String(second!.body)).error.code]).toEqual([404, code]);
    }
  }
});

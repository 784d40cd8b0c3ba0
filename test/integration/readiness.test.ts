// What /ready promises: the database answers and a shard is there for tunnels. A shard that dies takes no other with it.

import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";

setDefaultTimeout(20_000);

const ask = async ({ port }: ServerProcess, path: string) => {
  const { status, body } = await requestOnce(
    { port },
    `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`,
  );
  return { status, body: JSON.parse(body.toString()) as { error?: { code: string } } };
};

/** Answers of /ready as they come, from before a shard's death until after its replacement. */
async function whileShardDies(server: ServerProcess): Promise<{ ready: number[]; live: number[] }> {
  const [ready, live]: [number[], number[]] = [[], []];
  let isOver = false;
  // One after the other: as many as the machine answers, and none once the test has ended, however it did.
  const keepAsking = async (path: string, statuses: number[]): Promise<void> => {
    while (!isOver) statuses.push((await ask(server, path)).status);
  };
  const asked = Promise.all([keepAsking("/ready", ready), keepAsking("/live", live)]);
  asked.catch(() => (isOver = true));
  await eventually(() => ready.length > 0, "it is asked");
  await server.fault("exit", 0);
  const said = (text: string) => server.log.some(({ message }) => message === text);
  await eventually(() => said("a shard died"), "the shard died");
  const before = ready.length;
  await eventually(() => ready.length > before + 40, "it was asked often since");
  await eventually(async () => (await ask(server, "/ready")).status === 200, "it is ready again", 10_000);
  isOver = true;
  await asked;
  return { ready, live };
}

test("not ready while no shard is there, alive all the time, and ready again with its successor", async () => {
  await using server = await startServerProcess({ shards: 1, faults: true });
  expect(await ask(server, "/ready")).toEqual({ status: 200, body: { status: "ok" } as object });
  const { ready, live } = await whileShardDies(server);
  expect(new Set(ready)).toEqual(new Set([200, 503]));
  expect(new Set(live)).toEqual(new Set([200]));
});

test("ready as long as one of the shards is there", async () => {
  await using server = await startServerProcess({ shards: 2, faults: true });
  const { ready } = await whileShardDies(server);
  expect(new Set(ready)).toEqual(new Set([200]));
});

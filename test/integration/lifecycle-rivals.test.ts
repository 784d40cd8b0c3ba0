// Two starts of one agent at once: the newer one serves, the older one ends instead of taking the name back.

import { expect, setDefaultTimeout, test } from "bun:test";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { beginTunnel, openTunnel } from "../helpers/tunnel-agent.ts";

setDefaultTimeout(30_000);

test("an agent that was replaced by a newer start of itself says so and ends", async () => {
  await using server = await startServerProcess({ shards: 1 });
  await using service = startTaggedService("rival");
  await using older = await openTunnel({ ...server, port: service.port, name: "rival" });
  await older.until("session");
  await using newer = await openTunnel({ ...server, port: service.port, name: "rival" });
  expect(await older.done).toMatchObject({ reason: "refused", code: "replaced" });
  const sentence =
    "This tunnel was started again for the same local port: the newer agent serves it now, and this one ends.";
  expect((await older.until("refused")).message).toBe(sentence);
  expect(newer.all("tunnel.lost")).toEqual([]);
});

test("the same port of another host is another agent, which doesn't take the name", async () => {
  await using server = await startServerProcess({ shards: 1 });
  await using service = startTaggedService("first");
  await using first = await openTunnel({ ...server, port: service.port, name: "hosts" });
  await first.until("session");
  await using second = beginTunnel({ ...server, host: "127.0.0.2", port: service.port, name: "hosts" });
  expect(await second.done).toMatchObject({ reason: "refused", code: "name_in_use" });
  // However its host is spelled, this one is the first again.
  await using again = await openTunnel({ ...server, host: "localhost", port: service.port, name: "hosts" });
  expect(await first.done).toMatchObject({ reason: "refused", code: "replaced" });
  expect(again.all("tunnel.lost")).toEqual([]);
});

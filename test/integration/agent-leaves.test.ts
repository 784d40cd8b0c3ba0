// An agent that stops: what the server sent it before it could know is answered.

import { expect, setDefaultTimeout, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { startRelay } from "../helpers/relay.ts";
import { startTestServer } from "../helpers/server.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { visit } from "../helpers/visit.ts";

setDefaultTimeout(30_000);

test("a POST that met the word of it half-way is answered, and the agent has stopped then", async () => {
  await using service = startTaggedService("leaving");
  await using server = await startTestServer({ HOLD_MS: "1ms" });
  await using relay = await startRelay(server.port);
  const { token } = server;
  await using agent = await openTunnel({ token, origin: relay.origin, port: service.port, name: "leaving" });
  await eventually(() => relay.sessions().length === 2, "both sessions stand");
  for (const session of relay.sessions()) session.stall();
  const stopped = agent.stop(20_000);
  const answer = visit(server.port, "leaving", "/", { method: "POST", body: "once", id: "one" });
  const isSent = async (): Promise<boolean> => {
    const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
    return (tunnels as { streams: number }[])[0]!.streams === 1;
  };
  await eventually(isSent, "the server has sent it");
  for (const session of relay.sessions()) session.resume();
  expect((await answer).status).toBe(200);
  expect(service.seen.get("one")).toBe(1);
  await stopped;
  expect(await agent.done).toEqual({ reason: "stopped" });
});

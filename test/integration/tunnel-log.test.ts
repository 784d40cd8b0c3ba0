// The server's log says which tunnels there are, without an audit log or a dashboard.

import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { beginTunnel, openTunnel } from "../helpers/tunnel-agent.ts";

setDefaultTimeout(30_000);

test("a tunnel's beginning and end, and who was refused, are lines of the log", async () => {
  await using server = await startServerProcess({ shards: 1, env: { GRACE_MS: "100ms" } });
  const said = () => server.log.filter(({ message }) => / (tunnel|agent) /.test(message));
  const agent = await openTunnel({ ...server, port: 9, name: "seen" });
  await eventually(() => said().length > 0, "the beginning is told");
  await using stranger = beginTunnel({ ...server, token: "dlt_wrong", port: 9, name: "seen" });
  await stranger.until("refused");
  await eventually(() => said().length > 1, "the refusal is told");
  await agent[Symbol.asyncDispose]();
  await eventually(() => said().length > 2, "the end is told");
  const line = { time: expect.any(String), level: "info", name: "seen", from: "127.0.0.1" };
  expect(said()).toEqual([
    { ...line, message: "a tunnel is open", by: "admin" },
    { ...line, message: "an agent was refused", reason: "bad_token" },
    { ...line, message: "a tunnel is closed", by: "admin", reason: expect.any(String), requests: 0 },
  ]);
});

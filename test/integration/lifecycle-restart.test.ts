// Many agents whose server is killed: they come back by themselves, each in its own time. `bun run soak --only restart` has a thousand, and takes the times.

import { expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { beginTunnel } from "../helpers/tunnel-agent.ts";
import { statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(120_000);

test("60 agents are back after kill -9, each under its name, and their tries are spread over the time that they may wait", async () => {
  await using service = startTaggedService("back");
  await using server = await startServerProcess();
  const names = Array.from({ length: 60 }, (_, i) => `back-${i}`);
  const agents = names.map((name) => beginTunnel({ ...server, port: service.port, name }));
  const ready = (times: number): boolean => agents.every((one) => one.all("tunnel.ready").length >= times);
  await eventually(() => ready(1), "all are up", 60_000);
  server.signal("SIGKILL");
  await server.exited;
  await eventually(() => agents.every((one) => one.all("tunnel.retry").length >= 3), "all have tried in vain", 60_000);
  await using again = await startServerProcess({ again: server });
  await eventually(() => ready(2), "all are back", 60_000);
  expect(await Promise.all(names.map((name) => statusOf(visit(again.port, name, "/"))))).toEqual(names.map(() => 200));
  // What they may wait doubles from 250 ms with each failure, and the first of these need not be told.
  for (const round of [0, 1, 2]) {
    const waits = agents.map((one) => one.all("tunnel.retry")[round]!.inMs);
    const short = waits.filter((ms) => ms < 125 * 2 ** round).length;
    expect(short, `round ${round}`).toBeWithin(3, 58);
    expect(Math.max(...waits)).toBeLessThanOrEqual(500 * 2 ** round);
  }
  await Promise.all(agents.map((one) => one.stop(0)));
});

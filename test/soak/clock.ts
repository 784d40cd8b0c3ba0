// Hundreds of agents while the server's clock is set by an hour, forth and back, with the default times of liveness.

import { eventually } from "../helpers/eventually.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { createSteppingClock } from "../helpers/stepping-clock.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { beginTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { keepVisiting, statusOf, visit } from "../helpers/visit.ts";
import { atLeast, exactly, figure, type Scenario, scaled } from "./scenario.ts";

/** Longer than a session may be silent. */
const waitMs = 35_000;

export const clock: Scenario = {
  name: "clock",
  about: "500 agents while clocks are set by an hour, forth and back: nobody is disconnected",
  async run(options) {
    const count = scaled(options, 500, 20);
    using clocks = createSteppingClock();
    await using service = startTaggedService("timeless");
    const env = { MAX_CONNECTIONS_PER_ADDRESS: "100000", ...clocks.env };
    await using server = await startServerProcess({ shards: 2, env });
    // Agents of this process keep their clock; one has a process of its own, whose clock is set as well.
    const agents = Array.from({ length: count }, (_, i) =>
      beginTunnel({ ...server, port: service.port, name: `time-${i}` }),
    );
    const own = await openTunnelProcess({ ...server, port: service.port, name: "time-own", env: clocks.env });
    const all = [...agents, own];
    await eventually(() => all.every((one) => one.all("session").length > 0), "all are up", 120_000, 50);
    const visitors = ["time-0", "time-1", "time-own"].map((name) => keepVisiting(server.port, name));
    for (const seconds of [3_600, -3_600, 0]) {
      clocks.step(seconds);
      options.say(`the clock is ${seconds} s off`);
      await Bun.sleep(waitMs);
    }
    const counts = await Promise.all(visitors.map((one) => one.stop()));
    const asked = counts.flatMap((one) => Object.entries(one));
    const statuses = await Promise.all(agents.map((_, i) => statusOf(visit(server.port, `time-${i}`, "/"))));
    const facts = [
      exactly(
        "tunnels lost",
        all.reduce((sum, one) => sum + one.all("tunnel.lost").length, 0),
        0,
      ),
      exactly(
        "sessions lost",
        all.reduce((sum, one) => sum + one.all("session").length - 1, 0),
        0,
      ),
      atLeast(
        "requests meanwhile",
        asked.reduce((sum, [, times]) => sum + times, 0),
        1_000,
      ),
      figure("agents", all.length),
      exactly(
        "requests that failed",
        asked.reduce((sum, [status, times]) => sum + (status === "200" ? 0 : times), 0),
        0,
      ),
      exactly("tunnels that answer afterwards", statuses.filter((status) => status === 200).length, count),
    ];
    await Promise.all(agents.map((one) => one.stop(0)));
    await own[Symbol.asyncDispose]();
    return facts;
  },
};

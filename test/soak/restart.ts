// 1,000 agents whose server is killed and started again: how soon they are back, and whether the server stays responsive.

import { percentile } from "../../bench/measure/statistics.ts";
import { eventually } from "../helpers/eventually.ts";
import { watchLoopLag } from "../helpers/loop-lag.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { beginTunnel } from "../helpers/tunnel-agent.ts";
import { statusOf, visit } from "../helpers/visit.ts";
import { atLeast, atMost, exactly, figure, type Scenario, scaled } from "./scenario.ts";

export const restart: Scenario = {
  name: "restart",
  about:
    "1,000 agents after kill -9 and restart: 95 % back in 10 s, all in 30 s, no stampede, event-loop lag p99 < 100 ms on every thread",
  async run(options) {
    const count = scaled(options, 1_000, 100);
    await using service = startTaggedService("back");
    const env = { MAX_CONNECTIONS_PER_ADDRESS: "100000" };
    await using server = await startServerProcess({ shards: 2, env });
    const agents = Array.from({ length: count }, (_, i) =>
      beginTunnel({ ...server, port: service.port, name: `back-${i}` }),
    );
    const ready = (times: number): number => agents.filter((one) => one.all("tunnel.ready").length >= times).length;
    await eventually(() => ready(1) === count, "all are up at first", 120_000, 50);
    server.signal("SIGKILL");
    await server.exited;
    using lag = watchLoopLag();
    const { preload, env: lagEnv } = lag.server;
    await using again = await startServerProcess({ shards: 2, env: { ...env, ...lagEnv }, preload, again: server });
    const started = performance.now();
    const delays: number[] = [];
    const probe = async (): Promise<void> => {
      while (ready(2) < count && performance.now() - started < 60_000) {
        const sent = performance.now();
        await statusOf(requestOnce(again, "GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        delays.push(performance.now() - sent);
        await Bun.sleep(20);
      }
    };
    const probing = probe();
    let [most, all] = [Number.NaN, Number.NaN];
    const look = (): boolean => {
      const back = ready(2);
      if (Number.isNaN(most) && back >= count * 0.95) most = performance.now() - started;
      if (back === count) all = performance.now() - started;
      return back === count;
    };
    await eventually(look, "all are back", 60_000, 20).catch((error: Error) => options.say(error.message));
    await probing;
    // Each thread tells twice a second.
    await Bun.sleep(600);
    const threads = lag.read();
    const prompt = await promptShare(again.port);
    const statuses = await Promise.all(agents.map((_, i) => statusOf(visit(again.port, `back-${i}`, "/"))));
    await Promise.all(agents.map((one) => one.stop(0)));
    return [
      atMost("95 % are back after", most, 10_000, "ms"),
      atMost("all are back after", all, 30_000, "ms"),
      exactly("tunnels that answer", statuses.filter((status) => status === 200).length, count),
      atLeast("share of the main thread's turns that were late by less than 100 ms", prompt, 99, "%"),
      exactly("threads whose event loops were watched", threads.length, 3),
      ...threads.flatMap(({ thread, p99Ms, worstMs }) => [
        atMost(`${thread}: p99 of the event loop's lag`, p99Ms, 99, "ms"),
        figure(`${thread}: the worst`, worstMs, "ms"),
      ]),
      figure("p99 of /live meanwhile (with the load of the agents' own process)", percentile(delays, 99), "ms"),
      figure("median of /live meanwhile", percentile(delays, 50), "ms"),
    ];
  },
};

/** In percent, since the server's start: what its own metrics say. */
async function promptShare(port: number): Promise<number> {
  const request = "GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  const text = (await requestOnce({ port }, request)).body.toString();
  const value = (name: string): number =>
    Number(
      text
        .split("\n")
        .find((line) => line.startsWith(`digit_link_event_loop_lag_seconds_${name} `))
        ?.split(" ")[1],
    );
  return (100 * value('bucket{le="0.1"}')) / value("count");
}

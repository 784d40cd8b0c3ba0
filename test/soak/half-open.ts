// A relay between agents and server that delays, stalls without a word, and cuts: each end finds out by itself, others notice nothing.

import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { startRelay } from "../helpers/relay.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { beginTunnel, type InProcessAgent } from "../helpers/tunnel-agent.ts";
import { keepVisiting, statusOf, visit } from "../helpers/visit.ts";
import { atMost, exactly, type Fact, type Scenario, scaled } from "./scenario.ts";

export const halfOpen: Scenario = {
  name: "half-open",
  about: "100 agents behind a line that delays, stalls, cuts: half-open sessions found in ≤ 30 s by both ends",
  async run(options) {
    const count = scaled(options, 100, 10);
    await using service = startTaggedService("reached");
    await using server = await startServerProcess({ shards: 2 });
    await using relay = await startRelay(server.port);
    const begin = (origin: string, kind: string): InProcessAgent[] =>
      Array.from({ length: count }, (_, i) =>
        beginTunnel({ ...server, origin, port: service.port, name: `${kind}-${i}` }),
      );
    const behind = begin(relay.origin, "behind");
    const direct = begin(server.origin, "direct");
    const all = [...behind, ...direct];
    await eventually(() => all.every((one) => one.all("session").length > 0), "all are up", 60_000, 50);
    const visitors = [0, 1, 2].map((i) => keepVisiting(server.port, `direct-${i}`));
    const answering = async (): Promise<number> => {
      const statuses = await Promise.all(behind.map((_, i) => statusOf(visit(server.port, `behind-${i}`, "/"))));
      return statuses.filter((status) => status === 200).length;
    };
    const lost = (times: number): boolean => behind.every((one) => one.all("tunnel.lost").length >= times);
    const back = (times: number): boolean => behind.every((one) => one.all("tunnel.ready").length > times);
    const facts: Fact[] = [];

    relay.delayMs = 150;
    facts.push(exactly("tunnels that answer over a slow line", await answering(), count));
    relay.delayMs = 0;

    options.say("stalled");
    const stalled = relay.sessions();
    // What was asked of the stalled ones would be waited for.
    relay.refusing = true;
    for (const one of stalled) one.stall();
    const started = performance.now();
    const since = (): number => (performance.now() - started) / 1_000;
    const [agentsKnow, serverKnows] = await Promise.all([
      eventually(() => lost(1), "agents notice", 60_000, 50).then(since),
      eventually(async () => (await sessionsOf(server, "behind")) === 0, "the server notices", 60_000, 250).then(since),
    ]);
    facts.push(
      atMost("agents know after", agentsKnow, 30, "s"),
      atMost("the server knows after", serverKnows, 30, "s"),
      exactly("sessions that were stalled", stalled.length, 2 * count),
    );
    relay.refusing = false;
    const returned = performance.now();
    await eventually(() => back(1), "all are back", 60_000, 50).catch((error: Error) => options.say(error.message));
    facts.push(atMost("all are back after", (performance.now() - returned) / 1_000, 31, "s"));
    facts.push(exactly("tunnels that answer then", await answering(), count));

    options.say("cut");
    const cutAt = performance.now();
    for (const one of relay.sessions()) one.cut();
    await eventually(() => back(2), "all are back once more", 60_000, 50).catch((error: Error) =>
      options.say(error.message),
    );
    facts.push(atMost("after a cut all are back in", (performance.now() - cutAt) / 1_000, 10, "s"));
    facts.push(exactly("tunnels that answer then, too", await answering(), count));

    const counts = await Promise.all(visitors.map((one) => one.stop()));
    const failed = counts.flatMap((one) => Object.entries(one)).filter(([status]) => status !== "200");
    facts.push(
      exactly(
        "failed requests of others",
        failed.reduce((sum, [, times]) => sum + times, 0),
        0,
      ),
    );
    const noticed = direct.filter((one) => one.all("session").length !== 1 || one.all("tunnel.lost").length > 0).length;
    facts.push(exactly("other agents that noticed", noticed, 0));
    await Promise.all(all.map((one) => one.stop(0)));
    return facts;
  },
};

/** Live sessions of tunnels whose name begins so, as the server sees them. */
async function sessionsOf(server: { port: number; token: string }, prefix: string): Promise<number> {
  let sessions = 0;
  let cursor = "";
  do {
    const page = await adminApi(server).must("GET", `/admin/tunnels?limit=200${cursor}`);
    const tunnels = page["tunnels"] as { subdomain: string; sessions: number }[];
    for (const one of tunnels) if (one.subdomain.startsWith(prefix)) sessions += one.sessions;
    const next = page["nextCursor"] as string | null;
    cursor = next === null ? "" : `&cursor=${encodeURIComponent(next)}`;
  } while (cursor !== "");
  return sessions;
}

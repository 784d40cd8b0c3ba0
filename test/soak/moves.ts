// 100,000 changes of host on kept-alive, pipelined connections with bodies both ways: moved, piped, and lent.

import { eventually } from "../helpers/eventually.ts";
import { runMovingVisitors } from "../helpers/moving-visitors.ts";
import { describeDescriptors, descriptorCount, residentBytes } from "../helpers/process-facts.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { atMost, exactly, type Fact, figure, nothingIn, type Scenario, scaled, type SoakOptions } from "./scenario.ts";

const tags = ["ant", "bee", "cat", "dog"];

export const moves: Scenario = {
  name: "moves",
  about: "100,000 changes of host, moved, piped and lent: answers right and in order, nothing leaked",
  async run(options) {
    const always = "1000000";
    return [
      ...(await runWith("move", { HANDOVER: "move", LEND_AFTER_MOVES: always }, options)),
      ...(await runWith("pipe", { HANDOVER: "pipe", LEND_AFTER_MOVES: always }, options)),
      ...(await runWith("lend", {}, options)),
    ];
  },
};

async function runWith(way: string, env: Record<string, string>, options: SoakOptions): Promise<Fact[]> {
  await using server = await startServerProcess({ shards: 4, env });
  const services = tags.map(startTaggedService);
  const agents = await Promise.all(services.map(({ tag, port }) => openTunnel({ ...server, port, name: tag })));
  const { port } = server;
  const count = scaled(options, 100_000, 4_000);
  await runMovingVisitors({ port, tags, moves: Math.round(count / 2), connections: 16, run: "warm" });
  await Bun.sleep(2_500);
  const before = { descriptors: descriptorCount(server.pid), bytes: residentBytes(server.pid) };
  const started = performance.now();
  const report = await runMovingVisitors({ port, tags, moves: count, connections: 16, run: "soak" });
  const seconds = (performance.now() - started) / 1_000;
  const leaked = (): number => descriptorCount(server.pid) - before.descriptors;
  await eventually(() => leaked() <= 0, "descriptors", 10_000).catch(() =>
    options.say(JSON.stringify(describeDescriptors(server.pid))),
  );
  const twice = services.flatMap(({ seen }) => [...seen].filter(([, times]) => times > 1).map(([id]) => id));
  const facts = [
    exactly(`${way}: answers`, report.answers, count),
    nothingIn(`${way}: wrong answers`, report.wrong),
    nothingIn(`${way}: broken connections`, report.broken),
    nothingIn(`${way}: requests delivered twice`, twice),
    atMost(`${way}: descriptors more than before`, leaked(), 0),
    atMost(`${way}: memory more than before`, residentBytes(server.pid) - before.bytes, 64 * 1_048_576, "bytes"),
    figure(`${way}: requests per second`, count / seconds),
  ];
  await Promise.all([...agents, ...services].map((one) => one[Symbol.asyncDispose]()));
  return facts;
}

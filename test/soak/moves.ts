// 100,000 changes of host on kept-alive, pipelined connections with bodies both ways; then with pipes.

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
  about: "100,000 changes of host, moved and piped: answers right and in order, nothing leaked",
  async run(options) {
    return [...(await runWith("move", options)), ...(await runWith("pipe", options))];
  },
};

async function runWith(handover: "move" | "pipe", options: SoakOptions): Promise<Fact[]> {
  await using server = await startServerProcess({ shards: 4, env: { HANDOVER: handover } });
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
    exactly(`${handover}: answers`, report.answers, count),
    nothingIn(`${handover}: wrong answers`, report.wrong),
    nothingIn(`${handover}: broken connections`, report.broken),
    nothingIn(`${handover}: requests delivered twice`, twice),
    atMost(`${handover}: descriptors more than before`, leaked(), 0),
    atMost(`${handover}: memory more than before`, residentBytes(server.pid) - before.bytes, 64 * 1_048_576, "bytes"),
    figure(`${handover}: requests per second`, count / seconds),
  ];
  await Promise.all([...agents, ...services].map((one) => one[Symbol.asyncDispose]()));
  return facts;
}

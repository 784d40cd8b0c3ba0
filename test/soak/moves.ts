// 5 × 100,000 changes of host on kept-alive, pipelined connections with bodies both ways: moved, piped, and lent.

import { eventually } from "../helpers/eventually.ts";
import { type MovingReport, runMovingVisitors } from "../helpers/moving-visitors.ts";
import { describeDescriptors, descriptorCount, residentBytes } from "../helpers/process-facts.ts";
import { type ServerProcess, startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { atMost, exactly, type Fact, figure, nothingIn, type Scenario, scaled, type SoakOptions } from "./scenario.ts";

const tags = ["ant", "bee", "cat", "dog"];

/** Blocks of 100,000 changes: what is filled once is full after the first of them, and what is lost with each grows with each. */
const blocks = 5;
/** Between the first two blocks and the last two, 300,000 changes: less than 56 bytes each, which no object that is kept would do with. */
const growthBytes = 16 * 1_048_576;

export const moves: Scenario = {
  name: "moves",
  about: "5 × 100,000 changes of host, moved, piped and lent: answers right and in order, nothing leaked",
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
  await using server = await startServerProcess({ shards: 4, env, preload: ["garbage-preload.ts"] });
  const services = tags.map(startTaggedService);
  const agents = await Promise.all(services.map(({ tag, port }) => openTunnel({ ...server, port, name: tag })));
  const { port } = server;
  const count = scaled(options, 100_000, 4_000);
  await runMovingVisitors({ port, tags, moves: Math.round(count / 2), connections: 16, run: "warm" });
  await Bun.sleep(2_500);
  const descriptors = descriptorCount(server.pid);
  const leaked = (): number => descriptorCount(server.pid) - descriptors;
  const sum: MovingReport = { answers: 0, wrong: [], closedByAnswer: 0, broken: [] };
  const bytes: number[] = [];
  let seconds = 0;
  for (let block = 1; block <= blocks; block++) {
    const started = performance.now();
    const report = await runMovingVisitors({ port, tags, moves: count, connections: 16, run: `soak-${block}` });
    seconds += (performance.now() - started) / 1_000;
    sum.answers += report.answers;
    sum.wrong.push(...report.wrong);
    sum.broken.push(...report.broken);
    await eventually(() => leaked() <= 0, "descriptors", 10_000).catch(() =>
      options.say(JSON.stringify(describeDescriptors(server.pid))),
    );
    bytes.push(await restingBytes(server, bytes.length < 2 ? null : Math.min(...bytes.slice(0, 2)) + growthBytes));
  }
  const twice = services.flatMap(({ seen }) => [...seen].filter(([, times]) => times > 1).map(([id]) => id));
  const facts = [
    exactly(`${way}: answers`, sum.answers, blocks * count),
    nothingIn(`${way}: wrong answers`, sum.wrong),
    nothingIn(`${way}: broken connections`, sum.broken),
    nothingIn(`${way}: requests delivered twice`, twice),
    atMost(`${way}: descriptors more than before`, leaked(), 0),
    atMost(
      `${way}: memory after the last two blocks, more than after the first two`,
      Math.min(...bytes.slice(-2)) - Math.min(...bytes.slice(0, 2)),
      growthBytes,
      "bytes",
    ),
    ...bytes.map((after, i) => figure(`${way}: memory after block ${i + 1}`, after, "bytes")),
    figure(`${way}: requests per second`, (blocks * count) / seconds),
  ];
  await Promise.all([...agents, ...services].map((one) => one[Symbol.asyncDispose]()));
  return facts;
}

/** The least that is resident while nothing happens, over some seconds, and if that is more than `most` until it is not or a minute is over. */
async function restingBytes(server: ServerProcess, most: number | null): Promise<number> {
  const untilMs = performance.now() + 60_000;
  let least = Number.POSITIVE_INFINITY;
  for (let look = 0; look < 10 || (most !== null && least > most && performance.now() < untilMs); look++) {
    // Left to itself, a thread may take its time where others want the processor.
    server.signal("SIGUSR2");
    await Bun.sleep(500);
    least = Math.min(least, residentBytes(server.pid));
  }
  return least;
}

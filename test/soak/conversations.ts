// 5 × 4,000 generated conversations with all of their answers right, and 3 × 2,000 while sessions are cut and stalled, shards and agents killed.

import { type ConversationStage, conversationWays, startConversationStage } from "../helpers/conversation-stage.ts";
import { runConversations, shrunken } from "../helpers/conversations.ts";
import { eventually } from "../helpers/eventually.ts";
import { descriptorCount, residentBytes } from "../helpers/process-facts.ts";
import { type Relay, startRelay } from "../helpers/relay.ts";
import { openTunnel, openTunnelProcess, type ProcessAgent, type TunnelAgentOptions } from "../helpers/tunnel-agent.ts";
import {
  atLeast,
  atMost,
  exactly,
  type Fact,
  figure,
  nothingIn,
  type Scenario,
  scaled,
  type SoakOptions,
} from "./scenario.ts";

const batch = 200;
const seedsFrom = (first: number): number[] => Array.from({ length: batch }, (_, i) => first + i);
/** From the first half to the end, 2,000 conversations: much less than what passed. */
const growthBytes = 48 * 1_048_576;

export const conversations: Scenario = {
  name: "conversations",
  about:
    "5 × 4,000 generated conversations, judged at both ends; 3 × 2,000 while sessions, shards and agents are killed",
  async run(options) {
    const facts: Fact[] = [];
    for (const [way, env] of Object.entries(conversationWays)) {
      await using stage = await startConversationStage(env);
      facts.push(...(await converse(stage, way, scaled(options, 4_000, 400), options)));
    }
    for (const way of ["4 shards", "4 shards, lent", "4 shards, piped"] as const)
      facts.push(...(await withFaults(way, scaled(options, 2_000, 200), options)));
    return facts;
  },
};

async function converse(stage: ConversationStage, way: string, count: number, options: SoakOptions): Promise<Fact[]> {
  const { server } = stage;
  const problems: string[] = [];
  const bytes: number[] = [];
  let descriptors = 0;
  for (let from = 0; from < count && problems.length < 20; from += batch) {
    const found = await runConversations(stage, seedsFrom(from), 16);
    const seeds = new Set(found.map((problem) => Number(/^\d+(?=-)/.exec(problem)?.[0] ?? -1)));
    for (const seed of [...seeds].slice(0, 3)) if (seed >= 0) options.say(`${way}: ${await shrunken(stage, seed)}`);
    problems.push(...found);
    bytes.push(residentBytes(server.pid));
    if (from === 0) descriptors = await restingDescriptors(server.pid, Infinity);
  }
  await eventually(async () => (await stage.streams()) === 0, "no stream is left").catch(() => {});
  return [
    nothingIn(`${way}: wrong`, problems),
    exactly(`${way}: streams left`, await stage.streams(), 0),
    atMost(
      `${way}: descriptors more than after the first ${batch}`,
      (await restingDescriptors(server.pid, descriptors)) - descriptors,
      0,
    ),
    atMost(
      `${way}: memory, more than in the first half`,
      Math.min(...bytes.slice(-3)) - Math.max(...bytes.slice(0, bytes.length / 2)),
      growthBytes,
      "bytes",
    ),
    figure(`${way}: memory`, bytes.at(-1) ?? 0, "bytes"),
  ];
}

/** What is open when nobody talks and pools have let go, or as soon as that is no more than `most`: who takes nothing more of its answer is given up in a minute. */
async function restingDescriptors(pid: number, most: number): Promise<number> {
  if (most === Infinity) await Bun.sleep(6_000);
  else await eventually(() => descriptorCount(pid) <= most, "descriptors", 70_000).catch(() => {});
  return descriptorCount(pid);
}

async function withFaults(way: keyof typeof conversationWays, count: number, options: SoakOptions): Promise<Fact[]> {
  let relay: Relay | null = null;
  const killed: { options: TunnelAgentOptions; agent: ProcessAgent }[] = [];
  const env = { HOLD_MS: "3000", ...conversationWays[way] };
  await using stage = await startConversationStage(env, async (one) => {
    relay ??= await startRelay(Number(new URL(one.origin).port));
    if (one.name !== "ant" && one.name !== "bee") return openTunnel({ ...one, origin: relay.origin });
    const mortal = { options: one, agent: await openTunnelProcess(one) };
    killed.push(mortal);
    return { [Symbol.asyncDispose]: () => mortal.agent[Symbol.asyncDispose]() };
  });
  const sessions = () => relay!.sessions();
  const any = <T>(list: readonly T[]): T | undefined => list[Math.floor(Math.random() * list.length)];
  const faults = [
    () => any(sessions())?.cut(),
    () => stage.server.fault("terminate", Math.floor(Math.random() * 4)),
    async () => {
      const session = any(sessions());
      session?.stall();
      await Bun.sleep(300);
      session?.resume();
    },
    async () => {
      const mortal = any(killed)!;
      mortal.agent.signal("SIGKILL");
      await mortal.agent.exited;
      mortal.agent = await openTunnelProcess(mortal.options);
    },
  ];
  let [times, stopped] = [0, false];
  const breaking = (async () => {
    for (; !stopped; times++) {
      await faults[times % faults.length]!();
      await Bun.sleep(100 + Math.random() * 600);
    }
  })();
  const problems: string[] = [];
  for (let from = 0; from < count; from += batch) {
    problems.push(...(await runConversations({ ...stage, isFaulty: true }, seedsFrom(1_000_000 + from), 16)));
  }
  stopped = true;
  await breaking;
  // Who waits is served when the agents are back.
  const healed = await runConversations({ ...stage, isFaulty: true }, [0, 1, 2, 3], 4);
  healed.push(...(await runConversations(stage, seedsFrom(2_000_000), 16)));
  await eventually(async () => (await stage.streams()) === 0, "no stream is left").catch(() => {});
  const facts = [
    atLeast(`${way}, with faults: of these`, times, count / 100),
    nothingIn(`${way}, with faults: wrong`, problems),
    nothingIn(`${way}, with faults: wrong when they are over`, healed),
    exactly(`${way}, with faults: streams left`, await stage.streams(), 0),
  ];
  await (relay as Relay | null)?.[Symbol.asyncDispose]();
  options.say(`${way}: ${times} faults`);
  return facts;
}

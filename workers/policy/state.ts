// What the judge of one shard remembers: verdicts, blocked addresses, compiled ranges, and its questions to main.

import type { Answer, Ask } from "../../src/link/messages.ts";
import { createCidrList, type CidrList } from "../../src/lib/cidr.ts";
import { createVerdictCache, type VerdictCache } from "./verdict-cache.ts";

export interface PolicyState {
  readonly scheme: "http" | "https";
  readonly cache: VerdictCache;
  nowMs(): number;
  /** Asks main; the same question asked twice at once is one. null = too many questions in flight, or no answer: deny. */
  ask(key: string, ask: Ask): Promise<Answer | null>;
  /** The compiled form of a list of ranges. The list must not be changed afterwards. */
  ranges(list: string[]): CidrList;
  /** Until when an address is refused under a scope (application, or name without one); 0 = it is not. */
  blockedUntilMs(scope: string, network: string | null): number;
  /** Applies a `block` message of main, or an answer that says so. */
  block(scope: string, network: string | null, untilMs: number): void;
}

export interface PolicyStateOptions {
  scheme: "http" | "https";
  /** Sends a question to main. May reject: the visitor is refused then. */
  ask(ask: Ask): Promise<Answer>;
  nowMs?: () => number;
  maxInFlight?: number;
  askTimeoutMs?: number;
}

const maxRemembered = 10_000;

/** One per shard. Everything it keeps is bounded. */
export function createPolicyState(options: PolicyStateOptions): PolicyState {
  const { maxInFlight = 256, askTimeoutMs = 15_000, nowMs = Date.now } = options;
  const inFlight = new Map<string, Promise<Answer | null>>();
  const compiled = new WeakMap<string[], CidrList>();
  const blocks = new Map<string, { untilMs: number; lengthMs: number }>();

  async function askOnce(ask: Ask): Promise<Answer | null> {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<null>((resolve) => {
      timer = setTimeout(() => resolve(null), askTimeoutMs);
    });
    try {
      return await Promise.race([options.ask(ask), late]);
    } catch {
      // Main is gone or refuses to answer: nobody is let in on a guess.
      return null;
    } finally {
      clearTimeout(timer);
    }
  }

  return {
    scheme: options.scheme,
    cache: createVerdictCache(maxRemembered),
    nowMs,
    ask(key, ask) {
      const running = inFlight.get(key);
      if (running !== undefined) return running;
      if (inFlight.size >= maxInFlight) return Promise.resolve(null);
      const answer = askOnce(ask).finally(() => inFlight.delete(key));
      inFlight.set(key, answer);
      return answer;
    },
    ranges(list) {
      let ready = compiled.get(list);
      if (ready === undefined) compiled.set(list, (ready = createCidrList(list)));
      return ready;
    },
    blockedUntilMs(scope, network) {
      if (blocks.size === 0) return 0;
      const key = `${scope}\n${network}`;
      const block = blocks.get(key);
      if (block === undefined) return 0;
      // It began by another clock when more is left of it than there was.
      block.untilMs = Math.min(block.untilMs, nowMs() + block.lengthMs);
      if (block.untilMs > nowMs()) return block.untilMs;
      blocks.delete(key);
      return 0;
    },
    block(scope, network, untilMs) {
      if (network === null) return;
      const key = `${scope}\n${network}`;
      blocks.delete(key);
      const lengthMs = untilMs - nowMs();
      if (lengthMs <= 0) return;
      blocks.set(key, { untilMs, lengthMs });
      dropOldest(blocks);
    },
  };
}

/** Main still knows the block that was dropped here, and says so at the next credential. */
function dropOldest(map: Map<string, unknown>): void {
  if (map.size > maxRemembered) for (const oldest of map.keys()) return void map.delete(oldest);
}

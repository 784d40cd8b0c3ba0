// Whole generated conversations over real connections, judged at both ends; those that fail are made smaller.

import { cut, framed, headOf } from "./conversation-bytes.ts";
import { idOf, judgeAnswer, judgeConnection, judgeDelivered } from "./conversation-judge.ts";
import { type Ask, type Chance, chanceOf, type Conversation, planConversation } from "./conversation-plan.ts";
import { plans } from "./conversation-service.ts";
import type { LocalService } from "./local-service.ts";
import { patternBytes } from "./pattern.ts";
import { RawClient } from "./raw-client.ts";

export interface Stage {
  port: number;
  /** By tag. */
  services: ReadonlyMap<string, LocalService>;
  /** Of the guarded one. */
  keys: readonly string[];
  /** Something is being killed: answers may be missing, or be refusals of ours, but never wrong. */
  isFaulty: boolean;
}

/** Runs the conversations of `seeds`, so many at once: what was wrong. */
export async function runConversations(stage: Stage, seeds: readonly number[], atOnce: number): Promise<string[]> {
  const conversations = seeds.map((seed) => planConversation(seed, stage.keys));
  return withPlans(stage, conversations, async () => {
    const problems: string[] = [];
    let next = 0;
    const lane = async (): Promise<void> => {
      while (next < conversations.length) problems.push(...(await converse(stage, conversations[next++]!)));
    };
    await Promise.all(Array.from({ length: atOnce }, lane));
    return problems;
  });
}

/** The conversation of `seed` as small as it still fails by itself, with what is wrong; null when it doesn't. */
export async function shrunken(stage: Stage, seed: number): Promise<string | null> {
  let problems: string[] = [];
  const fails = async (one: Conversation): Promise<boolean> => {
    for (let i = 0; i < 3 && problems.length === 0; i++)
      problems = await withPlans(stage, [one], () => converse(stage, one));
    return problems.splice(0).length > 0;
  };
  let small = planConversation(seed, stage.keys);
  if (!(await fails(small))) return null;
  const until = performance.now() + 30_000;
  for (const ask of small.groups.flat()) {
    if (performance.now() > until) break;
    const groups = small.groups.map((group) => group.filter((one) => one !== ask)).filter(({ length }) => length > 0);
    if (groups.length > 0 && (await fails({ ...small, groups }))) small = { ...small, groups };
  }
  const short = (_: string, value: unknown): unknown => (typeof value === "string" ? value.slice(0, 80) : value);
  return JSON.stringify(small, short);
}

/** Asked by the last runs. */
const late: Ask[][] = [];

async function withPlans(stage: Stage, conversations: Conversation[], run: () => Promise<string[]>): Promise<string[]> {
  const asks = conversations.flatMap(({ groups }) => groups.flat());
  for (const ask of asks) plans.set(ask.id, ask);
  const problems = await run();
  const services = [...stage.services.values()];
  // What never came whole was broken off, and the service hears of it (one that reads nothing doesn't, always).
  const open = new Set(
    services.flatMap(({ requests }) => requests).filter((one) => plans.get(idOf(one))?.answer.when !== "deaf"),
  );
  for (const request of open) void request.closed.then(() => open.delete(request));
  const until = performance.now() + (stage.isFaulty ? 40_000 : 10_000);
  for (let isOver = false; !isOver; await Bun.sleep(10)) {
    for (const request of open) if (request.complete) open.delete(request);
    isOver = open.size === 0 || performance.now() > until;
  }
  for (const request of open) problems.push(`${idOf(request)}: neither whole nor broken off`);
  problems.push(...judgeDelivered(asks, stage.services, stage.isFaulty));
  for (const { requests, problems: malformed } of services) {
    problems.push(...malformed.splice(0));
    requests.splice(0);
  }
  // What a visitor has sent who left may still be on its way.
  late.push(asks);
  if (late.length > 2) for (const ask of late.shift()!) plans.delete(ask.id);
  return problems;
}

async function converse(stage: Stage, conversation: Conversation): Promise<string[]> {
  const problems: string[] = [];
  const chance = chanceOf(~conversation.seed);
  let visitor: Visitor | null = null;
  for (const group of conversation.groups)
    // What is behind an answer that closes the connection is asked again on the next one.
    for (let left = group; left.length > 0;) {
      visitor ??= new Visitor(stage, conversation, await RawClient.open(stage), chance, problems);
      left = left.slice(await visitor.ask(left, group === conversation.groups.at(-1)));
      if (!visitor.isOver) continue;
      visitor.client[Symbol.dispose]();
      visitor = null;
    }
  visitor?.client[Symbol.dispose]();
  return problems;
}

/** One connection of a conversation. */
class Visitor {
  /** It serves no more requests. */
  isOver = false;
  private hasLeft = false;
  private halfClosedAt = Infinity;

  constructor(
    private readonly stage: Stage,
    private readonly conversation: Conversation,
    readonly client: RawClient,
    private readonly chance: Chance,
    private readonly problems: string[],
  ) {}

  /** Sends a group and judges its answers; how many of it are done with. */
  async ask(asks: Ask[], isLast: boolean): Promise<number> {
    const { client, stage } = this;
    const mayGoOn = Promise.withResolvers<void>();
    const answers = asks.map((ask) => {
      const onInterim = ({ status }: { status: number }): void =>
        void (status === 100 && ask.expects && mayGoOn.resolve());
      const toHead = ask.method === "HEAD";
      return client
        .response({
          toHead,
          discard: true,
          onBody: () => this.rest(),
          onInterim,
          timeoutMs: stage.isFaulty ? 30_000 : 10_000,
        })
        .catch((error: unknown) => String(error));
    });
    const final = answers.at(-1)!.then(() => {});
    const sending = this.send(asks, isLast, Promise.race([mayGoOn.promise, final]));
    let behind = asks.reduce((sum, ask) => sum + headOf(ask).length + framed(ask.body).length, 0);
    for (const [i, ask] of asks.entries()) {
      behind -= headOf(ask).length;
      const got = await answers[i]!;
      // Who has half-closed and is sent nothing for half a second is taken for gone.
      const isGone = this.hasLeft || (typeof got === "string" && performance.now() - this.halfClosedAt > 450);
      this.isOver = isGone || typeof got === "string" || got.status === 101;
      if (isGone) return asks.length;
      this.note(ask, judgeAnswer(ask, got, stage.isFaulty));
      // What was behind an answer that a kill has swallowed may have been answered as well.
      if (typeof got === "string") return stage.isFaulty ? asks.length : i + 1;
      if (got.status === 101) this.note(ask, await this.exchangeRaw(ask));
      else this.note(ask, judgeConnection(ask, got, behind, stage.isFaulty));
      behind -= framed(ask.body).length;
      if (/^connection: close\r$/im.test(got.head)) {
        this.isOver = true;
        const end = await Promise.race([client.ended, Bun.sleep(10_000).then(() => null)]);
        this.note(ask, end === null ? "its connection stays open" : null);
      }
      if (this.isOver) return i + 1;
    }
    await sending;
    this.isOver = this.hasLeft;
    return asks.length;
  }

  private note(ask: Ask, problem: string | null): void {
    if (problem !== null) this.problems.push(`${ask.id}: ${problem}`);
  }

  private async send(asks: Ask[], isLast: boolean, mayGoOn: Promise<void>): Promise<void> {
    const { client, chance } = this;
    const { leaves, halfCloses } = this.conversation;
    const last = asks.at(-1)!;
    const parts = asks.flatMap((ask) => [headOf(ask), framed(ask.body)]);
    if (isLast && leaves !== null) {
      const bytes = Buffer.concat(parts);
      await this.sendPieces(bytes.subarray(0, Math.floor(leaves.part * bytes.length)));
      if (chance() < 0.5) await Bun.sleep(chance() * 20);
      this.hasLeft = true;
      return leaves.how === "reset" ? client.reset() : client[Symbol.dispose]();
    }
    const rest = last.expects ? parts.pop()! : null;
    await this.sendPieces(Buffer.concat(parts));
    if (rest !== null) {
      // HTTP/1.0 knows no 100.
      if (last.minor === 1) await mayGoOn;
      await this.sendPieces(rest);
    }
    if (!isLast || !halfCloses || last.raw !== null) return;
    client.finishSending();
    this.halfClosedAt = performance.now();
  }

  private async sendPieces(bytes: Buffer): Promise<void> {
    for (const piece of cut(bytes, this.conversation.pieces, this.chance)) {
      await this.client.send(piece);
      for (let turns = Math.floor(this.chance() * 3); turns > 0; turns--) await new Promise(setImmediate);
    }
  }

  /** Some visitors stop reading now and then. */
  private rest(): void {
    const { client, conversation } = this;
    if (!conversation.readsSlowly || this.chance() < 0.7) return;
    client.pause();
    setTimeout(() => client.resume(), 2);
  }

  private async exchangeRaw({ raw }: Ask): Promise<string | null> {
    const { client } = this;
    const bytes = patternBytes(raw!.from, raw!.from + raw!.bytes);
    const sending = this.sendPieces(bytes).then(() => client.finishSending());
    const back = await client.rawBytes(bytes.length + 1);
    await sending;
    const end = await client.ended;
    if (this.stage.isFaulty || (back.equals(bytes) && end === "clean")) return null;
    return `${back.length} of ${bytes.length} raw bytes came back, and a ${end} end`;
  }
}

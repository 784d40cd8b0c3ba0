// Contract: whole conversations, generated from seeds: each answer right and in order, each request delivered as it was sent, nothing left behind.

import { describe, expect, test } from "bun:test";
import { conversationWays, startConversationStage } from "../helpers/conversation-stage.ts";
import { runConversations, shrunken } from "../helpers/conversations.ts";
import { eventually } from "../helpers/eventually.ts";

/** More of them: `bun run soak --only conversations`. */
const seeds = Array.from({ length: 60 }, (_, i) => i);

describe.each(Object.entries(conversationWays))("conversations: %s", (_, env) => {
  test("each is right at both ends, and no stream is left", async () => {
    await using stage = await startConversationStage(env);
    const problems = await runConversations(stage, seeds, 8);
    const [seed] = /^\d+(?=-)/.exec(problems[0] ?? "") ?? [];
    if (seed !== undefined) problems.push(`small: ${await shrunken(stage, Number(seed))}`);
    expect(problems).toEqual([]);
    await eventually(async () => (await stage.streams()) === 0, "no stream is left");
  });
});

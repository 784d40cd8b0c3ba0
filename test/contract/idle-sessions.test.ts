// Contract: idle sessions are cheap, live on by their pings, and leave nothing behind. `bun run soak --only idle-sessions` opens thousands.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { openIdleSessions, pongs } from "../helpers/idle-sessions.ts";
import { descriptorCount, residentBytes } from "../helpers/process-facts.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { setups } from "../helpers/services.ts";

const sessions = 600;

describe.each(Object.entries(setups))("idle sessions: %s", (_, env) => {
  const isPiped = env["HANDOVER"] === "pipe";
  let server: ServerProcess;
  beforeAll(async () => {
    const limits = { MAX_CONNECTIONS_PER_ADDRESS: "100000", PING_INTERVAL_MS: "500" };
    server = await startServerProcess({ shards: Number(env["SHARDS"]), env: { ...env, ...limits } });
  });
  afterAll(() => server[Symbol.asyncDispose]());

  test(`${sessions} sessions answer their pings, cost a few KB and a descriptor each, and leave nothing behind`, async () => {
    // Beside them the main thread keeps some connections to its control plane for a while.
    const descriptors = descriptorCount(server.pid) + 50;
    // Code, caches and the heaps' slack come with the first ones.
    const first = await openIdleSessions(server, sessions / 2, "first");
    const before = residentBytes(server.pid);
    const second = await openIdleSessions(server, sessions, "second");
    const all = [...first.list, ...second.list];
    expect([first.failed, second.failed]).toEqual([0, 0]);
    const each = isPiped ? 3 : 1;
    const opened = (): number => descriptorCount(server.pid) - descriptors;
    await eventually(() => opened() <= each * all.length, `${each} descriptors each`);
    const answered = pongs.sent;
    await eventually(() => pongs.sent > answered + 2 * all.length, "all have answered again and again");
    expect(all.filter(({ open }) => !open)).toEqual([]);
    // So few show garbage beside what sessions need; a buffer for each would still be seen.
    expect((residentBytes(server.pid) - before) / sessions / 1024).toBeLessThan(64);
    for (const session of all) session.close();
    await eventually(() => opened() <= 0, "no descriptor leaked");
  });
});

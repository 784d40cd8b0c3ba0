// Sessions of a tunnel that are lost: one of two is invisible, all of them let visitors wait, half-open ones are found.

import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { type Relay, type RelayedConnection, startRelay } from "../helpers/relay.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { startTaggedService, type TaggedService } from "../helpers/tagged-service.ts";
import { type InProcessAgent, openTunnel } from "../helpers/tunnel-agent.ts";
import { keepVisiting, serviceOf, statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(30_000);

let service: TaggedService;
let server: ServerProcess;
let relay: Relay;
let agent: InProcessAgent;
let id = 0;

beforeAll(async () => {
  service = startTaggedService("lost");
  const env = {
    PING_INTERVAL_MS: "500",
    // Longer than a busy machine keeps the relay from its turn: sessions that none of these tests cut must not end.
    DEAD_AFTER_MS: "2000",
    HOLD_MS: "3000",
    HOLD_MAX: "20",
    MAX_SESSIONS_PER_AGENT: "8",
  };
  server = await startServerProcess({ shards: 2, env });
  relay = await startRelay(server.port);
  agent = await openTunnel({ token: server.token, origin: relay.origin, port: service.port, name: "lost" });
});

afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await relay?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  await service?.[Symbol.asyncDispose]();
});

beforeEach(async () => {
  relay.refusing = false;
  await bothStand();
  await eventually(async () => (await statusOf(visit(server.port, "lost", "/"))) === 200, "the tunnel works");
});

/** Two connections pass through the relay, and the agent was welcomed on both. */
async function bothStand(): Promise<void> {
  const isUp = (): boolean => {
    const last = agent.all("session").at(-1);
    return relay.sessions().length === 2 && last?.open === 2;
  };
  await eventually(isUp, "two sessions stand", 20_000).catch((error: Error) => {
    const lines = relay.connections.slice(-6).map(({ open, up, down, first }) => [open, up, down, first.slice(0, 24)]);
    throw new Error(`${error.message}: ${JSON.stringify([lines, agent.events.slice(-8), server.log.slice(-8)])}`);
  });
}

/** Two requests that hang at the local service; `session` is the one that carries them. */
async function hanging(
  method: string,
): Promise<{ ids: string[]; answers: Promise<number | "broken">[]; session: RelayedConnection }> {
  const sessions = relay.sessions();
  const before = sessions.map(({ down }) => down);
  const ids = [`hang-${++id}`, `hang-${++id}`];
  const body = method === "GET" ? "" : "once";
  const answers = ids.map((one) => statusOf(visit(server.port, "lost", "/slow/700", { method, body, id: one })));
  await eventually(() => ids.every((one) => service.seen.has(one)), "the local service has both");
  const got = sessions.map(({ down }, i) => down - before[i]!);
  return { ids, answers, session: sessions[got.indexOf(Math.max(...got))]! };
}

test("visitors don't notice that one of two sessions is cut, again and again", async () => {
  const visitors = Array.from({ length: 4 }, () => keepVisiting(server.port, "lost"));
  for (let round = 0; round < 5; round++) {
    relay.sessions()[0]!.cut();
    await bothStand();
  }
  const counts = await Promise.all(visitors.map((visitor) => visitor.stop()));
  for (const one of counts) expect(Object.keys(one)).toEqual(["200"]);
  expect(agent.all("tunnel.lost")).toEqual([]);
});

test("GETs on the lost session are repeated on the other one; POSTs are not, and are seen once", async () => {
  const gets = await hanging("GET");
  gets.session.cut();
  expect(await Promise.all(gets.answers)).toEqual([200, 200]);
  expect(Math.max(...gets.ids.map((one) => service.seen.get(one)!))).toBe(2);

  await bothStand();
  const posts = await hanging("POST");
  posts.session.cut();
  expect(await Promise.all(posts.answers)).toContain(503);
  await Bun.sleep(800);
  expect(posts.ids.map((one) => service.seen.get(one))).toEqual([1, 1]);
});

test("with all sessions lost, visitors wait and are served; the agent says what happened", async () => {
  const lost = agent.all("tunnel.lost").length;
  relay.refusing = true;
  for (const session of relay.sessions()) session.cut();
  await eventually(() => agent.all("tunnel.lost").length === lost + 1, "the agent notices");
  const waiting = Array.from({ length: 10 }, () => visit(server.port, "lost", "/"));
  await Bun.sleep(300);
  relay.refusing = false;
  for (const answer of await Promise.all(waiting)) {
    expect(answer.status).toBe(200);
    expect(serviceOf(answer)).toBe("lost");
  }
});

test("no more than HOLD_MAX wait, and none for longer than HOLD_MS", async () => {
  relay.refusing = true;
  for (const session of relay.sessions()) session.cut();
  await eventually(() => relay.sessions().length === 0, "no session is left");
  const started = performance.now();
  const answers = Array.from({ length: 30 }, async () => {
    const { status, fields } = await visit(server.port, "lost", "/");
    return {
      status,
      retry: fields.some(([name]) => name.toLowerCase() === "retry-after"),
      afterMs: performance.now() - started,
    };
  });
  const all = await Promise.all(answers);
  expect(all.map(({ status }) => status)).toEqual(Array.from({ length: 30 }, () => 503));
  expect(all.every(({ retry }) => retry)).toBe(true);
  const waited = all.filter(({ afterMs }) => afterMs > 1_500);
  expect(waited).toHaveLength(20);
  for (const { afterMs } of waited) expect(afterMs).toBeWithin(2_500, 5_000);
});

test("a session whose peer went silent is found by both ends, and replaced", async () => {
  const stalled = relay.sessions();
  for (const session of stalled) session.stall();
  const waiting = visit(server.port, "lost", "/");
  await eventually(() => relay.sessions().filter((one) => !stalled.includes(one)).length === 2, "fresh sessions stand");
  expect((await waiting).status).toBe(200);
  for (const session of stalled) session.cut();
});

test("each end finds out that the other went silent", async () => {
  const lost = agent.all("tunnel.lost").length;
  // Nothing passes any more, not even that one of them hung up; and the agent can't come back, which would replace its sessions:
  // not on a new connection, nor on the kept-alive one that it registered on.
  relay.refusing = true;
  const stalled = relay.sessions();
  for (const one of relay.connections) {
    if (stalled.includes(one)) one.stall();
    else one.cut();
  }
  await eventually(() => agent.all("tunnel.lost").length > lost, "the agent notices");
  expect(agent.all("tunnel.lost").at(-1)?.reason).toBe("the server went silent");
  const sessions = async (): Promise<number> => {
    const { tunnels } = await adminApi(server).must("GET", "/admin/tunnels");
    return (
      (tunnels as { subdomain: string; sessions: number }[]).find((one) => one.subdomain === "lost")?.sessions ?? 0
    );
  };
  await eventually(async () => (await sessions()) === 0, "the server notices");
  for (const session of stalled) session.cut();
});

test("8 sessions that are lost together count as one failure: the agent is back soon", async () => {
  await using line = await startRelay(server.port);
  const { token } = server;
  await using many = await openTunnel({ token, origin: line.origin, port: service.port, name: "many", connections: 8 });
  await eventually(() => many.all("session").at(-1)?.open === 8, "eight sessions stand");
  line.refusing = true;
  for (const one of line.connections) one.cut();
  await many.until("tunnel.retry", 2);
  line.refusing = false;
  await many.until("tunnel.ready", 2);
  // What it may wait doubles from 250 ms with each failure; of the first it said nothing while a session was left.
  const tooLong = many.all("tunnel.retry").filter(({ inMs }, i) => inMs > 250 * 2 ** (i + 1));
  expect(tooLong).toEqual([]);
});

test("a slow line changes nothing but the time", async () => {
  relay.delayMs = 60;
  const answers = Array.from({ length: 20 }, (_, i) =>
    visit(server.port, "lost", "/", { method: "POST", body: `slow ${i}`.repeat(1_000) }),
  );
  for (const [i, answer] of (await Promise.all(answers)).entries())
    expect(answer.body.toString()).toBe(`slow ${i}`.repeat(1_000));
  relay.delayMs = 0;
});

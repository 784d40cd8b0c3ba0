// Who serves a name: restarts, other agents, strangers, pools, grace periods, and registrations that arrive together.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startRelay } from "../helpers/relay.ts";
import { type LogLine, startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { startTaggedService, type TaggedService } from "../helpers/tagged-service.ts";
import { runTakeovers } from "../helpers/takeovers.ts";
import { beginTunnel, openTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { serviceOf, statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(30_000);

let server: ServerProcess;
let red: TaggedService;
let blue: TaggedService;

beforeAll(async () => {
  red = startTaggedService("red");
  blue = startTaggedService("blue");
  const env = {
    LOG_LEVEL: "debug",
    GRACE_MS: "1500",
    HOLD_MS: "5000",
    RANDOM_NAME_KEEP_MS: "60000",
    MAX_TUNNELS_PER_ACCOUNT: "12",
  };
  server = await startServerProcess({ shards: 2, env });
});

afterAll(async () => {
  await server?.[Symbol.asyncDispose]();
  await red?.[Symbol.asyncDispose]();
  await blue?.[Symbol.asyncDispose]();
});

const served = async (name: string): Promise<string> => serviceOf(await visit(server.port, name, "/"));

test("an agent that is killed and started again has its name back at once; its visitors were served or waited", async () => {
  // The start of a process may take longer than the others' server lets visitors wait, and keeps a name.
  await using patient = await startServerProcess({ shards: 2, env: { GRACE_MS: "10m", HOLD_MS: "10m" } });
  const first = await openTunnelProcess({ ...patient, port: red.port, name: "again" });
  first.signal("SIGKILL");
  await first.exited;
  const waiting = visit(patient.port, "again", "/", { timeoutMs: 25_000 });
  await using second = await openTunnelProcess({ ...patient, port: red.port, name: "again" });
  expect((await waiting).status).toBe(200);
  expect([second.all("refused"), second.all("tunnel.retry")]).toEqual([[], []]);
});

test("visitors who still wait when the name is free again are told, and so is what they have asked behind it", async () => {
  const agent = await openTunnelProcess({ ...server, port: red.port, name: "missed" });
  using visitor = await RawClient.open(server);
  agent.signal("SIGKILL");
  await agent.exited;
  const ask = "GET / HTTP/1.1\r\nHost: missed.localhost\r\n\r\n";
  await visitor.send(ask + ask);
  expect([(await visitor.response()).status, (await visitor.response()).status]).toEqual([503, 503]);
});

test("a newer start replaces sessions that still stand; answers of the older one come too late", async () => {
  await using relay = await startRelay(server.port);
  // The local service's address stays the same, so it is one agent that starts again; what is behind it changes.
  await using local = await startRelay(red.port);
  await using older = await openTunnel({ ...server, origin: relay.origin, port: local.port, name: "newer" });
  const slow = ["GET", "POST"].map((method) =>
    visit(server.port, "newer", "/slow/400", { method, body: method === "GET" ? "" : "x", id: `newer-${method}` }),
  );
  for (const answer of slow) answer.catch(() => {});
  await eventually(
    () => red.seen.has("newer-GET") && red.seen.has("newer-POST"),
    "both are at the older one's service",
  );
  const stalled = relay.sessions();
  for (const session of stalled) session.stall();
  local.target = blue.port;
  await using newer = await openTunnel({ ...server, port: local.port, name: "newer" });
  expect(await served("newer")).toBe("blue");
  // The older agent's answers are let loose on a server that has moved on.
  await Bun.sleep(500);
  for (const session of stalled) session.resume();
  const [get, post] = await Promise.all(slow.map((answer) => answer.catch(() => null)));
  expect(serviceOf(get!)).toBe("blue");
  expect(post?.status).toBe(503);
  expect(red.seen.get("newer-POST")).toBe(1);
  expect(blue.seen.get("newer-POST")).toBeUndefined();
  for (let i = 0; i < 20; i++) expect(await served("newer")).toBe("blue");
  expect(newer.all("tunnel.lost")).toEqual([]);
  expect(older.all("tunnel.lost").length + older.all("refused").length).toBeGreaterThan(0);
});

test("another agent of the account is refused without --pool, with a sentence and its exit code", async () => {
  await using first = await openTunnel({ ...server, port: red.port, name: "single" });
  const second = beginTunnel({ ...server, port: blue.port, name: "single" });
  expect(await second.done).toMatchObject({ reason: "refused", code: "name_in_use" });
  expect(await served("single")).toBe("red");
  expect(first.all("tunnel.lost")).toEqual([]);
});

test("with --pool requests are balanced over the agents, and one that leaves is not missed", async () => {
  await using first = await openTunnel({ ...server, port: red.port, name: "pool", pool: true });
  const second = await openTunnel({ ...server, port: blue.port, name: "pool", pool: true });
  const tally = async (): Promise<Record<string, number>> => {
    const counts: Record<string, number> = {};
    for (let round = 0; round < 10; round++) {
      for (const tag of await Promise.all(Array.from({ length: 10 }, () => served("pool"))))
        counts[tag] = (counts[tag] ?? 0) + 1;
    }
    return counts;
  };
  const both = await tally();
  expect(both["red"]).toBeWithin(25, 76);
  expect(both["blue"]).toBe(100 - both["red"]!);
  const during = tally();
  await second.stop();
  expect(Object.keys(await during)).not.toContain("");
  expect(await tally()).toEqual({ red: 100 });
  expect(first.all("tunnel.lost")).toEqual([]);
});

test("a name is free for others when the grace period is over, and not before", async () => {
  const stranger = await server.createAccount("stranger");
  const owner = await openTunnel({ ...server, port: red.port, name: "grace" });
  await owner.stop(0);
  const early = beginTunnel({ ...server, token: stranger, port: blue.port, name: "grace" });
  expect(await early.done).toMatchObject({ reason: "refused", code: "name_taken" });
  await eventually(async () => (await statusOf(visit(server.port, "grace", "/"))) === 404, "the name is released");
  await using late = await openTunnel({ ...server, token: stranger, port: blue.port, name: "grace" });
  expect(await served("grace")).toBe("blue");
  expect(late.all("refused")).toEqual([]);
});

test("a random name is kept across a lost connection and a restart", async () => {
  await using relay = await startRelay(server.port);
  const first = await openTunnel({ ...server, origin: relay.origin, port: red.port });
  const { subdomain } = first.all("tunnel.ready")[0]!;
  for (const session of relay.sessions()) session.cut();
  expect((await first.until("tunnel.ready", 2)).subdomain).toBe(subdomain);
  const isAway = ({ message, name }: LogLine): boolean =>
    message === "a tunnel lost its last session" && name === subdomain;
  // The cut itself may have gone unnoticed: the agent's new start can be faster than the news of its old sessions' end.
  const before = server.log.filter(isAway).length;
  await first.stop(0);
  await eventually(() => server.log.filter(isAway).length > before, "the server knows that the agent left");
  await using again = await openTunnel({ ...server, port: red.port });
  expect(again.all("tunnel.ready")[0]!.subdomain).toBe(subdomain);
});

describe("security", () => {
  test("50 registrations at once with one credential: exactly the permitted number is live", async () => {
    const token = await server.createAccount("greedy");
    const agents = Array.from({ length: 50 }, (_, i) =>
      beginTunnel({ ...server, token, port: red.port, name: `greedy-${i}`, connections: 1 }),
    );
    await eventually(
      () => agents.every((one) => one.all("tunnel.ready").length + one.all("tunnel.retry").length > 0),
      "everybody has an answer",
    );
    const ready = agents.filter((one) => one.all("tunnel.ready").length > 0);
    expect(ready).toHaveLength(12);
    const retries = agents.flatMap((one) => one.all("tunnel.retry"));
    expect(retries.length).toBeGreaterThanOrEqual(38);
    for (const { reason } of retries) expect(reason).toContain("as many tunnels as it may have (12)");
    const statuses = await Promise.all(agents.map((_, i) => statusOf(visit(server.port, `greedy-${i}`, "/"))));
    expect(statuses.filter((status) => status === 200)).toHaveLength(12);
    expect(statuses.filter((status) => status === 404)).toHaveLength(38);
    await Promise.all(agents.map((one) => one.stop(0)));
  });

  test("1,000 tagged requests while two names change hands: none is answered by the wrong service", async () => {
    const { answered, takeovers, wrong } = await runTakeovers(server, { one: red, two: blue }, 1_000);
    expect(wrong).toEqual([]);
    expect(answered).toBeGreaterThan(500);
    expect(takeovers).toBeGreaterThan(3);
  }, 30_000);
});

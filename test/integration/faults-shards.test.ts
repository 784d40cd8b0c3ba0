// Shards that throw, leave or hang: replaced in time, their agents back, the other threads' traffic untouched.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { shardOf } from "../../src/link/shard-of.ts";
import { eventually } from "../helpers/eventually.ts";
import { killShards } from "../helpers/kill-shards.ts";
import { descriptorCount } from "../helpers/process-facts.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { setups } from "../helpers/services.ts";
import { startTaggedService, type TaggedService } from "../helpers/tagged-service.ts";
import { type InProcessAgent, openTunnel } from "../helpers/tunnel-agent.ts";
import { valuesOf } from "../helpers/strict-http.ts";
import { keepVisiting, serviceOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(30_000);

// Of several shards, "ant" and "bee" belong to different ones.
const names = { hit: "ant", spared: "bee" };

describe.each(Object.entries(setups))("%s", (_, env) => {
  const shards = Number(env["SHARDS"]);
  const shard = shardOf(names.hit, shards);
  // With one shard there is still the main thread, whom nothing of it may reach.
  const others = shards === 1 ? { name: "localhost", path: "/health" } : { name: names.spared, path: "/" };
  let service: TaggedService;
  let server: ServerProcess;
  const agents: Record<string, InProcessAgent> = {};

  beforeAll(async () => {
    service = startTaggedService("local");
    server = await startServerProcess({ shards, faults: true, env: { ...env, HOLD_MS: "8000" } });
    for (const name of Object.values(names)) agents[name] = await openTunnel({ ...server, port: service.port, name });
  });

  afterAll(async () => {
    for (const agent of Object.values(agents)) await agent.stop(0);
    await server?.[Symbol.asyncDispose]();
    await service?.[Symbol.asyncDispose]();
  });

  const deaths = (): number => server.log.filter(({ message }) => message === "a shard died").length;

  test("who is hit and who is spared are on different threads", () => {
    expect(others.name === "localhost" || shardOf(names.spared, shards) !== shard).toBe(true);
  });

  describe.each([
    ["throw", 20],
    ["exit", 20],
    // Noticed after 2 s, which a long answer must outlast.
    ["hang", 60],
  ] as const)("a shard that is made to %s", (kind, parts) => {
    test("is replaced, its agent is back by itself, nobody else notices", async () => {
      // The main thread keeps connections to its control plane for a while: as many as are used below are there before the count.
      if (shards === 1)
        await Promise.all(Array.from({ length: 4 }, () => visit(server.port, others.name, others.path)));
      const before = descriptorCount(server.pid);
      const deathsBefore = deaths();
      const readies = agents[names.hit]!.all("tunnel.ready").length;
      const lost = agents[names.spared]!.all("tunnel.lost").length;
      const visiting = Array.from({ length: 3 }, () => keepVisiting(server.port, others.name, others.path));
      const long = visit(server.port, others.name, shards === 1 ? others.path : `/drip/${parts}`);
      const ownLong = visit(server.port, names.hit, "/drip/200").then(
        () => "whole",
        () => "broken",
      );
      await eventually(() => visiting.every(({ counts }) => (counts["200"] ?? 0) > 3), "the others are busy");

      await server.fault(kind, shard);
      await eventually(() => deaths() > deathsBefore, "the death is noticed");
      // A visitor who comes now waits for the shard, and for the agent.
      const waiting = visit(server.port, names.hit, "/");
      expect(await ownLong).toBe("broken");
      await agents[names.hit]!.until("tunnel.ready", readies + 1, 10_000);
      expect((await waiting).status).toBe(200);
      expect((await visit(server.port, names.hit, "/")).status).toBe(200);

      for (const one of visiting) expect(Object.keys(await one.stop())).toEqual(["200"]);
      expect((await long).status).toBe(200);
      if (shards === 1) await agents[names.spared]!.until("tunnel.ready", readies + 1, 10_000);
      else expect(agents[names.spared]!.all("tunnel.lost")).toHaveLength(lost);
      await eventually(() => descriptorCount(server.pid) <= before, "no descriptor leaked");
    });
  });

  if (shards > 1)
    test("a connection that another shard holds waits for the successor like one that is new", async () => {
      using client = await RawClient.open({ port: server.port });
      const ask = async (name: string) => {
        const answer = client.response();
        await client.send(`GET / HTTP/1.1\r\nHost: ${name}.localhost\r\n\r\n`);
        return await answer;
      };
      expect((await ask(names.spared)).status).toBe(200);
      const deathsBefore = deaths();
      await server.fault("exit", shard);
      await eventually(() => deaths() > deathsBefore, "the death is noticed");
      const answer = await ask(names.hit);
      expect({ status: answer.status, service: serviceOf(answer) }).toEqual({ status: 200, service: "local" });
    });
});

test("shards that lend and borrow die: what is answered is right, the rest waits, is refused or breaks, and nothing leaks", async () => {
  await using lending = await startServerProcess({ shards: 2, faults: true, env: { LEND_AFTER_MOVES: "1" } });
  await using one = startTaggedService(names.hit);
  await using two = startTaggedService(names.spared);
  const tunnels = [one, two].map(({ port, tag }) => openTunnel({ ...lending, port, name: tag }));
  const opened = await Promise.all(tunnels);
  const { port } = lending;
  const before = descriptorCount(lending.pid);
  let stop = false;
  let right = 0;
  const wrong: string[] = [];
  // Connections that change host on every request, as a proxy's do.
  const visitor = async (first: number): Promise<void> => {
    while (!stop) {
      using client = await RawClient.open({ port });
      for (let i = first; !stop; i++) {
        const name = [names.hit, names.spared][i % 2]!;
        const answer = client.response();
        await client.send(`GET /size/20000 HTTP/1.1\r\nHost: ${name}.localhost\r\n\r\n`);
        const got = await answer.catch(() => null);
        if (got === null) break;
        if (got.status === 200 && serviceOf(got) === name && got.body.length === 20_000) right++;
        else if (got.status < 500) wrong.push(`${name}: ${got.status} of ${serviceOf(got)}, ${got.body.length} bytes`);
        if (valuesOf(got.fields, "connection").includes("close")) break;
      }
    }
  };
  const visitors = Array.from({ length: 12 }, (_, i) => visitor(i));
  for (let i = 0; i < 4; i++) {
    const served = right;
    await eventually(() => right > served + 100, "visitors of both are served");
    const deaths = lending.log.filter(({ message }) => message === "a shard died").length;
    await lending.fault(i % 3 === 0 ? "throw" : "exit", i % 2);
    await eventually(
      () => lending.log.filter(({ message }) => message === "a shard died").length > deaths,
      "the death is noticed",
    );
  }
  const served = right;
  await eventually(() => right > served + 100, "visitors of both are served again");
  stop = true;
  await Promise.all(visitors);
  expect(wrong).toEqual([]);
  await eventually(() => descriptorCount(lending.pid) <= before, "no descriptor leaked");
  for (const agent of opened) await agent.stop(0);
});

test("8 kills under load with canaries open: no descriptor leaks or is closed twice, the other shards' visitors notice nothing", async () => {
  const report = await killShards(8);
  const { moving, descriptors } = report;
  expect(report).toMatchObject({ othersFailed: [], othersLost: 0, canariesHit: [], seenTwice: [] });
  expect(moving.wrong).toEqual([]);
  expect(descriptors.after).toEqual(descriptors.before);
  expect(report.canariesOpened).toBeGreaterThan(1_000);
  expect(report.othersServed).toBeGreaterThan(100);
}, 120_000);

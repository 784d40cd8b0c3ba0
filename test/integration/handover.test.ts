// Moving connections between real threads: no byte, descriptor or count is lost, whoever dies meanwhile.

import { describe, expect, spyOn, test } from "bun:test";
import { connectLines } from "../helpers/line-client.ts";
import { eventually, type LineServer, startLineServer } from "../helpers/line-server.ts";
import { watchDescriptors } from "../helpers/process-facts.ts";

test("a connection moves with everything that is pipelined behind the move", async () => {
  await using server = await startLineServer(2);
  const client = await connectLines(server.port, "a\nmove 0\nb\nmove 1\nc\nmove main\nd\nmove 1\ne\n");
  expect(await client.until("1:e\n")).toBe("main:a\n0:b\n1:c\nmain:d\n1:e\n");
  // The thread that gave it away counts it until its own socket is closed, which may be after the new owner's answer.
  await eventually(() => server.counts.total() === 1, "the connection counts once");
  expect(server.counts.ofAddress("127.0.0.1")).toBe(1);
  client.send("f\n");
  await client.until("1:f\n");
  client.socket.shutdown();
  expect(await client.closed).toBe("end");
  await eventually(() => server.counts.total() === 0, "the connection is forgotten");
  expect(server.ledger.inFlight()).toBe(0);
});

test("bytes that arrive while the connection is between two threads are not lost", async () => {
  await using server = await startLineServer(2);
  const client = await connectLines(server.port);
  let expected = "";
  for (let i = 0; i < 200; i++) {
    const owner = i % 3 === 2 ? "main" : String(i % 3);
    // One write per line, without waiting: the kernel has part of it, the old thread another part.
    client.send(`move ${owner}\n`);
    client.send(`line ${i}\n`);
    expected += `${owner}:line ${i}\n`;
  }
  expect(await client.until("line 199\n")).toBe(expected);
  client.socket.terminate();
});

test("a peer that half-closes gets its answers from the new owner", async () => {
  await using server = await startLineServer(1);
  const client = await connectLines(server.port, "move 0\nlast words\n");
  client.socket.shutdown();
  expect(await client.closed).toBe("end");
  expect(client.received()).toBe("0:last words\n");
});

test("1,000 moves, a third of them of peers that reset, leave no descriptor and no count behind", async () => {
  await using server = await startLineServer(2);
  const warm = await connectLines(server.port, "move 0\nx\n");
  await warm.until("0:x\n");
  warm.socket.terminate();
  await eventually(() => server.counts.total() === 0, "warm-up is over");
  const opened = watchDescriptors();
  for (let round = 0; round < 20; round++) {
    await Promise.all(
      Array.from({ length: 50 }, async (_, i) => {
        const client = await connectLines(server.port, `move ${i % 2}\nx\n`);
        if (i % 3 === 0) return client.socket.terminate();
        await client.until(`${i % 2}:x\n`);
        client.socket.end();
      }),
    );
  }
  await eventually(() => server.counts.total() === 0 && server.ledger.inFlight() === 0, "all are forgotten");
  await eventually(() => opened().length === 0, "all descriptors are closed");
});

test("a move to a shard that is not there leaves the connection where it is", async () => {
  await using server = await startLineServer(1);
  const client = await connectLines(server.port, "move 7\nstill here\n");
  expect(await client.until("still here\n")).toBe("main:not moved\nmain:still here\n");
  client.socket.terminate();
});

describe("supervision", () => {
  test("a shard that crashes or exits is replaced; its connections close, others' live", async () => {
    await using server = await startLineServer(2);
    const other = await connectLines(server.port, "move 1\nx\n");
    await other.until("1:x\n");
    const victim = await connectLines(server.port, "move 0\nx\n");
    await victim.until("0:x\n");
    victim.send("crash\n");
    await victim.closed;
    await eventually(() => server.heard.length === 4, "shard 0 is up again");
    expect(server.heard.slice(2)).toEqual(["replaced 0", "ready 0"]);
    other.send("move 0\ny\n");
    await other.until("0:y\n");
    await eventually(() => server.counts.total() === 1, "only the living connection counts");
    other.socket.terminate();
  });

  test("a shard that hangs is replaced, and what was on its way to it is closed", async () => {
    await using server = await startLineServer(2);
    const victim = await connectLines(server.port, "move 0\nhang\n");
    await Bun.sleep(20);
    const late = await connectLines(server.port, "move 0\nx\n");
    const viaPeer = await connectLines(server.port, "move 1\nmove 0\nx\n");
    await Promise.all([victim.closed, late.closed, viaPeer.closed]);
    await eventually(() => server.heard.at(-1) === "ready 0", "shard 0 is up again");
    expect(server.ledger.inFlight()).toBe(0);
    const client = await connectLines(server.port, "move 1\nmove 0\nx\n");
    await client.until("0:x\n");
    client.socket.terminate();
  });

  test("a late tick of main does not kill healthy shards", async () => {
    await using server = await startLineServer(2);
    for (let i = 0; i < 3; i++) {
      Bun.sleepSync(800);
      await Bun.sleep(1);
    }
    await Bun.sleep(600);
    expect(server.heard).toEqual(expect.arrayContaining(["ready 0", "ready 1"]));
    expect(server.heard).toHaveLength(2);
  });

  test("a worker that cannot start is an error, not a loop", async () => {
    await expect(startLineServer(2, { domain: () => "!" })).rejects.toThrow(/could not be started: .*refuses to start/);
    let domain = "localhost";
    await using server = await startLineServer(1, { domain: () => domain });
    domain = "!";
    const client = await connectLines(server.port, "move 0\ncrash\n");
    await client.closed;
    await eventually(() => server.fatal.length > 0, "the supervisor gives up");
    expect(server.fatal).toHaveLength(1);
  });

  test("questions are answered, or given up when the shard dies or stays silent", async () => {
    await using server = await startLineServer(1);
    expect(await server.supervisor.check(0, "t")).toEqual({ state: "up", provenAtMs: 0, connectMs: 1 });
    const silent = server.supervisor.check(0, "silent");
    const rows = server.supervisor.requests(0, {
      ...{ tunnelIds: [], requestId: null, terms: [], order: "time", descending: true, after: null },
      limit: 10,
    });
    const client = await connectLines(server.port, "move 0\ncrash\n");
    await client.closed;
    expect(await silent).toBeNull();
    expect(await rows).toBeNull();
  });

  test("draining waits for every shard, and nothing is replaced afterwards", async () => {
    await using server = await startLineServer(2);
    expect(await server.supervisor.drain(5_000)).toBe(true);
    const client = await connectLines(server.port, "move 0\ncrash\n");
    await client.closed;
    await Bun.sleep(300);
    expect(server.heard.filter((text) => text.startsWith("ready"))).toHaveLength(2);
  });
});

test("a shard that starts while the machine stands still is not late", async () => {
  let starts = 0;
  await using server = await startLineServer(1, { domain: () => (++starts === 2 ? "slow" : "localhost") });
  server.supervisor.replace(0, "test");
  await eventually(() => starts === 2, "its successor starts");
  const real = performance.now.bind(performance);
  using _ = spyOn(performance, "now").mockImplementation(() => real() + 60_000);
  await eventually(() => server.heard.length === 3, "it is ready");
  expect(starts).toBe(2);
});

test("a successor that is ready only when the server leaves is told so", async () => {
  let starts = 0;
  const begin = () => void (++starts === 2 && server.supervisor.drain(5_000));
  await using server: LineServer = await startLineServer(1, { domain: () => (begin(), "localhost") });
  server.supervisor.replace(0, "test");
  const isTold = () => server.events.some((event) => event.type === "local.status" && event.tunnelId === "drain");
  await eventually(isTold, "it is told");
});

describe("security", () => {
  test("an answer that comes after the death of the shard that asked is not its successor's", async () => {
    await using server = await startLineServer(1);
    const { supervisor, answers, events, heard } = server;
    supervisor.send(0, { type: "watch", on: true });
    await eventually(() => answers.length === 1, "it has asked");
    supervisor.replace(0, "test");
    await eventually(() => heard.length === 3, "the successor is there");
    supervisor.send(0, { type: "watch", on: true });
    await eventually(() => answers.length === 2, "that has asked, too");
    answers[0]!({ kind: "allow", user: "somebody", email: null, keyId: null, cacheMs: 0 });
    answers[1]!({ kind: "deny", reason: "no_session", cacheMs: 0 });
    const told = () => events.flatMap((event) => (event.type === "local.status" ? event.tunnelId : []));
    await eventually(() => told().includes("1 deny"), "it has its answer");
    expect(told()).toEqual(["1 deny"]);
  });
});

// Contract: limits of visitors' connections, with small settings: slow ones, many ones, large ones.

import { reported } from "../helpers/agent.ts";
import { describe, expect, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { patternSha1 } from "../helpers/pattern.ts";
import { onlyValue, RawClient } from "../helpers/raw-client.ts";
import { describeContract, requestBytes, upgradeLines } from "../helpers/services.ts";

/** Opens `count` connections from `address`; some may be refused. */
const openMany = (port: number, count: number, localAddress: string): Promise<RawClient[]> =>
  Promise.all(Array.from({ length: count }, () => RawClient.open({ port, localAddress })));

const slow = {
  HEAD_TIMEOUT_MS: "400",
  IDLE_TIMEOUT_MS: "600",
  BODY_PROGRESS_TIMEOUT_MS: "1000",
  WRITE_PROGRESS_TIMEOUT_MS: "1000",
  MAX_BODY_BYTES: "100000",
};

describeContract("limits of time and size", slow, (parties) => {
  describe("security", () => {
    test("a head that doesn't arrive in time is a 408", async () => {
      const { open, host } = parties();
      for (const bytes of ["", "G", `GET / HTTP/1.1\r\nHost: ${host}\r\nX-A: `]) {
        using client = await open();
        const startedAt = performance.now();
        await client.send(bytes);
        if (bytes === "") await client.ended;
        else expect((await client.response()).status).toBe(408);
        await client.ended;
        expect(performance.now() - startedAt).toBeGreaterThan(350);
      }
    });

    test("a head that trickles is cut off, too, also behind another request", async () => {
      const { open, host } = parties();
      using client = await open();
      await client.send(`${requestBytes(host, "/ok")}GET /ok HTTP/1.1\r\n`);
      expect((await client.response()).status).toBe(200);
      let isOver = false;
      void client.ended.then(() => (isOver = true));
      await eventually(
        async () => {
          await client.send("X-A: b\r\n");
          return isOver;
        },
        "it is cut off",
        10_000,
        50,
      );
      expect(client.received).toContain("HTTP/1.1 408 ");
    });

    test("1,000 slow heads leave others at full success", async () => {
      const { server, ask } = parties();
      const clients = await openMany(server.port, 1_000, "127.0.0.7");
      for (const client of clients) void client.send("GET / HTTP/1.1\r\nHost: dem");
      for (let i = 0; i < 50; i++) expect((await ask("/ok")).status).toBe(200);
      await Promise.all(clients.map((client) => client.ended));
      for (const client of clients) client.socket.destroy();
    });

    test("a body that stops arriving is cut off, and its local request with it; the agent's user reads why", async () => {
      const { open, host, service, agent } = parties();
      using client = await open();
      await client.send(
        requestBytes(host, "/upload/stops", { method: "POST", lines: ["Content-Length: 1000"], body: "abc" }),
      );
      const request = await service.next("/upload/stops");
      await client.ended;
      await request.closed;
      expect(request.complete).toBe(false);
      expect((await reported(agent, "/upload/stops")).error).toBe("the request body stopped arriving");
    });

    test("a visitor that takes nothing of a waiting response is cut off, and the agent's user reads why", async () => {
      const { open, host, service, agent } = parties();
      using client = await open();
      client.pause();
      await client.send(requestBytes(host, "/size/200000000?unread"));
      const request = await service.next("/size/200000000?unread");
      await request.closed;
      const error = "the visitor stopped reading";
      expect(await reported(agent, "/size/200000000?unread")).toMatchObject({ status: 200, error });
    });

    test("nor does one that has upgraded keep what it takes nothing of", async () => {
      const { open, host, service } = parties();
      using client = await open();
      await client.send(requestBytes(host, "/raw/unread", { lines: upgradeLines }));
      expect((await client.response()).status).toBe(101);
      client.pause();
      void client.send(Buffer.alloc(64 * 1024 * 1024)).catch(() => {});
      await (
        await service.next("/raw/unread")
      ).closed;
    });

    test("an idle connection is closed after its time, not before", async () => {
      const { open, host } = parties();
      using client = await open();
      await client.send(requestBytes(host, "/ok"));
      await client.response();
      const startedAt = performance.now();
      expect(await client.ended).toBe("clean");
      expect(performance.now() - startedAt).toBeGreaterThan(550);
    });

    test("a body over MAX_BODY_BYTES is a 413, declared or not, and the agent's user reads why", async () => {
      const { ask, open, host, service, agent } = parties();
      const before = service.requests.length;
      const declared = await ask("/upload", { method: "POST", lines: ["Content-Length: 100001"] });
      expect([declared.status, onlyValue(declared, "connection"), service.requests.length]).toEqual([
        413,
        "close",
        before,
      ]);
      using client = await open();
      const answer = client.response();
      await client.send(requestBytes(host, "/upload/large", { method: "POST", lines: ["Transfer-Encoding: chunked"] }));
      void client.send(`186a1\r\n${"a".repeat(100_001)}\r\n0\r\n\r\n`);
      expect((await answer).status).toBe(413);
      const request = await service.next("/upload/large");
      await request.closed;
      expect(request.complete).toBe(false);
      const error = "the request body is larger than MAX_BODY_BYTES";
      expect(await reported(agent, "/upload/large")).toMatchObject({ status: 413, error });
      const body = "a".repeat(100_000);
      using odd = await open();
      await odd.send(requestBytes(host, "/upload/odd", { method: "POST", lines: ["Transfer-Encoding: chunked"] }));
      await service.next("/upload/odd");
      await odd.send("zz\r\n");
      expect((await odd.response()).status).toBe(400);
      expect((await reported(agent, "/upload/odd")).status).toBe(400);
      const fits = await ask("/upload", { method: "POST", lines: ["Content-Length: 100000"], body });
      expect(fits.status).toBe(200);
    });

    test("a head below that is taken, by the server's own pages as well", async () => {
      const { host, ask } = parties();
      const lines = [`Cookie: ${"a".repeat(60_000)}`, ...Array<string>(180).fill("X-A: b")];
      for (const at of [host, "localhost"]) expect((await ask("/live", { host: at, lines })).status).toBe(200);
    });

    test("a head over 64 KiB or 200 fields is a 431", async () => {
      const { ask } = parties();
      expect((await ask("/head", { lines: [`X-A: ${"a".repeat(66_000)}`] })).status).toBe(431);
      expect((await ask(`/${"a".repeat(66_000)}`)).status).toBe(431);
      expect((await ask("/head", { lines: Array<string>(201).fill("X-A: b") })).status).toBe(431);
      expect((await ask("/head", { lines: Array<string>(199).fill("X-A: b") })).status).toBe(200);
    });
  });

  test("what moves lives: an upload of 2 KB/s, a reader that pauses, a quiet stream, a quiet WebSocket", async () => {
    const { open, host, service } = parties();
    using upgraded = await open();
    await upgraded.send(requestBytes(host, "/raw/quiet", { lines: upgradeLines }));
    expect((await upgraded.response()).status).toBe(101);
    using uploading = await open();
    using reading = await open();
    using listening = await open();
    const uploaded = uploading.response();
    const read = reading.response({ discard: true });
    const heard = listening.response();
    await uploading.send(requestBytes(host, "/upload", { method: "POST", lines: ["Content-Length: 5600"] }));
    await listening.send(requestBytes(host, "/sse/limits"));
    const events = await service.events("limits");
    await reading.send(requestBytes(host, "/size/8000000"));
    for (let i = 0; i < 28; i++) {
      reading.pause();
      await uploading.send("x".repeat(200));
      await Bun.sleep(90);
      reading.resume();
      await Bun.sleep(10);
    }
    await events.send("still here");
    await events.end();
    expect((await uploaded).status).toBe(200);
    expect((await read).sha1).toBe(patternSha1(8_000_000));
    expect((await heard).body.toString()).toContain("still here");
    await upgraded.send("so am I");
    expect((await upgraded.rawBytes(7)).toString()).toBe("so am I");
  });
});

const few = { MAX_CONNECTIONS_PER_ADDRESS: "10", MAX_CONNECTIONS: "40", MAX_CONNECTIONS_PER_TUNNEL: "12" };

describeContract("limits of number", few, (parties) => {
  describe("security", () => {
    test("connections per address: the eleventh is a 503, another address isn't asked to wait", async () => {
      const { server, open, host } = parties();
      const clients = await openMany(server.port, 10, "127.0.0.11");
      for (const client of clients) await client.send(requestBytes(host, "/ok"));
      for (const client of clients) expect((await client.response()).status).toBe(200);
      using refused = await open("127.0.0.11");
      const answer = await refused.response();
      expect([answer.status, JSON.parse(answer.body.toString())]).toMatchObject([
        503,
        { error: { code: "too_many_connections" } },
      ]);
      using other = await open("127.0.0.12");
      await other.send(requestBytes(host, "/ok"));
      expect((await other.response()).status).toBe(200);
      // Their places are free as soon as they are closed.
      for (const client of clients) client.socket.destroy();
      await eventually(async () => {
        using again = await open("127.0.0.11");
        await again.send(requestBytes(host, "/ok"));
        return (await again.response()).status === 200;
      }, "a place came free");
    });

    test("connections in all", async () => {
      const { server } = parties();
      const clients: RawClient[] = [];
      for (let i = 0; i < 8; i++) clients.push(...(await openMany(server.port, 8, `127.0.0.${20 + i}`)));
      const outcomes = await Promise.all(
        clients.map(async (client) => {
          await client.send(requestBytes("localhost", "/health"));
          return (await client.response().catch(() => null))?.status ?? 0;
        }),
      );
      const served = outcomes.filter((status) => status === 200).length;
      // The agents hold some of them.
      expect(served).toBeWithin(30, 41);
      expect(outcomes.every((status) => status === 200 || status === 503 || status === 0)).toBe(true);
      for (const client of clients) client.socket.destroy();
    });

    test("requests in flight per tunnel: more are a 503, and places come free", async () => {
      const { open, ask, host, service } = parties();
      await eventually(async () => (await ask("/ok").catch(() => null))?.status === 200, "places are free");
      const clients = [];
      for (let i = 0; i < 12; i++) {
        const client = await open(`127.0.0.${40 + (i >> 2)}`);
        clients.push(client);
        await client.send(requestBytes(host, `/silent/${i}`));
        await service.next(`/silent/${i}`);
      }
      const refused = await ask("/ok");
      expect([refused.status, JSON.parse(refused.body.toString())]).toMatchObject([
        503,
        { error: { code: "tunnel_overloaded" } },
      ]);
      expect(Number(onlyValue(refused, "retry-after"))).toBeGreaterThan(0);
      for (const client of clients) client.socket.destroy();
      await eventually(async () => (await ask("/ok")).status === 200, "a place came free");
    });
  });
});

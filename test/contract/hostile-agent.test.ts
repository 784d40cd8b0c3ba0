// Contract: an agent that breaks the rules loses its stream or its session; nobody else notices.

import { describe, expect, test } from "bun:test";
import { shardOf } from "../../src/link/shard-of.ts";
import {
  DATA,
  END,
  GO_AWAY,
  HEAD,
  MORE,
  MORE_HEAD,
  OPEN,
  PING,
  PONG,
  RESET,
  subprotocol,
} from "../../src/protocol/frames.ts";
import { frame, headPayload, registerRaw, startHostileAgent } from "../helpers/hostile-agent.ts";
import { hostileScripts } from "../helpers/hostile-scripts.ts";
import type { RawClient, RawResponse } from "../helpers/raw-client.ts";
import { describeContract, requestBytes } from "../helpers/services.ts";
import { valuesOf } from "../helpers/strict-http.ts";

/** Lives on the shard of "demo", however many shards there are. */
const name = Array.from({ length: 100 }, (_, i) => `hostile${i}`).find(
  (one) => shardOf(one, 4) === shardOf("demo", 4) && shardOf(one, 2) === shardOf("demo", 2),
)!;
const host = `${name}.localhost`;
const whole = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n";

const env = { HOLD_MS: "40", PING_INTERVAL_MS: "200", DEAD_AFTER_MS: "1500", GRACE_MS: "10s" };

describeContract("hostile agent", env, (parties) => {
  const outcomeOf = (answer: Promise<RawResponse>): Promise<RawResponse | "broken"> => answer.catch(() => "broken");

  describe("security", () => {
    test.each(Object.entries(hostileScripts))("%s", async (_, script) => {
      const { server, open, ask } = parties();
      using agent = await startHostileAgent(server, name);
      using visitor = await open();
      const answer = outcomeOf(visitor.response());
      await visitor.send(requestBytes(host, "/x"));
      const opened = await agent.next(OPEN);
      for (const message of script.messages(opened.stream)) agent.send(message);
      const outcome = await answer;
      expect(outcome === "broken" ? "broken" : outcome.status).toBe(script.visitor);
      expect(visitor.received).not.toContain("evil");
      expect(visitor.received).not.toContain("alert");
      if (outcome === "broken") expect(visitor.received.split("HTTP/1.1 ").length).toBe(2);
      if (script.session === "closed") expect((await agent.closed).code).toBe(4001);
      else {
        // The session's next stream is served as if nothing had been.
        using next = await open();
        const good = next.response();
        await next.send(requestBytes(host, "/next"));
        const { stream } = await agent.next(OPEN);
        agent.send(frame(HEAD, stream, headPayload(whole)), frame(DATA, stream, "ok", { flags: 1 }));
        expect((await good).body.toString()).toBe("ok");
      }
      expect((await ask("/ok")).status).toBe(200);
    });

    test("data for a HEAD request breaks it", async () => {
      const { server, open } = parties();
      using agent = await startHostileAgent(server, name);
      using visitor = await open();
      await visitor.send(requestBytes(host, "/x", { method: "HEAD" }));
      const { stream } = await agent.next(OPEN);
      agent.send(frame(HEAD, stream, headPayload(whole)), frame(DATA, stream, "ok", { flags: 1 }));
      await visitor.ended;
      expect(visitor.received).toEndWith("\r\n\r\n");
    });

    test("text messages, messages that are too large: the session is closed", async () => {
      const { server, ask } = parties();
      using texting = await startHostileAgent(server, name);
      texting.sendText("hello");
      expect((await texting.closed).code).toBe(4001);
      using shouting = await startHostileAgent(server, name);
      // Nothing is wrong with it but its size.
      shouting.send(...Array.from({ length: 20_000 }, () => frame(PING, 0, Buffer.alloc(8))));
      expect((await shouting.closed).code).toBe(1009);
      expect((await ask("/ok")).status).toBe(200);
    });

    test("a session that never answers pings is given up", async () => {
      const { server, open, ask } = parties();
      using agent = await startHostileAgent(server, name, { mute: true });
      using visitor = await open();
      const answer = visitor.response();
      await visitor.send(requestBytes(host, "/x"));
      await agent.next(OPEN);
      await agent.next(PING);
      // Dead after 500 ms of silence, then the visitor waits for another session.
      expect((await answer).status).toBe(503);
      await agent.closed;
      expect((await ask("/ok")).status).toBe(200);
    });

    test.each(["agent", "visitor"])(
      "a long head broken off by the %s's reset doesn't spoil the next one",
      async (who) => {
        const { server, open } = parties();
        using agent = await startHostileAgent(server, name);
        const begin = async (): Promise<{ visitor: RawClient; stream: number }> => {
          const visitor = await open();
          await visitor.send(requestBytes(host, "/x"));
          const { stream } = await agent.next(OPEN);
          agent.send(frame(HEAD, stream, headPayload("HTTP/1.1 200 OK\r\n"), { flags: MORE }));
          return { visitor, stream };
        };
        const first = await begin();
        if (who === "agent") {
          agent.send(frame(RESET, first.stream, "\0\x03"));
          expect((await first.visitor.response()).status).toBe(502);
        } else {
          first.visitor.reset();
          await agent.next(RESET);
        }
        const second = await begin();
        agent.send(frame(MORE_HEAD, second.stream, "Content-Length: 0\r\n\r\n"));
        agent.send(frame(END, second.stream, ""));
        expect((await second.visitor.response()).status).toBe(200);
        for (const { visitor } of [first, second]) visitor[Symbol.dispose]();
      },
    );

    test("a flood of bytes beyond the credit ends the session, and memory stays bounded", async () => {
      const { server, open, ask } = parties();
      using agent = await startHostileAgent(server, name);
      using visitor = await open();
      visitor.pause();
      await visitor.send(requestBytes(host, "/x"));
      const { stream } = await agent.next(OPEN);
      const rssBefore = process.memoryUsage.rss();
      agent.send(frame(HEAD, stream, headPayload("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")));
      const part = frame(DATA, stream, Buffer.alloc(60_000, "a"));
      let sent = 0;
      while (agent.isOpen && sent < 128 * 1024 * 1024) {
        // The agent is in this process: what the kernel hasn't taken of its flood would count as the server's memory.
        while (agent.isOpen && agent.backlogBytes > 1024 * 1024) await Bun.sleep(1);
        for (let i = 0; i < 8; i++) agent.send(part);
        sent += 8 * 60_000;
        await Bun.sleep(0);
      }
      expect((await agent.closed).code).toBe(4001);
      expect(process.memoryUsage.rss() - rssBefore).toBeLessThan(200 * 1024 * 1024);
      expect((await ask("/ok")).status).toBe(200);
    });

    test("a flood of interim answers to a visitor that doesn't read ends the stream", async () => {
      const { server, open, ask } = parties();
      using agent = await startHostileAgent(server, name);
      using visitor = await open();
      visitor.pause();
      await visitor.send(requestBytes(host, "/x"));
      const { stream } = await agent.next(OPEN);
      const hint = frame(HEAD, stream, headPayload(`HTTP/1.1 103 Early Hints\r\nLink: ${"a".repeat(60_000)}\r\n\r\n`));
      let isReset = false;
      const reset = agent.next(RESET).then(() => (isReset = true));
      for (let sent = 0; !isReset && sent < 64 * 1024 * 1024; sent += hint.length) {
        agent.send(hint);
        await Bun.sleep(0);
      }
      await reset;
      visitor.resume();
      expect((await visitor.response()).status).toBe(502);
      expect((await ask("/ok")).status).toBe(200);
    });

    test("an agent that sends and never reads is cut off", async () => {
      const { server, open, ask } = parties();
      const { path } = await registerRaw(server, name);
      using agent = await open();
      await agent.send(
        `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
          `Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
      );
      expect((await agent.response()).status).toBe(101);
      agent.pause();
      const pings = Buffer.concat(Array.from({ length: 12_000 }, () => frame(PING, 0, "12345678")));
      const message = Buffer.concat([Buffer.from([0x82, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]), pings]);
      message.writeUInt32BE(pings.length, 6);
      // More than every buffer on the way back may hold.
      for (let sent = 0; sent < 64 * 1024 * 1024; sent += message.length) {
        const isTaken = await Promise.race([agent.send(message).then(() => true), Bun.sleep(500).then(() => false)]);
        if (!isTaken) break;
      }
      expect((await ask("/ok")).status).toBe(200);
      agent.resume();
      await agent.ended;
    });

    test("requests that a session opens stay within its credit", async () => {
      const { server, open } = parties();
      using agent = await startHostileAgent(server, name);
      using visitor = await open();
      await visitor.send(requestBytes(host, "/x", { method: "POST", lines: ["Content-Length: 50000000"] }));
      const opened = await agent.next(OPEN);
      const credit = opened.payload.readUInt32BE(4);
      void visitor.send(Buffer.alloc(20_000_000));
      let received = 0;
      while (received < credit) received += (await agent.next(DATA)).payload.length;
      expect(received).toBe(credit);
      const more = await Promise.race([agent.next(DATA), Bun.sleep(200).then(() => null)]);
      expect(more).toBeNull();
    });

    const agentLine = `Sec-WebSocket-Protocol: ${subprotocol}`;
    const upgradeBytes = (path: string, lines = [agentLine]) => {
      const common = [
        "Connection: Upgrade",
        "Upgrade: websocket",
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        "Sec-WebSocket-Version: 13",
      ];
      return requestBytes("localhost", path, { lines: [...common, ...lines] });
    };

    /** Asks for a session as an agent does. */
    const upgrade = async (path: string, lines?: string[]) => {
      using client = await parties().open();
      await client.send(upgradeBytes(path, lines));
      return await client.response();
    };

    test("what comes right behind an upgrade is read, however much it is", async () => {
      const { server, open } = parties();
      const { path } = await registerRaw(server, name);
      using client = await open();
      const message = frame(GO_AWAY, 0, Buffer.alloc(50_000));
      // A whole binary message, masked with zeros.
      const header = Buffer.from([0x82, 0x80 | 126, message.length >>> 8, message.length & 0xff, 0, 0, 0, 0]);
      await client.send(Buffer.concat([Buffer.from(upgradeBytes(path)), header, message]));
      expect((await client.response()).status).toBe(101);
      await client.until("the agent is leaving");
    });

    test("a ticket that an older start of the agent left unused opens nothing beside a newer one", async () => {
      const { server } = parties();
      const older = await registerRaw(server, name);
      using newer = await startHostileAgent(server, name);
      expect((await upgrade(older.path)).status).toBe(409);
      expect(newer.isOpen).toBe(true);
    });

    test("what an upgrade may say: one ticket, once, with the subprotocol, without an Origin", async () => {
      const { server, ask } = parties();
      const { path } = await registerRaw(server, name);
      const bare = path.split("?")[0]!;
      expect((await upgrade(path, [])).status).toBe(426);
      expect((await upgrade(path, ["Sec-WebSocket-Protocol: digit-link.v9"])).status).toBe(426);
      const origin = [`Sec-WebSocket-Protocol: ${subprotocol}`, "Origin: https://evil.example"];
      expect((await upgrade(path, origin)).status).toBe(403);
      expect((await upgrade(bare)).status).toBe(403);
      expect((await upgrade(`${bare}?ticket=`)).status).toBe(403);
      expect((await upgrade(`${bare}?ticket=${"a".repeat(43)}`)).status).toBe(403);
      expect((await upgrade(path.replace(/s\/\d+/, "s/7"))).status).toBeOneOf([403, 404]);
      // None of these used the ticket up.
      const first = await upgrade(path);
      expect([first.status, valuesOf(first.fields, "sec-websocket-protocol")]).toEqual([101, [subprotocol]]);
      expect(valuesOf(first.fields, "sec-websocket-extensions")).toEqual([]);
      expect((await upgrade(path)).status).toBe(403);
      // Without an upgrade there is nothing here, and a tunnel's host has no sessions.
      expect((await ask(bare, { host: "localhost" })).status).toBeOneOf([400, 404, 426]);
      expect((await ask(path, { host: "demo.localhost" })).body.toString()).toBe("ok\n");
    });

    test("a go-away lets streams finish and takes no new ones", async () => {
      const { server, open, ask } = parties();
      using agent = await startHostileAgent(server, name);
      using visitor = await open();
      const answer = visitor.response();
      await visitor.send(requestBytes(host, "/x"));
      const { stream } = await agent.next(OPEN);
      agent.send(frame(GO_AWAY, 0, "{}"), frame(PING, 0, "12345678"));
      // Answered in order: the server has heard both.
      await agent.next(PONG);
      expect((await ask("/", { host })).status).toBe(503);
      agent.send(frame(HEAD, stream, headPayload(whole)), frame(DATA, stream, "ok", { flags: 1 }));
      expect((await answer).body.toString()).toBe("ok");
      expect((await agent.closed).code).toBe(4000);
    });
  });
});

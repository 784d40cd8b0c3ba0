// Contract: visitors' connections: keep-alive, HTTP/1.0, pipelining in any packets, and hosts that change on them.

import { expect, test } from "bun:test";
import { patternSha1 } from "../helpers/pattern.ts";
import { type RawClient, onlyValue } from "../helpers/raw-client.ts";
import { describeContract, requestBytes } from "../helpers/services.ts";
import { valuesOf } from "../helpers/strict-http.ts";

const post = (host: string, target: string, body: string, chunked = false): string =>
  chunked
    ? requestBytes(host, target, {
        method: "POST",
        lines: ["Transfer-Encoding: chunked"],
        body: `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
      })
    : requestBytes(host, target, { method: "POST", lines: [`Content-Length: ${body.length}`], body });

describeContract("connections", {}, (parties) => {
  /** Reads the answers of `/head/N` (or `/upload`) and checks that they come in order. */
  async function expectInOrder(client: RawClient, count: number): Promise<void> {
    for (let i = 0; i < count; i++) {
      const line = (await client.response()).body.toString().split("\r\n")[0];
      expect(line).toBe(`GET /head/${i} HTTP/1.1`);
    }
  }

  test("a kept-alive connection serves 200 requests", async () => {
    const { open, host } = parties();
    using client = await open();
    for (let i = 0; i < 200; i++) {
      await client.send(requestBytes(host, `/head/${i}`));
      expect((await client.response()).body.toString()).toStartWith(`GET /head/${i} HTTP/1.1\r\n`);
    }
  });

  test("100 requests in one packet are answered in order", async () => {
    const { open, host } = parties();
    using client = await open();
    await client.send(Array.from({ length: 100 }, (_, i) => requestBytes(host, `/head/${i}`)).join(""));
    await expectInOrder(client, 100);
  });

  test("requests with bodies in one packet", async () => {
    const { open, host } = parties();
    using client = await open();
    const body = `GET /head/smuggled HTTP/1.1\r\nHost: ${host}\r\n\r\n`;
    await client.send(
      post(host, "/upload/1", body) +
        requestBytes(host, "/head/0") +
        post(host, "/upload/2", body, true) +
        post(host, "/upload/3", "") +
        requestBytes(host, "/head/1", { lines: ["Connection: close"] }) +
        requestBytes(host, "/head/never"),
    );
    const sum = new Bun.CryptoHasher("sha1").update(body).digest("hex");
    expect(JSON.parse((await client.response()).body.toString())).toMatchObject({ sha1: sum });
    expect((await client.response()).body.toString()).toStartWith("GET /head/0 ");
    expect(JSON.parse((await client.response()).body.toString())).toMatchObject({ sha1: sum });
    expect(JSON.parse((await client.response()).body.toString())).toMatchObject({ bodyBytes: 0 });
    const last = await client.response();
    expect([last.body.toString().split(" ")[1], onlyValue(last, "connection")]).toEqual(["/head/1", "close"]);
    expect(await client.ended).toBe("clean");
  });

  test("pipelined requests in two packets, cut at every byte", async () => {
    const { open, host } = parties();
    const bytes = requestBytes(host, "/head/0") + post(host, "/upload", "hello", true) + requestBytes(host, "/head/1");
    for (let at = 1; at < bytes.length; at += 20) {
      await Promise.all(
        Array.from({ length: Math.min(20, bytes.length - at) }, async (_, i) => {
          using client = await open();
          await client.sendPieces(bytes, [at + i]);
          expect((await client.response()).body.toString()).toStartWith("GET /head/0 ");
          expect(JSON.parse((await client.response()).body.toString())).toMatchObject({ bodyBytes: 5 });
          expect((await client.response()).body.toString()).toStartWith("GET /head/1 ");
        }),
      );
    }
  });

  test("pipelined requests byte by byte", async () => {
    const { open, host } = parties();
    using client = await open();
    const bytes = requestBytes(host, "/head/0") + requestBytes(host, "/head/1");
    await client.sendPieces(
      bytes,
      Array.from(bytes, (_, i) => i),
    );
    await expectInOrder(client, 2);
  });

  test("a pipeline whose first answer is large, to a visitor that reads late", async () => {
    const { open, host } = parties();
    using client = await open();
    client.pause();
    await client.send(
      requestBytes(host, "/size/5000000") + requestBytes(host, "/head/0") + requestBytes(host, "/head/1"),
    );
    await Bun.sleep(50);
    client.resume();
    expect((await client.response({ discard: true })).sha1).toBe(patternSha1(5_000_000));
    await expectInOrder(client, 2);
  });

  test("HTTP/1.0 closes behind its answer", async () => {
    const { open, host } = parties();
    for (const target of ["/head/10", "/size/100000?chunked", "/until-close/100000", "/trailers"]) {
      using client = await open();
      const answer = client.response();
      await client.send(`GET ${target} HTTP/1.0\r\nHost: ${host}\r\n\r\n`);
      const response = await answer;
      expect([response.status, onlyValue(response, "connection")]).toEqual([200, "close"]);
      // RFC 9112 6.1: no chunks for HTTP/1.0.
      expect(valuesOf(response.fields, "transfer-encoding")).toEqual([]);
      if (response.bodyBytes === 100_000) expect(response.sha1).toBe(patternSha1(100_000));
      expect(await client.ended).toBe("clean");
      if (target === "/head/10") expect(response.body.toString()).toStartWith("GET /head/10 HTTP/1.1\r\n");
    }
  });

  test("HTTP/1.0 with keep-alive stays open as long as bodies have a length", async () => {
    const { open, host } = parties();
    using client = await open();
    const request = (target: string): string =>
      `GET ${target} HTTP/1.0\r\nHost: ${host}\r\nConnection: keep-alive\r\n\r\n`;
    for (let i = 0; i < 3; i++) {
      await client.send(request("/size/10"));
      const response = await client.response();
      expect([response.bodyBytes, onlyValue(response, "connection")]).toEqual([10, "keep-alive"]);
    }
    await client.send(request("/").replace(host, "nobody.localhost"));
    const refusal = await client.response();
    expect([refusal.status, onlyValue(refusal, "connection")]).toEqual([404, "keep-alive"]);
    const answer = client.response();
    await client.send(request("/size/10?chunked"));
    expect(onlyValue(await answer, "connection")).toBe("close");
    expect(await client.ended).toBe("clean");
  });

  test("a visitor that half-closes behind its request still gets the answer", async () => {
    const { open, host } = parties();
    using client = await open();
    const answer = client.response();
    await client.send(requestBytes(host, "/size/1000000"));
    client.finishSending();
    expect((await answer).sha1).toBe(patternSha1(1_000_000));
    expect(await client.ended).toBe("clean");
  });

  test("a visitor that half-closes behind a pipeline still gets all answers", async () => {
    const { open, host, other } = parties();
    using client = await open();
    const upload = { method: "POST", lines: ["Content-Length: 5"], body: "hello" };
    await client.send(
      requestBytes(host, "/size/1000000") +
        requestBytes(other.host, "/head/0") +
        requestBytes("nobody.localhost", "/") +
        requestBytes(host, "/upload", upload) +
        requestBytes(host, "/head/1"),
    );
    client.finishSending();
    expect((await client.response({ discard: true })).sha1).toBe(patternSha1(1_000_000));
    expect((await client.response()).body.toString()).toStartWith("GET /head/0 ");
    expect((await client.response()).status).toBe(404);
    expect(JSON.parse((await client.response()).body.toString())).toMatchObject({ bodyBytes: 5 });
    expect((await client.response()).body.toString()).toStartWith("GET /head/1 ");
    expect(await client.ended).toBe("clean");
  });

  test("a visitor that has half-closed when its connection goes to another thread gets all answers, and the end", async () => {
    const { open, host } = parties();
    using client = await open();
    // While the first one is answered the end is heard, by the thread that gives the connection away afterwards.
    await client.send(requestBytes("localhost", "/health") + requestBytes(host, "/head/0"));
    client.finishSending();
    expect((await client.response()).status).toBe(200);
    expect((await client.response()).body.toString()).toStartWith("GET /head/0 ");
    expect(await client.ended).toBe("clean");
  });

  test("a connection whose host changes on every request, with bodies both ways", async () => {
    const { open, host, other } = parties();
    using client = await open();
    const hosts = [host, other.host, "localhost", "nobody.localhost"];
    for (let i = 0; i < 80; i++) {
      const at = hosts[i % 4]!;
      const isOurs = at === host || at === other.host;
      const body = `${i}`.repeat(200);
      await client.send(isOurs ? post(at, `/echo/${i}`, body, i % 8 < 4) : requestBytes(at, "/health"));
      const response = await client.response();
      if (isOurs) expect(response.body.toString()).toBe(body);
      else expect(response.status).toBe(at === "localhost" ? 200 : 404);
    }
  });

  test("a pipeline over all hosts in one packet is answered in order", async () => {
    const { open, host, other } = parties();
    using client = await open();
    const hosts = [host, other.host, "localhost", "nobody.localhost"];
    await client.send(
      Array.from({ length: 40 }, (_, i) => {
        const at = hosts[i % 4]!;
        return at === host || at === other.host
          ? post(at, "/echo", `body ${i}`, i % 8 < 4)
          : requestBytes(at, "/health");
      }).join(""),
    );
    for (let i = 0; i < 40; i++) {
      const response = await client.response();
      if (i % 4 < 2) expect(response.body.toString()).toBe(`body ${i}`);
      else expect(response.status).toBe(i % 4 === 2 ? 200 : 404);
    }
  });

  test("100 visitors at once, each its own answers", async () => {
    const { open, host } = parties();
    await Promise.all(
      Array.from({ length: 100 }, async (_, visitor) => {
        using client = await open();
        for (let i = 0; i < 5; i++) {
          await client.send(requestBytes(host, `/head/${visitor}-${i}`));
          expect((await client.response()).body.toString()).toStartWith(`GET /head/${visitor}-${i} `);
        }
      }),
    );
  });
});

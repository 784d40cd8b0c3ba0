// The tests' own raw client and local service, against each other: a wrong tool would hide wrong answers.

import { describe, expect, test } from "bun:test";
import { garbageAnswers } from "./garbage-answers.ts";
import { startLocalService } from "./local-service.ts";
import { patternBytes, patternSha1 } from "./pattern.ts";
import { onlyValue, RawClient, requestOnce } from "./raw-client.ts";
import { valuesOf } from "./strict-http.ts";

const get = (target: string, lines = ""): string => `GET ${target} HTTP/1.1\r\nHost: local\r\n${lines}\r\n`;

describe("raw client and local service", () => {
  test("the exact head comes back, and is recorded", async () => {
    using service = startLocalService();
    const wire = get("/head/%2e//x", "x-odd:  \xe9 \r\nX-Odd: 2\r\n");
    const response = await requestOnce(service, wire);
    expect([response.status, response.body.toString("latin1")]).toEqual([200, wire]);
    const request = await service.next("/head");
    expect([request.raw, request.complete, service.problems]).toEqual([wire, true, []]);
  });

  test("pipelined answers are read one by one, whatever their framing", async () => {
    using service = startLocalService();
    using client = await RawClient.open(service);
    const targets = ["/chunked/a,bb", "/status/204", "/trailers", "/hints", "/duplicates", "/size/10"];
    for (const target of targets) {
      await client.send(get(target));
      const answer = await client.response();
      if (target === "/chunked/a,bb") expect(answer.body.toString()).toBe("abb");
      if (target === "/trailers")
        expect(answer.trailers.map(([name]) => name)).toEqual(["X-Sum", "grpc-status", "Set-Cookie"]);
      if (target === "/hints") expect(answer.interim.map((head) => head.status)).toEqual([103, 103]);
      if (target === "/duplicates") expect(valuesOf(answer.fields, "x-dup")).toEqual(["a", "b", "a"]);
      if (target === "/size/10") expect(answer.body).toEqual(patternBytes(0, 10));
    }
    await client.send("HEAD /size/10 HTTP/1.1\r\nHost: a\r\n\r\n");
    const head = await client.response({ toHead: true });
    expect([head.bodyBytes, onlyValue(head, "content-length")]).toEqual([0, "10"]);
    expect([service.problems, service.openConnections, service.requests.length]).toEqual([[], 1, 7]);
  });

  test("two answers in one packet go to two askers", async () => {
    using server = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        data: (socket) =>
          void socket.write(
            "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naHTTP/1.1 201 OK\r\nContent-Length: 1\r\n\r\nb",
          ),
        error: (socket) => void socket.terminate(),
      },
    });
    using client = await RawClient.open(server);
    await client.send("x");
    expect((await client.response()).status).toBe(200);
    expect((await client.response()).body.toString()).toBe("b");
  });

  test("uploads and echoes, with a length and chunked, are counted and hashed", async () => {
    using service = startLocalService();
    using client = await RawClient.open(service);
    const answer = client.response();
    await client.send("POST /upload HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\nExpect: 100-continue\r\n\r\n");
    await client.send(patternBytes(0, 300_000));
    const uploaded = await answer;
    expect(uploaded.interim.map((head) => head.status)).toEqual([100]);
    expect(JSON.parse(uploaded.body.toString())).toEqual({
      bodyBytes: 300_000,
      sha1: patternSha1(300_000),
      trailers: [],
    });
    const chunks =
      "POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n1\r\n!\r\n0\r\nX-T: 1\r\n\r\n";
    await client.sendPieces(
      chunks,
      Array.from(chunks, (_, i) => i),
    );
    const echoed = await client.response();
    expect([echoed.body.toString(), echoed.trailers, service.problems]).toEqual(["hello!", [["X-T", "1"]], []]);
  });

  test("16 MiB pass without being kept", async () => {
    using service = startLocalService();
    const bytes = 16 * 1024 * 1024;
    const response = await requestOnce(service, get(`/size/${bytes}`), { discard: true });
    expect([response.bodyBytes, response.sha1, response.body.length]).toEqual([bytes, patternSha1(bytes), 0]);
  });

  test("ranges", async () => {
    using service = startLocalService();
    const ranged = await requestOnce(service, get("/range/1000", "Range: bytes=10-19\r\n"));
    expect([ranged.status, onlyValue(ranged, "content-range"), ranged.body]).toEqual([
      206,
      "bytes 10-19/1000",
      patternBytes(10, 20),
    ]);
    expect((await requestOnce(service, get("/range/1000", "Range: bytes=-5\r\n"))).body).toEqual(
      patternBytes(995, 1000),
    );
    expect((await requestOnce(service, get("/range/1000", 'Range: bytes=0-1\r\nIf-Range: "v0"\r\n'))).status).toBe(200);
    expect((await requestOnce(service, get("/range/1000", "Range: bytes=1000-\r\n"))).status).toBe(416);
  });

  test("events arrive one by one, each before the next is sent", async () => {
    using service = startLocalService();
    using client = await RawClient.open(service);
    const arrived: string[] = [];
    let heard = Promise.withResolvers<void>();
    const answer = client.response({
      onBody(bytes) {
        arrived.push(bytes.toString());
        heard.resolve();
      },
    });
    await client.send(get("/sse/one"));
    const events = await service.events("one");
    for (let i = 0; i < 3; i++) {
      heard = Promise.withResolvers();
      await events.send(`e${i}`);
      await heard.promise;
      expect(arrived.at(-1)).toBe(`data: e${i}\n\n`);
    }
    await events.end();
    expect((await answer).body.toString()).toBe("data: e0\n\ndata: e1\n\ndata: e2\n\n");
  });

  test("raw pipes after a 101, with half-close", async () => {
    using service = startLocalService();
    using client = await RawClient.open(service);
    await client.send(get("/raw", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    expect((await client.response()).status).toBe(101);
    await client.send("\0\xffab");
    expect((await client.rawBytes(4)).toString("latin1")).toBe("\0\xffab");
    client.finishSending();
    expect(await client.ended).toBe("clean");
    expect(service.problems).toEqual([]);
  });

  test("a broken body is an error, a reset is told from a clean end", async () => {
    using service = startLocalService();
    for (const [query, end] of [
      ["how=reset", "reset"],
      ["how=clean", "clean"],
      ["how=reset&framing=chunked", "reset"],
      ["how=clean&framing=chunked", "clean"],
    ] as const) {
      using client = await RawClient.open(service);
      const answer = client.response();
      answer.catch(() => undefined);
      await client.send(get(`/die/1000?${query}`));
      expect(await client.ended).toBe(end);
      await expect(answer).rejects.toThrow(end === "clean" ? "ended before" : "reset");
    }
    const whole = await requestOnce(service, get("/until-close/1000"));
    expect(whole.body).toEqual(patternBytes(0, 1000));
  });

  test("a visitor that leaves is noticed, malformed requests and early ones too", async () => {
    using service = startLocalService();
    const client = await RawClient.open(service);
    await client.send(get("/silent"));
    const request = await service.next("/silent");
    client.reset();
    await request.closed;
    expect(service.problems).toEqual([]);
    using second = await RawClient.open(service);
    await second.send(get("/silent/2") + get("/silent/3"));
    await service.next("/silent/3");
    using third = await RawClient.open(service);
    await third.send("GET / HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    while (service.problems.length < 2) await new Promise((resolve) => setImmediate(resolve));
    expect(service.problems[0]).toContain("before the last one was answered");
    expect(service.problems[1]).toContain("bad first line");
  });

  test.each(Object.keys(garbageAnswers))("the client takes no garbage: %s", async (name) => {
    using service = startLocalService();
    const answer = requestOnce(service, get(`/garbage/${name}`), { timeoutMs: 2000 });
    // Limits and what was asked for are the server's business, not the reader's.
    if (["101-unasked", "head-too-large", "too-many-fields", "te-1.0", "trailer-framing"].includes(name)) await answer;
    else await expect(answer).rejects.toThrow();
  });
});

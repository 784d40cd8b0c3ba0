// Contract: a local service that breaks, lies or is away: a clear answer before the head, a broken connection behind it.

import { reported } from "../helpers/agent.ts";
import { describe, expect, test } from "bun:test";
import { startTestAgent } from "../helpers/agent.ts";
import { OPEN } from "../../src/protocol/frames.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { garbageAnswers } from "../helpers/garbage-answers.ts";
import { startHostileAgent } from "../helpers/hostile-agent.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { patternBytes } from "../helpers/pattern.ts";
import { onlyValue, type RawResponse } from "../helpers/raw-client.ts";
import { describeContractAndLent, requestBytes } from "../helpers/services.ts";
import { testTls } from "../helpers/test-tls.ts";

/** Checks an error answer of ours as JSON. */
function expectError(response: RawResponse, status: number, code: string): void {
  expect([response.status, JSON.parse(response.body.toString())]).toEqual([
    status,
    { error: { code, message: expect.any(String), requestId: onlyValue(response, "x-request-id") } },
  ]);
  expect(onlyValue(response, "content-type")).toBe("application/json; charset=utf-8");
  expect(onlyValue(response, "cache-control")).toBe("no-store");
}

/** Checks one for a browser. */
function expectPage(response: RawResponse, status: number): void {
  expect([response.status, onlyValue(response, "content-type")]).toEqual([status, "text/html; charset=utf-8"]);
  expect(response.body.toString()).toContain(onlyValue(response, "x-request-id"));
}

describeContractAndLent("failures", {}, (parties) => {
  const cuts = ["length", "chunked", "close"].flatMap((framing) =>
    ["reset", "clean"].flatMap((how) =>
      ["1.0", "1.1"].flatMap((version) => [0, 1_000, 3_000_000].map((bytes) => ({ framing, how, version, bytes }))),
    ),
  );
  // The clean end of a body without a length is its proper end.
  const broken = cuts.filter(({ framing, how }) => framing !== "close" || how === "reset");
  test.each(broken)("a body cut by its service is never a short success: %j", async (cut) => {
    const { framing, how, version, bytes } = cut;
    const { open, host, agent } = parties();
    using client = await open();
    const answer = client.response();
    answer.catch(() => undefined);
    const target = `/die/${bytes}?how=${how}&framing=${framing}&version=${version}`;
    await client.send(`GET ${target} HTTP/${version}\r\nHost: ${host}\r\n\r\n`);
    const ended = await client.ended;
    const outcome = await answer.then(
      ({ status }) => status,
      () => "broken",
    );
    // The head may not have left the service before its reset: then there is an answer of ours.
    if (outcome !== 502) expect(outcome).toBe("broken");
    // Without a length or chunks only a reset tells.
    if (outcome !== 502 && version === "1.0" && framing !== "length") expect(ended).toBe("reset");
    const { status, error } = await reported(agent, target);
    expect([status, error]).toEqual([
      outcome === 502 ? 502 : 200,
      expect.stringMatching(/^the connection (broke|ended) /),
    ]);
  });

  test.each(["reset", "clean"])("a service that ends before any answer (%s) is a 502", async (how) => {
    const { ask, open, host, agent } = parties();
    expectError(await ask(`/die-early?how=${how}`), 502, "local_failed");
    const { status, error } = await reported(agent, `/die-early?how=${how}`);
    expect([status, error]).toEqual([502, expect.stringMatching(/^the connection (broke|ended) /)]);
    // A POST, too, and the connection serves the next request.
    using client = await open();
    await client.send(requestBytes(host, `/die-early?how=${how}`, { method: "POST", lines: ["Content-Length: 0"] }));
    expectError(await client.response(), 502, "local_failed");
    await client.send(requestBytes(host, "/ok"));
    expect((await client.response()).status).toBe(200);
  });

  describe("security", () => {
    test.each(Object.entries(garbageAnswers))("garbage from the local service: %s", async (name, garbage) => {
      const { ask, service, agent } = parties();
      const target = `/garbage/${encodeURIComponent(name)}`;
      const outcome = await ask(target).catch(() => "broken" as const);
      if (outcome === "broken") expect(garbage.visitor).toBe("broken");
      else expectError(outcome, 502, "local_failed");
      expect((await ask("/ok")).status).toBe(200);
      // The request was sent once, however odd its answer.
      expect(service.requests.filter((request) => request.target === target).length).toBe(1);
      const { status, error } = await reported(agent, target);
      expect([status, error]).toEqual([outcome === "broken" ? 200 : 502, expect.stringMatching(/^\w[ -~]{15,}$/)]);
    });
  });

  test("a request that every agent dies of is not handed on without end", async () => {
    const { server, open } = parties();
    using visitor = await open();
    const answer = visitor.response().then(({ status }) => status);
    let asked = 0;
    let status: number | null = null;
    void answer.then((one) => (status = one));
    while (status === null && asked < 8) {
      using agent = await startHostileAgent(server, "poison");
      if (asked === 0) await visitor.send(requestBytes("poison.localhost", "/x"));
      const opened = await Promise.race([agent.next(OPEN), answer]);
      if (typeof opened === "object") asked++;
    }
    expect([await answer, asked]).toEqual([503, 3]);
  });

  test("a local service that isn't there is a 502, as a page for browsers, and the agent says so", async () => {
    const { server, open } = parties();
    const [gonePort = 0] = await freePorts(1);
    await using agent = await startTestAgent({ server, subdomain: "gone", localPort: gonePort });
    using client = await open();
    const lines = ["Accept: text/html,application/xhtml+xml"];
    await client.send(requestBytes("gone.localhost", "/<script>alert(1)</script>?x=<b>", { lines }));
    const page = await client.response();
    expectPage(page, 502);
    const text = page.body.toString();
    expect(text).not.toContain("script>");
    expect(text).not.toContain("<b>");
    await client.send(requestBytes("gone.localhost", "/json", { lines: ["Accept: */*"] }));
    expectError(await client.response(), 502, "local_unreachable");
    await client.send(requestBytes("gone.localhost", "/head", { method: "HEAD" }));
    expect([(await client.response({ toHead: true })).status]).toEqual([502]);
    await eventually(() => agent.of("local.status").some(({ state }) => state === "down"), "the agent says down");
    expect(agent.of("request").map(({ status, error }) => [status, error === null])).toContainEqual([502, false]);
    // It comes back: the same port answers, and the agent says so.
    using back = startLocalService("127.0.0.1", gonePort);
    await client.send(requestBytes("gone.localhost", "/ok"));
    expect((await client.response()).status).toBe(200);
    await eventually(() => agent.of("local.status").at(-1)?.state === "up", "the agent says up");
    expect(back.problems).toEqual([]);
  });

  test("a name without a tunnel is a 404, a host that isn't ours a 421", async () => {
    const { ask } = parties();
    expectError(await ask("/", { host: "nobody.localhost" }), 404, "tunnel_not_found");
    expectError(await ask("/", { host: "example.com" }), 421, "misdirected");
    expectError(await ask("/", { host: "a.b.localhost" }), 421, "misdirected");
    const lines = ["Accept: text/html"];
    expectPage(await ask("/", { host: "nobody.localhost", lines }), 404);
    expectPage(await ask("/", { host: "example.com", lines }), 421);
  });

  test("a local service that speaks TLS: the agent's user reads of --local-https, also where it just closes", async () => {
    const { server, open, agent, ask } = parties();
    using mute = Bun.serve({ hostname: "127.0.0.1", port: 0, tls: testTls, fetch: () => new Response() });
    await using first = await startTestAgent({ server, subdomain: "mute", localPort: mute.port ?? 0 });
    using client = await open();
    await client.send(requestBytes("mute.localhost", "/tls"));
    expectError(await client.response(), 502, "local_failed");
    const { status, error } = await reported(first, "/tls");
    expect([status, error]).toEqual([502, expect.stringMatching(/; if the local service .* --local-https$/)]);
    // One that has spoken HTTP is left with what happened.
    await ask("/die-early?how=clean");
    expect((await reported(agent, "/die-early?how=clean")).error).not.toContain("--local-https");
    using alerting = Bun.listen({
      ...{ hostname: "127.0.0.1", port: 0 },
      socket: { data: (socket) => void socket.end(Buffer.from("15030100020228", "hex")) },
    });
    await using second = await startTestAgent({ server, subdomain: "alerting", localPort: alerting.port });
    await client.send(requestBytes("alerting.localhost", "/tls"));
    expectError(await client.response(), 502, "local_failed");
    const sentence = "the local service seems to speak TLS: give --local-https";
    expect(await reported(second, "/tls")).toMatchObject({ status: 502, error: sentence });
  });

  test("a connection that the local service closed meanwhile is not noticed by the visitor", async () => {
    const { server, open } = parties();
    const [port = 0] = await freePorts(1);
    await using _agent = await startTestAgent({ server, subdomain: "restarted", localPort: port });
    using client = await open();
    for (let i = 0; i < 3; i++) {
      const service = startLocalService("127.0.0.1", port);
      await client.send(requestBytes("restarted.localhost", `/head/${i}`));
      expect((await client.response()).body.toString()).toStartWith(`GET /head/${i} `);
      service[Symbol.dispose]();
    }
  });
});

describeContractAndLent("failures, by time", { REQUEST_TIMEOUT_MS: "1s", HOLD_MS: "3s" }, (parties) => {
  test("a service that never answers is a 504, its request is closed, and the agent's user reads why", async () => {
    const { ask, service, agent } = parties();
    const startedAt = performance.now();
    expectError(await ask("/silent/504"), 504, "local_timeout");
    expectPage(await ask("/silent/page", { lines: ["Accept: text/html"] }), 504);
    expect(performance.now() - startedAt).toBeGreaterThan(1_900);
    const request = await service.next("/silent/504");
    await request.closed;
    expect(await reported(agent, "/silent/504")).toMatchObject({ status: 504, error: "no answer within 1 s" });
  });

  test("the time limit doesn't hold for bodies: a quiet event stream and a slow answer live", async () => {
    const { open, host, service } = parties();
    using client = await open();
    const answer = client.response();
    await client.send(requestBytes(host, "/sse/quiet"));
    const events = await service.events("quiet");
    await client.until("text/event-stream");
    await Bun.sleep(1_500);
    await events.send("late");
    await events.end();
    expect((await answer).body.toString()).toBe("data: late\n\n");
  });

  test("the time limit doesn't hold for uploads that move", async () => {
    const { open, host } = parties();
    using client = await open();
    const answer = client.response();
    await client.send(requestBytes(host, "/upload", { method: "POST", lines: ["Content-Length: 15"] }));
    for (let i = 0; i < 15; i++) {
      await client.send("x");
      await Bun.sleep(100);
    }
    expect((await answer).status).toBe(200);
  });

  test("visitors wait for an agent that is away for a moment, and are told when it stays away", async () => {
    const { server, open } = parties();
    using service = startLocalService();
    const options = { server, subdomain: "away", localPort: service.port };
    const first = await startTestAgent(options);
    await first[Symbol.asyncDispose]();
    using client = await open();
    const answer = client.response();
    const body = patternBytes(0, 300_000).toString("latin1");
    const lines = [`Content-Length: ${body.length}`];
    await client.send(requestBytes("away.localhost", "/upload", { method: "POST", lines, body }));
    const second = await startTestAgent(options);
    const held = await answer;
    expect([held.status, JSON.parse(held.body.toString())]).toMatchObject([200, { bodyBytes: 300_000 }]);
    await second[Symbol.asyncDispose]();
    await client.send(requestBytes("away.localhost", "/ok"));
    const offline = await client.response();
    expectError(offline, 503, "tunnel_offline");
    expect(Number(onlyValue(offline, "retry-after"))).toBeGreaterThan(0);
    await client.send(requestBytes("away.localhost", "/ok", { lines: ["Accept: text/html"] }));
    expectPage(await client.response(), 503);
  });
});

// GET /metrics of a running server: what visitors did is counted, and who may read it.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import SwaggerParser from "@apidevtools/swagger-parser";
import { adminApi } from "../helpers/admin-api.ts";
import { startTestAgent, type TestAgent } from "../helpers/agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { type LocalService, startLocalService } from "../helpers/local-service.ts";
import { startTestServer, type TestServer } from "../helpers/server.ts";
import { visit } from "../helpers/visit.ts";

let server: TestServer;
let local: LocalService;
let agent: TestAgent;
beforeAll(async () => {
  // So that a request can come from somewhere else than here.
  server = await startTestServer({ SHARDS: "2", TRUSTED_PROXIES: "127.0.0.0/8" });
  local = startLocalService();
  agent = await startTestAgent({ server, subdomain: "counted", localPort: local.port });
});
afterAll(async () => {
  await agent?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
  local?.[Symbol.dispose]();
});

const scrape = (headers: Record<string, string> = {}) =>
  fetch(`http://127.0.0.1:${server.port}/metrics`, { headers: { host: "localhost", ...headers } });
const outside = { "x-forwarded-for": "203.0.113.9" };

test("visitors, sessions and bytes are counted", async () => {
  for (const path of ["/a", "/b", "/status/404", "/status/503"]) await visit(server.port, "counted", path);
  const wanted = [
    'digit_link_tunnels{state="live"} 1',
    "digit_link_sessions 2",
    "digit_link_requests_total 4",
    'digit_link_responses_total{class="2xx"} 2',
    'digit_link_responses_total{class="4xx"} 1',
    'digit_link_responses_total{class="5xx"} 1',
    'digit_link_shard_restarts_total{shard="1"} 0',
  ];
  await eventually(async () => {
    const lines = (await (await scrape()).text()).split("\n");
    return wanted.every((line) => lines.includes(line));
  }, wanted.join(", "));
  const answer = await scrape();
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  expect(answer.headers.get("cache-control")).toBe("no-store");
  expect(await answer.text()).not.toContain("counted");
});

test("an agent that is refused when it registers is counted", async () => {
  const response = await fetch(`http://127.0.0.1:${server.port}/_tunnel/register`, {
    method: "POST",
    headers: { host: "localhost", authorization: "Bearer dlt_wrong", "content-type": "application/json" },
    body: JSON.stringify({ agentId: "agt_refused_1", generation: 1, version: "1.0.0" }),
  });
  expect(response.status).toBe(401);
  await eventually(
    async () => (await (await scrape()).text()).includes('digit_link_refusals_total{rule="bad_token"} 1\n'),
    "it is counted",
  );
});

test("the OpenAPI document describes it", async () => {
  const text = await (await fetch(`http://localhost:${server.port}/swagger/json`)).text();
  await SwaggerParser.validate(JSON.parse(text) as Parameters<typeof SwaggerParser.validate>[0]);
  const document = JSON.parse(text) as {
    paths: Record<string, { get: { responses: Record<string, { content: object }> } }>;
  };
  const { responses } = document.paths["/metrics"]!.get;
  expect(Object.keys(responses)).toEqual(expect.arrayContaining(["200", "401", "403"]));
  expect(Object.keys(responses["200"]!.content)).toEqual(["text/plain"]);
});

describe("security", () => {
  test("from elsewhere only admins read it", async () => {
    const member = await adminApi(server).createAccount("somebody", null);
    expect((await scrape(outside)).status).toBe(401);
    expect((await scrape({ ...outside, "x-admin-token": member.token })).status).toBe(401);
    expect((await scrape({ ...outside, "x-admin-token": server.token })).status).toBe(200);
  });

  test("a tunnel's own /metrics is the tunnel's", async () => {
    const answer = await visit(server.port, "counted", "/metrics");
    expect(answer.body.toString()).toBe("ok\n");
  });
});

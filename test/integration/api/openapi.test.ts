// The OpenAPI document of a whole running server: valid, complete, and true of what it answers (every other test of the API
// compares each answer with it, see test/helpers/described-answers.ts).

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import SwaggerParser from "@apidevtools/swagger-parser";
import { badBodies, type Schema } from "../../helpers/bad-bodies.ts";
import { readDescription } from "../../helpers/described-answers.ts";
import { startTestServer, type TestServer } from "../../helpers/server.ts";
import { isolation } from "../isolation-table.ts";

interface Operation {
  summary?: string;
  tags?: string[];
  security?: Record<string, string[]>[];
  requestBody?: { content: Record<string, { schema: Schema }> };
  responses: Record<string, { description?: string; content?: Record<string, unknown> }>;
}

/** What scripts rely on, as `METHOD path` with `{}` for an id: everything of /admin and /org stands in isolation-table.ts. */
const promised = [
  "POST /_tunnel/register",
  "GET /_tunnel/credential",
  "DELETE /_tunnel/{}",
  ...["GET /health", "GET /ready", "GET /live", "GET /metrics"],
  ...["GET /setup/status", "POST /setup/init", "POST /setup/totp", "POST /setup/complete"],
  ...["POST /auth/check-account", "POST /auth/login", "POST /auth/totp/verify", "POST /auth/logout"],
  ...["POST /auth/logout-all", "GET /auth/totp/setup", "POST /auth/totp/setup", "GET /auth/me"],
  ...["GET /auth/oauth/{}", "GET /auth/oauth/{}/callback", "GET /auth/sessions", "DELETE /auth/sessions/{}"],
  ...["POST /auth/recovery-codes", "GET /auth/visitor/callback"],
  ...["GET /__auth/login", "GET /__auth/callback", "POST /__auth/logout", "GET /__auth/basic", "POST /__auth/basic"],
  "GET /__auth/health",
];
const forms = new Set(["POST /__auth/basic", "POST /__auth/logout"]);

let server: TestServer;
let text: string;
let operations: { name: string; method: string; operation: Operation }[];
beforeAll(async () => {
  server = await startTestServer();
  text = await (await fetch(`http://127.0.0.1:${server.port}/swagger/json`, { headers: { host: "localhost" } })).text();
  const { paths } = JSON.parse(text) as { paths: Record<string, Record<string, Operation>> };
  operations = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      name: `${method.toUpperCase()} ${path}`,
      method: method.toUpperCase(),
      operation,
    })),
  );
});
afterAll(async () => server[Symbol.asyncDispose]());

describe("the document of a running server", () => {
  test("is valid OpenAPI 3", async () => {
    await SwaggerParser.validate(JSON.parse(text));
  });

  test("has every route that scripts rely on", () => {
    const described = new Set(operations.map(({ name }) => name.replace(/\{\w+\}/g, "{}")));
    expect(promised.filter((name) => !described.has(name))).toEqual([]);
    const guarded = operations.map(({ name }) => name).filter((name) => /^\w+ \/(admin|org)\//.test(name));
    expect(guarded.sort()).toEqual(Object.keys(isolation).sort());
  });

  test("each operation says what it is, what it takes, what it answers and refuses, and who may call it", () => {
    for (const { name, method, operation } of operations) {
      const { summary, tags, responses, requestBody, security } = operation;
      const statuses = Object.keys(responses);
      expect({ name, summary: typeof summary, tags: tags?.length }).toEqual({ name, summary: "string", tags: 1 });
      expect({ name, statuses }).toEqual({ name, statuses: expect.arrayContaining(["400", "421", "500", "503"]) });
      expect({ name, success: statuses.some((status) => /^[23]/.test(status)) }).toEqual({ name, success: true });
      for (const [status, { description, content = {} }] of Object.entries(responses)) {
        expect({ name, status, description: typeof description }).toMatchObject({ description: "string" });
        const isPage = /\/__auth\/|\/auth\/visitor\//.test(name);
        if (/^[45]/.test(status) && !isPage)
          expect({ name, status, types: Object.keys(content) }).toEqual({ name, status, types: ["application/json"] });
      }
      if (method !== "GET") {
        const types = Object.keys(requestBody?.content ?? {});
        expect({ name, types }).toEqual({
          name,
          types: [forms.has(name) ? "application/x-www-form-urlencoded" : "application/json"],
        });
        expect({ name, statuses }).toEqual({ name, statuses: expect.arrayContaining(["403", "413", "415", "422"]) });
      }
      const who = (security ?? []).flatMap((one) => Object.keys(one)).sort();
      const wanted = /^\w+ \/(admin|metrics)/.test(name)
        ? ["adminToken", "bearer", "cookie"]
        : /^\w+ \/org\//.test(name)
          ? ["bearer", "cookie"]
          : /^\w+ \/_tunnel\//.test(name)
            ? ["agent"]
            : who;
      expect({ name, who }).toEqual({ name, who: wanted });
    }
  });
});

describe("security", () => {
  test("a registration that its schema forbids is refused with field and rule", async () => {
    const { schema } = operations.find(({ name }) => name === "POST /_tunnel/register")!.operation.requestBody!.content[
      "application/json"
    ]!;
    for (const { what, body, field } of badBodies(schema)) {
      const response = await fetch(`http://127.0.0.1:${server.port}/_tunnel/register`, {
        method: "POST",
        headers: { host: "localhost", "content-type": "application/json", authorization: `Bearer ${server.token}` },
        body: JSON.stringify(body),
      });
      const { error } = (await response.json()) as { error: object };
      expect({ what, status: response.status, error }).toMatchObject({
        what,
        status: 422,
        error: { code: "validation", field },
      });
    }
  });
});

describe("answers that the document doesn't know are found", () => {
  const answer = { status: 200, contentType: "application/json", text: '{"status":"ok"}' };
  test.each([
    ["a status", { ...answer, status: 418 }],
    ["a type", { ...answer, contentType: "text/html" }],
    ["no type", { ...answer, contentType: null }],
    ["a field too many", { ...answer, text: '{"status":"ok","more":1}' }],
    ["a field too few", { ...answer, text: "{}" }],
    ["a field of another type", { ...answer, text: '{"status":1}' }],
    ["a code of another status", { ...answer, status: 400, text: '{"error":{"code":"forbidden","message":"x"}}' }],
  ])("%s", (_what, wrong) => {
    const description = readDescription(text);
    expect(() => description.check("GET", "/live", answer)).not.toThrow();
    expect(() => description.check("GET", "/live", wrong)).toThrow("GET /live answered");
  });

  test("ids in paths", () => {
    const description = readDescription(text);
    const wrong = { ...answer, text: "{}" };
    expect(() => description.check("GET", "/admin/accounts/acc_1", wrong)).toThrow("account");
    expect(() => description.check("GET", "/nowhere", wrong)).not.toThrow();
  });
});

// The frame around every route: errors, headers, bodies, CSRF, the OpenAPI document.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import SwaggerParser from "@apidevtools/swagger-parser";
import { createTestApi, type TestApi } from "../../helpers/api.ts";
import { openTestSqlite, type TestDatabase } from "../../helpers/databases.ts";

let database: TestDatabase;
let api: TestApi;
beforeAll(async () => {
  database = await openTestSqlite();
  api = createTestApi(database);
});
afterAll(async () => database[Symbol.asyncDispose]());

describe("health", () => {
  test("counts are for private addresses only", async () => {
    const near = await api.call("GET", "/health", { address: "127.0.0.1" });
    expect(near.body).toEqual({ status: "ok", activeTunnels: 3, activeAccounts: 0, whitelistEntries: 0 });
    const far = await api.call("GET", "/health", { address: "203.0.113.7" });
    expect(far.body).toEqual({ status: "ok" });
    const mapped = await api.call("GET", "/health", { address: "unknown" });
    expect(mapped.body).toEqual({ status: "ok" });
  });

  test("ready and live", async () => {
    expect((await api.call("GET", "/ready")).body).toEqual({ status: "ok" });
    expect((await api.call("GET", "/live")).body).toEqual({ status: "ok" });
  });
});

describe("openapi", () => {
  test("the document is valid OpenAPI 3", async () => {
    const answer = await api.call("GET", "/swagger/json");
    expect(answer.status).toBe(200);
    expect(answer.headers.get("content-type")).toBe("application/json");
    await SwaggerParser.validate(JSON.parse(answer.text));
  });

  test("every operation has a summary, answers, errors and a tag", async () => {
    const document = JSON.parse((await api.call("GET", "/swagger/json")).text) as {
      paths: Record<string, Record<string, Record<string, unknown>>>;
    };
    for (const [path, operations] of Object.entries(document.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const name = `${method} ${path}`;
        expect({ name, summary: typeof operation["summary"] }).toEqual({ name, summary: "string" });
        expect({ name, tags: (operation["tags"] as string[]).length }).toEqual({ name, tags: 1 });
        const statuses = Object.keys(operation["responses"] as object);
        expect({ name, ok: statuses.some((status) => status.startsWith("2") || status.startsWith("3")) }).toEqual({
          name,
          ok: true,
        });
        expect(statuses).toContain("500");
        if (/^\/(admin|org)\//.test(path)) {
          expect({ name, secured: (operation["security"] as object[]).length > 0 }).toEqual({ name, secured: true });
          expect(statuses).toContain("401");
        }
      }
    }
  });
});

describe("security", () => {
  test("no viewer from a third party", async () => {
    expect((await api.call("GET", "/swagger")).status).toBe(404);
    expect((await api.call("GET", "/swagger/json")).text).not.toContain("cdn");
  });

  test("every answer carries the headers, refusals included", async () => {
    for (const path of ["/live", "/nowhere", "/swagger/json"]) {
      const { headers } = await api.call("GET", path);
      expect(headers.get("content-security-policy")).toContain("default-src 'none'");
      expect(headers.get("content-security-policy")).toContain("frame-ancestors 'none'");
      expect(headers.get("content-security-policy")).not.toContain("unsafe");
      expect(headers.get("x-content-type-options")).toBe("nosniff");
      expect(headers.get("referrer-policy")).toBe("no-referrer");
      expect(headers.get("permissions-policy")).toContain("camera=()");
      expect(headers.get("cache-control")).toBe("no-store");
      expect(headers.get("strict-transport-security")).toContain("max-age=");
      expect(headers.get("x-request-id")).toBe("req-1");
      expect([...headers.keys()].some((name) => name.startsWith("access-control"))).toBe(false);
    }
  });

  test("an unknown path is one error body", async () => {
    const answer = await api.call("GET", "/nowhere/<script>");
    expect(answer.status).toBe(404);
    expect(answer.body).toEqual({
      error: { code: "not_found", message: "There is nothing here.", requestId: "req-1" },
    });
  });
});

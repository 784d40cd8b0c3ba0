// The frame around every route: errors, headers, bodies, CSRF, the OpenAPI document.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import SwaggerParser from "@apidevtools/swagger-parser";
import { createApi } from "../../../src/api/app.ts";
import { serveApi } from "../../../src/api/serve.ts";
import { createTestApi, type TestApi } from "../../helpers/api.ts";
import { openTestSqlite, type TestDatabase } from "../../helpers/databases.ts";
import { createPerson } from "../../helpers/people.ts";

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
      expect(headers.get("content-security-policy")).toContain("form-action 'self'; base-uri 'none'");
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

describe("security of the frame", () => {
  const login = { username: "somebody", password: "planted-secret-value" };

  test("a browser's request must come from our own pages", async () => {
    const cases: [Record<string, string>, number][] = [
      [{}, 401],
      [{ origin: "https://tunnel.test" }, 401],
      [{ origin: "https://tunnel.test", "sec-fetch-site": "same-origin" }, 401],
      [{ origin: "https://evil.tunnel.test" }, 403],
      [{ origin: "https://tunnel.test.evil.example" }, 403],
      [{ origin: "http://tunnel.test" }, 403],
      [{ origin: "null" }, 403],
      [{ origin: "" }, 403],
      [{ origin: "https://tunnel.test", "sec-fetch-site": "same-site" }, 403],
      [{ "sec-fetch-site": "cross-site" }, 403],
      [{ "sec-fetch-site": "none" }, 403],
      [{ origin: "https://tunnel.test:8443", "x-digit-link-host": "tunnel.test:8443" }, 401],
      [{ origin: "https://tunnel.test:9999", "x-digit-link-host": "tunnel.test:8443" }, 403],
      // With a cookie of ours, a browser says where it comes from; who doesn't is no browser.
      [{ cookie: "__Host-dl_session=x" }, 403],
      [{ cookie: "a=b; __Host-dl_setup=x" }, 403],
      [{ cookie: "__Host-dl_session=x", origin: "https://tunnel.test" }, 401],
    ];
    for (const [headers, status] of cases) {
      const answer = await api.call("POST", "/auth/login", { body: login, headers });
      expect({ headers, status: answer.status }).toEqual({ headers, status });
      expect(answer.headers.has("access-control-allow-origin")).toBe(false);
    }
  });

  test("reading needs no origin", async () => {
    const answer = await api.call("GET", "/live", {
      headers: { origin: "https://evil.example", "sec-fetch-site": "cross-site" },
    });
    expect(answer.status).toBe(200);
  });

  test("bodies are JSON only", async () => {
    for (const type of [
      "text/plain",
      "application/x-www-form-urlencoded",
      "multipart/form-data; boundary=x",
      "application/json; charset=latin1",
      "application/jsonp",
      "",
    ]) {
      const answer = await api.call("POST", "/auth/login", { body: login, headers: { "content-type": type } });
      expect({ type, status: answer.status }).toEqual({ type, status: 415 });
    }
    const fine = await api.call("POST", "/auth/login", {
      body: login,
      headers: { "content-type": 'Application/JSON; charset="UTF-8"' },
    });
    expect(fine.status).toBe(401);
  });

  test("large, deep, broken and dangerous bodies", async () => {
    const deep = `${"[".repeat(100_000)}${"]".repeat(100_000)}`;
    const cases: [string, number][] = [
      [`{"username":"${"x".repeat(1024 * 1024)}","password":"y"}`, 413],
      [deep, 400],
      [`{"username":${"[".repeat(20)}${"]".repeat(20)},"password":"y"}`, 400],
      ["{", 400],
      ["[]", 422],
      ["null", 422],
      ['"text"', 422],
      ['{"username":"a","password":"b","extra":1}', 422],
      ['{"username":"a","password":"b","__proto__":{"isAdmin":true}}', 400],
      ['{"username":"a","password":"b","constructor":{"prototype":{"isAdmin":true}}}', 400],
      ['{"username":["a"],"password":"b"}', 422],
      [`{"username":"${"x".repeat(129)}","password":"b"}`, 422],
      ['{"username":"a"}', 422],
    ];
    for (const [body, status] of cases) {
      const answer = await api.call("POST", "/auth/login", { body });
      expect({ body: body.slice(0, 60), status: answer.status }).toEqual({ body: body.slice(0, 60), status });
    }
    expect(({} as Record<string, unknown>)["isAdmin"]).toBeUndefined();
  });

  test("a refusal names field and rule and repeats nothing", async () => {
    const answer = await api.call("POST", "/auth/login", {
      body: { ...login, password: 5, username: "planted-secret-value" },
    });
    expect(answer.body).toEqual({
      error: { code: "validation", message: "password must be a string.", field: "password", requestId: "req-1" },
    });
    const extra = await api.call("POST", "/auth/login", { body: { ...login, planted: 1 } });
    expect(extra.body["error"]).toMatchObject({ field: "planted", message: "planted is not a known field." });
    const long = await api.call("POST", "/auth/login", { body: { username: "planted-".repeat(20), password: "x" } });
    expect(long.body["error"]).toMatchObject({
      field: "username",
      message: "username must have at most 128 characters.",
    });
    expect(long.text).not.toContain("planted-");
  });

  test("an unexpected error shows nothing of itself", async () => {
    await using broken = await openTestSqlite();
    const failing = createTestApi(broken);
    await failing.deps.db.kysely.schema.dropTable("limiter_failures").execute();
    await failing.deps.db.kysely.schema.dropTable("pending_logins").execute();
    const answer = await failing.call("POST", "/auth/totp/verify", { body: { pendingToken: "x", code: "000000" } });
    expect(answer.status).toBe(500);
    expect(answer.text).not.toContain("pending_logins");
    expect(answer.text).not.toContain("at ");
    expect(answer.headers.get("content-security-policy")).toContain("default-src");
    expect(failing.logs.join("\n")).toContain("pending_logins");
  });

  test("two cookies of one name are none", async () => {
    const { session } = await createPerson(api, { username: "twice" });
    const me = (cookie: string) => api.call("GET", "/auth/me", { headers: { cookie } });
    expect((await me(`__Host-dl_session=${session}`)).status).toBe(200);
    expect((await me(`__Host-dl_session=${session}; __Host-dl_session=planted`)).status).toBe(401);
    expect((await me(`__Host-dl_session=planted; __Host-dl_session=${session}`)).status).toBe(401);
  });

  test("a cookie without its prefix is not read under https", async () => {
    const { session } = await createPerson(api, { username: "prefix" });
    expect((await api.call("GET", "/auth/me", { cookies: { dl_session: session } })).status).toBe(401);
    expect((await api.call("GET", "/auth/me", { session })).status).toBe(200);
    expect((await api.call("GET", "/auth/me", { headers: { authorization: `Bearer ${session}` } })).status).toBe(200);
  });

  test("forwarding headers of the visitor's making are not believed", async () => {
    const headers = { "x-forwarded-for": "127.0.0.1", forwarded: "for=127.0.0.1", "x-real-ip": "127.0.0.1" };
    expect((await api.call("GET", "/health", { headers })).body).toEqual({ status: "ok" });
  });
});

describe("security of hosts", () => {
  test("each path exists under its own host only", async () => {
    const apart = createTestApi(database, { settings: { dashboardDomain: "panel.example" } });
    const cases: [TestApi, string, string, number][] = [
      [api, "tunnel.test", "/auth/me", 401],
      [api, "tunnel.test:8443", "/auth/me", 401],
      [api, "app.tunnel.test", "/auth/me", 404],
      [api, "app.tunnel.test", "/admin/accounts", 404],
      [api, "app.tunnel.test", "/live", 404],
      [api, "tunnel.test", "/__auth/login", 404],
      [api, "127.0.0.1", "/live", 200],
      [api, "127.0.0.1", "/admin/me", 421],
      [api, "evil.example", "/admin/me", 421],
      [api, "", "/admin/me", 421],
      [apart, "panel.example", "/admin/me", 401],
      [apart, "tunnel.test", "/admin/me", 421],
      [apart, "tunnel.test", "/live", 200],
      [apart, "tunnel.test", "/auth/visitor/callback", 404],
    ];
    for (const [of, host, path, status] of cases) {
      const answer = await of.call("GET", path, { headers: { "x-digit-link-host": host } });
      expect({ host, path, status: answer.status }).toEqual({ host, path, status });
    }
  });
});

describe("served on a unix socket", () => {
  test("answers and refuses large bodies", async () => {
    await using folder = createFolder();
    const socket = join(folder.path, "api.sock");
    const server = serveApi(createApi(api.deps), socket, { https: true, log: api.deps.log });
    try {
      const call = (path: string, init: RequestInit = {}) =>
        fetch(`http://tunnel.test${path}`, {
          ...init,
          unix: socket,
          headers: { "x-digit-link-host": "tunnel.test", "content-type": "application/json" },
        });
      const live = await call("/live");
      expect(await live.json()).toEqual({ status: "ok" });
      expect(live.headers.get("x-content-type-options")).toBe("nosniff");
      const large = await call("/auth/login", { method: "POST", body: "x".repeat(1024 * 1024 + 1) });
      expect(large.status).toBe(413);
      expect(await large.json()).toMatchObject({ error: { code: "payload_too_large" } });
      expect((await call("/auth/login", { method: "POST", body: "x".repeat(2 * 1024 * 1024) })).status).toBe(413);
      const pieces = new ReadableStream({
        start(controller) {
          for (let i = 0; i < 32; i++) controller.enqueue(Buffer.alloc(256 * 1024, "x"));
          controller.close();
        },
      });
      for (const body of ["x".repeat(8 * 1024 * 1024), pieces]) {
        const refused = await call("/auth/login", { method: "POST", body });
        expect(await refused.json()).toMatchObject({ error: { code: "payload_too_large" } });
        expect(refused.headers.get("content-security-policy")).toContain("default-src 'none'");
      }
      expect((await call("/live")).status).toBe(200);
    } finally {
      await server.stop(true);
    }
  });
});

function createFolder() {
  const path = mkdtempSync(join(tmpdir(), "digit-link-api-"));
  return { path, [Symbol.asyncDispose]: async () => rmSync(path, { recursive: true, force: true }) };
}

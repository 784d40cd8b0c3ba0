// The dashboard's files as the API serves them: the page on its addresses only, compressed, under the strict CSP.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createApi, type Api } from "../../src/api/app.ts";
import { readDashboard } from "../../src/api/dashboard/files.ts";
import { createDashboardRoutes } from "../../src/api/dashboard/routes.ts";
import { createTestApi } from "../helpers/api.ts";
import { openTestSqlite, type TestDatabase } from "../helpers/databases.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-dashboard-"));
let database: TestDatabase;
let api: Api;
let unbuilt: Api;

beforeAll(async () => {
  mkdirSync(join(folder, "assets"));
  writeFileSync(join(folder, "index.html"), `<!doctype html>${"<p>digit-link</p>".repeat(50)}`);
  writeFileSync(join(folder, "assets/app-1234.js"), "export const answer = 42;".repeat(50));
  writeFileSync(join(folder, "manifest.json"), "{}");
  writeFileSync(`${folder}.secret.html`, "outside");
  database = await openTestSqlite();
  const { deps } = createTestApi(database);
  deps.settings.dashboardDomain = "dash.test";
  api = createApi(deps, [createDashboardRoutes(readDashboard(folder))]);
  unbuilt = createApi(deps, [createDashboardRoutes(null)]);
});
afterAll(async () => {
  await database[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
  rmSync(`${folder}.secret.html`);
});

async function get(
  path: string,
  options: { host?: string; encodings?: string; accept?: string; from?: Api } = {},
): Promise<Response> {
  const headers = {
    "x-digit-link-host": options.host ?? "dash.test",
    ...(options.accept === undefined ? {} : { accept: options.accept }),
    ...(options.encodings === undefined ? {} : { "accept-encoding": options.encodings }),
  };
  return (options.from ?? api).handle(new Request(`http://localhost${path}`, { headers }));
}

describe("the dashboard's files", () => {
  test.each(["/", "/login", "/setup?code=x", "/dashboard", "/dashboard/applications/app_1/policy"])(
    "%s is the page, asked for each time",
    async (path) => {
      const response = await get(path);
      expect(response.status).toBe(200);
      expect(response.headers.get("content-type")).toBe("text/html; charset=utf-8");
      expect(response.headers.get("cache-control")).toBe("no-cache");
      expect(await response.text()).toStartWith("<!doctype html>");
    },
  );

  test("an unknown address is the page that leads on for a browser, and the API's own 404 for everybody else", async () => {
    for (const path of ["/nowhere", "/dashbord/overview", "/admin/nowhere", "/assets"]) {
      const person = await get(path, { accept: "text/html,*/*;q=0.8" });
      expect([path, person.status, person.headers.get("content-type")]).toEqual([
        path,
        404,
        "text/html; charset=utf-8",
      ]);
      expect(person.headers.get("content-security-policy")).toContain("default-src 'none'");
      const program = await get(path, { accept: "*/*" });
      expect([path, program.status]).toEqual([path, 404]);
      expect(program.headers.get("content-type")).toContain("application/json");
    }
    for (const options of [{ host: "tunnel.test" }, { from: unbuilt }]) {
      const response = await get("/nowhere", { accept: "text/html", ...options });
      expect([response.status, response.headers.get("content-type")]).toEqual([404, "application/json;charset=utf-8"]);
    }
  });

  test("a hashed file never changes and travels compressed", async () => {
    const plain = await get("/assets/app-1234.js");
    expect(plain.headers.get("cache-control")).toBe("public, max-age=31536000, immutable");
    expect(plain.headers.get("content-encoding")).toBeNull();
    const compressed = await get("/assets/app-1234.js", { encodings: "br, gzip" });
    expect(compressed.headers.get("content-encoding")).toBe("gzip");
    expect(new Uint8Array(Bun.gunzipSync(await compressed.arrayBuffer()))).toEqual(
      new Uint8Array(await plain.arrayBuffer()),
    );
  });

  test.each([
    ["gzip", true],
    ["br;q=1.0, GZIP ; q=0.5", true],
    ["gzip;q=0", false],
    ["br, gzip; Q=0.000", false],
    ["x-not-gzip", false],
    ["*", false],
  ])("who accepts %p gets it compressed: %p", async (encodings, isCompressed) => {
    const { headers } = await get("/assets/app-1234.js", { encodings });
    expect([headers.get("content-encoding"), headers.get("vary")]).toEqual([
      isCompressed ? "gzip" : null,
      "accept-encoding",
    ]);
  });

  test("an address without a page, a missing file and what was only for the build are 404", async () => {
    for (const path of ["/nothing", "/assets/none.js", "/manifest.json", "/assets/"]) {
      expect((await get(path)).status).toBe(404);
    }
  });

  test("not built: its addresses say so", async () => {
    const response = await get("/login", { from: unbuilt });
    expect(response.status).toBe(503);
    expect(await response.text()).toContain("bun run build");
  });

  describe("security", () => {
    test("the strict CSP and the other headers stand on every file", async () => {
      for (const path of ["/login", "/assets/app-1234.js"]) {
        const { headers } = await get(path);
        expect(headers.get("content-security-policy")).toContain("script-src 'self'");
        expect(headers.get("content-security-policy")).not.toContain("unsafe");
        expect(headers.get("x-content-type-options")).toBe("nosniff");
        expect(headers.get("x-frame-options")).toBe("DENY");
      }
    });

    test("nothing outside of the folder is reached", async () => {
      const outside = `${folder.split("/").pop()}.secret.html`;
      for (const path of [`/assets/../../${outside}`, `/assets/%2e%2e/%2e%2e/${outside}`, "/assets/..%2findex.html"]) {
        expect((await get(path)).status).toBe(404);
      }
    });

    test("another host than the dashboard's gets none of it", async () => {
      for (const path of ["/", "/dashboard/overview", "/assets/app-1234.js"]) {
        expect((await get(path, { host: "tunnel.test" })).status).toBe(404);
      }
    });
  });
});

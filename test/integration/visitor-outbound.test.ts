// Tests of the fetch that stays outside: which addresses it dials, what it refuses, how much it reads.

import { afterEach, describe, expect, test } from "bun:test";
import { createIdentity } from "../../src/api/identity.ts";
import { createOutboundFetch, OutboundRefused, type OutboundOptions } from "../../src/auth/outbound.ts";
import { loadConfig } from "../../src/config/load.ts";
import type { AppError } from "../../src/lib/errors.ts";
import { createTestApi } from "../helpers/api.ts";
import { openTestSqlite } from "../helpers/databases.ts";
import { testTls } from "../helpers/test-tls.ts";

const cleanUp: (() => unknown)[] = [];
afterEach(async () => {
  for (const one of cleanUp.splice(0)) await one();
});

describe("outbound fetch", () => {
  test("dials the address it checked and asks for the host it was given", async () => {
    const server = serve((request) => new Response(`${request.headers.get("host")} ${request.method}`));
    const fetch = outbound({ resolve: async () => ["127.0.0.1"] });
    const response = await fetch(`http://issuer.example:${server.port}/a`, { method: "POST", body: "x" });
    expect(await response.text()).toBe(`issuer.example:${server.port} POST`);
  });
});

describe("security", () => {
  const inside = [
    "127.0.0.1 127.1.2.3 10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 169.254.169.254 100.64.0.1",
    "0.0.0.0 224.0.0.1 255.255.255.255 192.0.0.8 198.18.0.1 203.0.113.1 240.0.0.1 ::1",
    ":: fc00::1 fd12::1 fe80::1 ff02::1 ::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:a9fe:a9fe",
    "64:ff9b::7f00:1 2002:7f00:1:: ::127.0.0.1 2001:db8::1 100::1 fec0::1",
  ].flatMap((line) => line.split(" "));

  test.each(inside)("%s is never dialled, written or resolved", async (address) => {
    const fetch = outbound({ allowLoopback: false, resolve: async () => [address] });
    const literal = address.includes(":") ? `[${address}]` : address;
    await expect(fetch("https://issuer.example/")).rejects.toThrow(OutboundRefused);
    await expect(fetch(`https://${literal}/`)).rejects.toThrow(OutboundRefused);
  });

  test.each([
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://127.1/",
    "https://①②⑦.0.0.1/",
    "https://localhost/",
  ])("%s is loopback in other letters", async (url) => {
    await expect(outbound({ allowLoopback: false })(url)).rejects.toThrow(OutboundRefused);
  });

  test("one address inside is enough to refuse a name that points to several", async () => {
    const fetch = outbound({ resolve: async () => ["192.0.78.1", "10.0.0.1"] });
    await expect(fetch("https://issuer.example/")).rejects.toThrow("private or reserved");
  });

  test("the name is resolved once: a second answer is never used (rebinding)", async () => {
    const server = serve(() => new Response("the checked one"));
    const answers = [["127.0.0.1"], ["127.0.0.9"]];
    let asked = 0;
    const fetch = outbound({ resolve: async () => answers[asked++] ?? [] });
    expect(await (await fetch(`http://issuer.example:${server.port}/`)).text()).toBe("the checked one");
    expect(asked).toBe(1);
  });

  test("ranges that are opened are opened, and no others", async () => {
    const fetch = (address: string) =>
      outbound({ allowLoopback: false, allowPrivate: ["10.1.0.0/16"], timeoutMs: 1, resolve: async () => [address] })(
        "https://a.example/",
      );
    await expect(fetch("10.2.0.1")).rejects.toThrow(OutboundRefused);
    await expect(fetch("169.254.169.254")).rejects.toThrow(OutboundRefused);
    expect(await fetch("10.1.0.1").catch((error: unknown) => error instanceof OutboundRefused)).toBe(false);
  });

  test("plain http only on loopback, only in development", async () => {
    const server = serve(() => new Response("ok"));
    await expect(outbound({ allowLoopback: false })(`http://127.0.0.1:${server.port}/`)).rejects.toThrow("https");
    await expect(outbound({ resolve: async () => ["192.0.78.1"] })("http://issuer.example/")).rejects.toThrow("https");
    expect((await outbound({})(`http://127.0.0.1:${server.port}/`)).status).toBe(200);
  });

  test.each([
    "ftp://127.0.0.1/",
    "file:///etc/passwd",
    "https://user:pw@issuer.example/",
    "//x",
    "javascript:1",
    "data:,x",
    "unix:/x",
  ])("refuses %s", async (url) => {
    await expect(outbound({})(url)).rejects.toThrow(OutboundRefused);
  });

  test("follows no redirect", async () => {
    let hits = 0;
    const server = serve((request) => {
      hits += 1;
      return Response.redirect(new URL("/next", request.url).href, 302);
    });
    await expect(outbound({})(`http://127.0.0.1:${server.port}/`)).rejects.toThrow("redirect");
    expect(hits).toBe(1);
  });

  test("uses no proxy of the environment", async () => {
    const server = serve(() => new Response("direct"));
    const { HTTP_PROXY } = process.env;
    process.env["HTTP_PROXY"] = "http://127.0.0.1:1";
    try {
      expect(await (await outbound({})(`http://127.0.0.1:${server.port}/`)).text()).toBe("direct");
    } finally {
      if (HTTP_PROXY === undefined) delete process.env["HTTP_PROXY"];
      else process.env["HTTP_PROXY"] = HTTP_PROXY;
    }
  });

  test("reads no more than it may, compressed or not", async () => {
    const big = "x".repeat(100_000);
    const plain = serve(() => new Response(big));
    const packed = serve(() => new Response(Bun.gzipSync(big), { headers: { "content-encoding": "gzip" } }));
    for (const server of [plain, packed]) {
      const url = `http://127.0.0.1:${server.port}/`;
      await expect(outbound({ maxBytes: 50_000 })(url)).rejects.toThrow("longer than");
      expect((await (await outbound({ maxBytes: 100_000 })(url)).text()).length).toBe(100_000);
    }
  });

  test("ends after its time, in the look-up, the head and the body", async () => {
    const silent = serve(() => new Promise<Response>(() => {}));
    const stalled = serve(() => new Response(new ReadableStream({ start: (controller) => controller.enqueue("x") })));
    await expect(
      outbound({ timeoutMs: 20, resolve: () => new Promise(() => {}) })("https://a.example/"),
    ).rejects.toThrow("in time");
    for (const server of [silent, stalled])
      await expect(outbound({ timeoutMs: 50 })(`http://127.0.0.1:${server.port}/`)).rejects.toThrow();
  });

  test("believes no certificate that nobody vouches for", async () => {
    const server = Bun.serve({ port: 0, hostname: "127.0.0.1", tls: testTls, fetch: () => new Response("in") });
    cleanUp.push(() => server.stop(true));
    const fetch = outbound({ resolve: async () => ["127.0.0.1"] });
    for (const host of ["app.localhost", "127.0.0.1"])
      await expect(fetch(`https://${host}:${server.port}/`)).rejects.toThrow("certificate");
  });

  test.each([
    ["https", "validation", "inside a private or reserved network"],
    ["http", "could not be reached", "could not be reached"],
  ])("a server of %s: plain http is %s, https on loopback %s", async (scheme, plain, loopback) => {
    await using database = await openTestSqlite();
    const config = loadConfig({ file: null, env: { SCHEME: scheme, DOMAIN: "tunnel.test" } });
    const { policies } = createIdentity(config, createTestApi(database).deps, () => {});
    const outcome = (url: string) =>
      policies.testProvider(url).then(
        ({ problem }) => problem,
        (error: AppError) => error.code,
      );
    expect(await outcome("http://127.0.0.1:1")).toContain(plain);
    expect(await outcome("https://127.0.0.1:1")).toContain(loopback);
  });
});

function outbound(options: Partial<OutboundOptions>) {
  return createOutboundFetch({ allowPrivate: [], allowLoopback: true, ...options });
}

function serve(handler: (request: Request) => Response | Promise<Response>): { port: number } {
  // It ends no request for its silence: who asks has to.
  const server = Bun.serve({ port: 0, hostname: "127.0.0.1", idleTimeout: 0, fetch: handler });
  cleanUp.push(() => server.stop(true));
  return { port: server.port ?? 0 };
}

// The registration call: what it asks, and which answers it takes for a tunnel.

import { describe, expect, spyOn, test } from "bun:test";
import { AppError, errorCatalogue } from "../../src/lib/errors.ts";
import { register, type RegisterRequest } from "./register.ts";
import type { AgentOptions, TunnelSpec } from "./types.ts";

const granted = { subdomain: "a", url: "http://a", tunnelId: "t", tickets: ["x"], session: { path: "/_tunnel/s/0" } };

/** What comes of a registration that is answered by `answer`, and the bodies that were asked with. */
async function ask(answer: Response, request: Partial<RegisterRequest> = {}, spec: Partial<TunnelSpec> = {}) {
  const asked: unknown[] = [];
  await using server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch: async (it) => (asked.push(await it.json()), answer),
  });
  const host = `127.0.0.1:${server.port}`;
  const options = { server: `http://${host}`, token: "token", pool: false, version: "1.0.0" };
  const result = await register(options as AgentOptions, {
    ...{ agentId: "me", generation: 3, subdomain: null, port: null, target: "localhost:80", connections: null },
    spec: { protocol: "http", ...spec } as TunnelSpec,
    ...request,
  });
  const strange = (status: number, advice = ": check its scheme, host and port") =>
    `${host} answered ${status}, but not like a digit-link server${advice}.`;
  return { result, asked: asked[0], stranger: strange(200), strange, host };
}

test("a grant: without what it need not say, with one ticket or many, and no ticket that is none", async () => {
  const { url, tunnelId, session } = granted;
  const least = await ask(Response.json({ url, tunnelId, ticket: "one", session }));
  const rest = { url, tunnelId, sessionPath: "/_tunnel/s/0" };
  expect(least.result).toEqual({ ...rest, subdomain: "", port: null, tickets: ["one"] });
  const most = await ask(Response.json({ ...granted, port: 4_000, tickets: ["x", 1, null, "y"] }));
  expect(most.result).toEqual({ ...rest, subdomain: "a", port: 4_000, tickets: ["x", "y"] });
});

test("what is asked: no more than is meant", async () => {
  const asked = async (...of: [Partial<RegisterRequest>?, Partial<TunnelSpec>?]): Promise<unknown> =>
    (await ask(Response.json(granted), ...of)).asked;
  const always = { agentId: "me", generation: 3, version: "1.0.0", capabilities: [], pool: false, protocol: "http" };
  expect(await asked()).toEqual({ ...always, target: "localhost:80" });
  expect(await asked({ subdomain: "a", connections: 2, port: 4_000 })).toEqual({
    ...{ ...always, target: "localhost:80" },
    ...{ subdomain: "a", connections: 2, port: 4_000 },
  });
  expect(await asked({ port: 4_000 }, { remotePort: 5_000 })).toMatchObject({ port: 5_000, exactPort: true });
  expect(await asked({ target: "x".repeat(255) })).toMatchObject({ target: "x".repeat(255) });
  for (const target of ["x".repeat(256), "müller:80", "a b", ""]) expect(await asked({ target })).toEqual(always);
});

test("a server that does not answer is given up after 15 s, and asked again later", async () => {
  const over = AbortSignal.abort(new DOMException("over", "TimeoutError"));
  using timeout = spyOn(AbortSignal, "timeout").mockReturnValue(over);
  const { result } = await ask(Response.json(granted));
  expect(result).toMatchObject({ message: expect.stringContaining("it did not answer in time"), retryable: true });
  expect(timeout.mock.calls).toEqual([[15_000]]);
});

test("who refuses and redirects in one is heard, not followed", async () => {
  const error = { code: "name_taken", message: "It is taken.", retryable: false };
  const { result } = await ask(Response.json({ error }, { status: 302, headers: { location: "https://b.example" } }));
  expect(result).toMatchObject({ code: "name_taken", message: "It is taken." });
});

test("who is no digit-link server, or one of another name, is asked at the wrong address; a proxy without its server is not", async () => {
  for (const status of [400, 404, 501]) {
    const { result, strange } = await ask(new Response("<h1>No</h1>", { status }));
    expect(result).toMatchObject({ code: "unreachable", message: strange(status), retryable: true });
  }
  const lost = await ask(new Response("<h1>Bad gateway</h1>", { status: 502 }));
  expect(lost.result).toMatchObject({ message: lost.strange(502, ""), retryable: true });
  const error = { code: "misdirected", message: "This host is not served here." };
  const { result, host } = await ask(Response.json({ error }, { status: 421 }));
  // A name below the server's own. Behind one that is away for a moment there may be a server.
  for (const code of ["tunnel_not_found", "tunnel_offline", "local_failed"] as const) {
    const { status, retryable } = errorCatalogue[code];
    const { result, host } = await ask(Response.json(new AppError(code).toBody(), { status }));
    const message = `${host} is the address of a tunnel: use the server's own, its DOMAIN.`;
    expect(result).toMatchObject({ code: "misdirected", message, retryable });
    expect(retryable).toBe(code !== "tunnel_not_found");
  }
  // The dashboard's host, when it has its own.
  const dashboard = await ask(Response.json(new AppError("not_found").toBody(), { status: 404 }));
  expect(dashboard.result).toMatchObject({
    ...{ code: "misdirected", retryable: false },
    message: `The server at ${dashboard.host} takes agents by another name: use its DOMAIN as the address, and let a proxy in front of it keep the Host header.`,
  });
  expect(result).toMatchObject({
    ...{ code: "misdirected", retryable: false },
    message: `The server at ${host} takes agents by another name: use its DOMAIN as the address, and let a proxy in front of it keep the Host header.`,
  });
});

describe("security", () => {
  test.each(["/_tunnel/s/0", "/_tunnel/s/17?ticket=y"])(
    "sessions are opened at %s, without its query",
    async (path) => {
      const { result } = await ask(Response.json({ ...granted, session: { path } }));
      expect(result).toMatchObject({ sessionPath: path.split("?")[0] });
    },
  );

  test.each([
    ...["/_tunnel/s/", "/_tunnel/s/0x", "/_tunnel/s/0/../../x", "//b.example/_tunnel/s/0", "http://b/_tunnel/s/0"],
    ...["/x/_tunnel/s/0", "/", 7, null],
  ])("sessions are not opened at %p", async (path) => {
    const { result, stranger } = await ask(Response.json({ ...granted, session: { path } }));
    expect(result).toEqual({ code: "unreachable", message: stranger, retryable: true, retryAfterMs: null });
  });

  test.each<[string, Response]>([
    ["no address", Response.json({ ...granted, url: 7 })],
    ["no tunnel", Response.json({ ...granted, tunnelId: null })],
    ["no session", Response.json({ ...granted, session: null })],
    ["a list", Response.json([granted])],
    ["a page", new Response("<h1>Hello</h1>")],
  ])("an answer with %s is none of a digit-link server", async (_, answer) => {
    const { result, stranger } = await ask(answer);
    expect(result).toMatchObject({ message: stranger, retryable: true });
  });
});

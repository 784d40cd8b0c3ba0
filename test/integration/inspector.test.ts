// The inspector of a real agent: what it keeps, who may see it, and requests that are sent again.

import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { type Inspector, startInspector } from "../../cli/inspector/inspector.ts";
import type { ExchangeDetails, ExchangeList, ExchangeSummary } from "../../cli/inspector/types.ts";
import { adminApi } from "../helpers/admin-api.ts";
import { createCli } from "../helpers/cli-process.ts";
import { eventually } from "../helpers/eventually.ts";
import { startServerProcess, type ServerProcess } from "../helpers/server-process.ts";
import { openTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { builtInspector } from "../helpers/built-pages.ts";

setDefaultTimeout(60_000);

const stack = new AsyncDisposableStack();
let server: ServerProcess;
let inspector: Inspector;
/** All that the local service read, a text for each connection. */
const read: string[] = [];
/** What it answers with, behind its status line and before an empty line. */
let answer = "Content-Length: 2\r\n\r\nok";
let status = "200 OK";
/** It does not end the connection behind that. */
let keepsOpen = false;

beforeAll(async () => {
  builtInspector();
  server = stack.use(await startServerProcess({ shards: 1 }));
  // It answers a request whose last word is END, or that has no body, and takes one request of each connection.
  const service = Bun.listen<{ text: string; at: number }>({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      open(socket) {
        socket.data = { text: "", at: read.push("") - 1 };
      },
      data(socket, bytes) {
        const { data } = socket;
        data.text += bytes.toString("latin1");
        read[data.at] = data.text;
        if (!/END(?:\r\n0\r\n(?:.+\r\n)?\r\n)?$|^(?:GET|HEAD)[^]*\r\n\r\n$/.test(data.text)) return;
        socket.write(`HTTP/1.1 ${status}\r\nConnection: close\r\n${answer}`);
        if (!keepsOpen) socket.end();
      },
      error() {},
    },
  });
  stack.defer(() => service.stop(true));
  inspector = startInspector(0);
  stack.defer(() => inspector.stop());
  stack.use(await openTunnel({ ...server, port: service.port, name: "watched", recorder: inspector.recorder }));
});
afterAll(() => stack.disposeAsync());

const key = () => ({ Authorization: `Bearer ${new URL(inspector.url).hash.slice(1)}` });
const ask = (path: string, init: RequestInit = {}) =>
  fetch(new URL(path, inspector.url), { ...init, headers: { ...key(), ...init.headers } });
const list = async (since = -1) => (await (await ask(`/api/exchanges?since=${since}`)).json()) as ExchangeList;
const detailsOf = async (id: number, query = "") =>
  (await (await ask(`/api/exchanges/${id}${query}`)).json()) as ExchangeDetails;
const repeat = (id: number, changed: unknown = null) =>
  ask(`/api/exchanges/${id}/repeat`, { method: "POST", body: JSON.stringify(changed) });

/** What a visitor sends and the local service reads of it, and the exchange that is kept. */
async function visit(text: string): Promise<{ atService: string; kept: ExchangeSummary }> {
  using visitor = await RawClient.open({ port: server.port });
  const before = read.length;
  await visitor.send(text);
  await visitor.response(text.startsWith("HEAD") ? { toHead: true } : {});
  const [kept] = (await list()).exchanges;
  await eventually(async () => (await list()).exchanges[0]?.totalMs != null, "it is over");
  return { atService: read[before]!, kept: kept! };
}

/** What the local service reads of a request that is sent again, once that is over. */
async function again(id: number, changed: unknown = null): Promise<{ atService: string; repeated: ExchangeDetails }> {
  const before = read.length;
  const { id: next } = (await (await repeat(id, changed)).json()) as ExchangeSummary;
  await eventually(async () => (await detailsOf(next)).totalMs !== null, "it is over");
  return { atService: read[before]!, repeated: await detailsOf(next) };
}

const host = () => `watched.localhost:${server.port}`;

test("an answer that is given up from outside is no failure, and says by whom", async () => {
  using visitor = await RawClient.open({ port: server.port });
  const cut = async (): Promise<ExchangeSummary> => {
    await eventually(async () => (await list()).exchanges[0]?.totalMs != null, "it is over");
    return (await list()).exchanges[0]!;
  };
  answer = "Content-Length: 9\r\n\r\nok";
  await visitor.send(`GET /cut HTTP/1.1\r\nHost: ${host()}\r\n\r\n`);
  expect(await cut()).toMatchObject({ path: "/cut", cancelled: false });
  keepsOpen = true;
  using leaving = await RawClient.open({ port: server.port });
  await leaving.send(`GET /left HTTP/1.1\r\nHost: ${host()}\r\n\r\n`);
  await leaving.until("ok");
  leaving.reset();
  expect(await cut()).toMatchObject({
    ...{ path: "/left", status: 200, cancelled: true, error: "the visitor closed the connection" },
  });
  keepsOpen = false;
  answer = "Content-Length: 2\r\n\r\nok";
});

describe("what is sent again", () => {
  test.each([
    ["without a body", "GET /a%2Fb?c=d HTTP/1.1\r\nHost: HOST\r\nX-Odd:  a  b\t\r\nCookie: s=1\r\n\r\n"],
    ["HEAD", "HEAD / HTTP/1.1\r\nHost: HOST\r\n\r\n"],
    ["with a length", "POST /p HTTP/1.1\r\nHost: HOST\r\nContent-Length: 6\r\n\r\na\0\xffEND"],
  ])("is the same to the byte: %s", async (_, text) => {
    const { atService, kept } = await visit(text.replace("HOST", host()));
    const { atService: repeatedAtService, repeated } = await again(kept.id);
    expect(repeatedAtService).toBe(atService);
    expect(repeated).toMatchObject({ status: 200, error: null, repeats: { id: kept.id, changed: false } });
    expect(repeated.answer?.body.bytes).toBe(text.startsWith("HEAD") ? 0 : 2);
  });

  test.each(["", "X-Sum: 1\r\n"])(
    "in chunks is the same head, body and trailers (%j), in chunks again",
    async (trailers) => {
      const head = `PUT /chunks HTTP/1.1\r\nHost: ${host()}\r\nTransfer-Encoding: chunked\r\n\r\n`;
      const { atService, kept } = await visit(`${head}3\r\none\r\n5\r\ntwEND\r\n0\r\n${trailers}\r\n`);
      expect(atService).toEndWith(`0\r\n${trailers}\r\n`);
      expect(kept.bytesIn).toBe(8);
      const { atService: repeated } = await again(kept.id);
      const [before, after] = [atService, repeated].map((text) => text.split("\r\n\r\n", 1)[0]);
      expect(after).toBe(before);
      expect(repeated.slice(before!.length)).toBe(`\r\n\r\n8\r\nonetwEND\r\n0\r\n${trailers}\r\n`);
    },
  );

  test("changed, it is what was typed, with a length that fits", async () => {
    const { kept } = await visit(`POST /old HTTP/1.1\r\nHost: ${host()}\r\nContent-Length: 3\r\n\r\nEND`);
    const { atService, repeated } = await again(kept.id, { head: "PATCH /new HTTP/1.1\nHost: b", body: "other END" });
    expect(atService).toBe("PATCH /new HTTP/1.1\r\nHost: b\r\nContent-Length: 9\r\n\r\nother END");
    expect(repeated).toMatchObject({ method: "PATCH", path: "/new", repeats: { id: kept.id, changed: true } });
    expect((await repeat(kept.id, { head: "", body: "x".repeat(4 * 1024 * 1024) })).status).toBe(413);
    for (const [changed, code, why] of [
      [{ head: "PATCH /new", body: "" }, 422, "The head can't be sent: "],
      [{ head: 1, body: "" }, 400, "What is to be sent is not understood."],
      ["", 400, "What is to be sent is not understood."],
    ] as const) {
      const refused = await repeat(kept.id, changed);
      expect(refused.status).toBe(code);
      expect(((await refused.json()) as { error: { message: string } }).error.message).toStartWith(why);
    }
  });

  test("meets a service that breaks off or answers garbage: told in words", async () => {
    const { kept } = await visit(`GET /x HTTP/1.1\r\nHost: ${host()}\r\n\r\n`);
    answer = "Content-Length: 9\r\n\r\nok";
    expect((await again(kept.id)).repeated).toMatchObject({
      status: 200,
      error: "the connection ended in the middle of the answer",
    });
    status = "garbage";
    expect((await again(kept.id)).repeated).toMatchObject({ status: 0, answer: null });
    status = "200 OK";
    answer = "Content-Length: 2\r\n\r\nok";
  });

  test("too large to be kept whole can't be sent again as it was; what is kept says how much there was", async () => {
    const length = 1024 * 1024 + 10;
    const { kept } = await visit(
      `POST /large HTTP/1.1\r\nHost: ${host()}\r\nContent-Length: ${length}\r\n\r\n${"x".repeat(length - 3)}END`,
    );
    const { request, notRepeatable } = await detailsOf(kept.id);
    expect([request.body.bytes, request.body.kept]).toEqual([length, 1024 * 1024]);
    expect(notRepeatable).toBe("Its body is larger than what is kept.");
    const refused = await repeat(kept.id);
    expect([refused.status, await refused.json()]).toEqual([409, { error: { message: notRepeatable } }]);
    expect(await (await ask(`/api/exchanges/${kept.id}/request`)).text()).toBe("x".repeat(1024 * 1024));
  });
});

test("the list is told as soon as it changes, and the bytes of a body as they were", async () => {
  const { version } = await list();
  const told = list(version);
  const { kept } = await visit(`GET /told HTTP/1.1\r\nHost: ${host()}\r\n\r\n`);
  const next = await told;
  expect(next.version).toBeGreaterThan(version);
  expect(next.exchanges.some(({ id }) => id === kept.id)).toBe(true);
  expect(await (await ask(`/api/exchanges/${kept.id}/answer`)).text()).toBe("ok");
  expect((await ask(`/api/exchanges/${kept.id}/other`)).status).toBe(404);
  await ask("/api/exchanges", { method: "DELETE" });
  expect((await list()).exchanges).toEqual([]);
  expect((await ask(`/api/exchanges/${kept.id}`)).status).toBe(404);
});

describe("security", () => {
  test("without the key there is the page, and nothing else: neither reading nor sending", async () => {
    const { kept } = await visit(`GET /secret HTTP/1.1\r\nHost: ${host()}\r\nAuthorization: letmein\r\n\r\n`);
    const sent = read.length;
    for (const Authorization of [
      "",
      "Bearer",
      "Bearer wrong",
      key().Authorization.slice(0, -1),
      `${key().Authorization}x`,
    ])
      for (const [method, path] of [
        ["GET", "/api/exchanges"],
        ["DELETE", "/api/exchanges"],
        ["GET", `/api/exchanges/${kept.id}?secrets`],
        ["GET", `/api/exchanges/${kept.id}/request`],
        ["POST", `/api/exchanges/${kept.id}/repeat`],
      ] as const) {
        const init = { method, headers: { Authorization }, ...(method === "POST" ? { body: "null" } : {}) };
        const response = await fetch(new URL(path, inspector.url), init);
        const text = await response.text();
        expect({ method, path, status: response.status }).toEqual({ method, path, status: 401 });
        expect(text).toContain("it holds the key");
        expect(text).not.toContain("/secret");
      }
    expect([read.length, (await list()).exchanges[0]?.id]).toEqual([sent, kept.id]);
    const page = await fetch(inspector.url);
    expect([page.status, page.headers.get("Content-Type")]).toEqual([200, "text/html;charset=utf-8"]);
    expect(page.headers.get("Content-Security-Policy")).toContain("default-src 'none'");
    expect((await detailsOf(kept.id)).request.fields).toContainEqual({
      ...{ name: "Authorization", value: "(hidden, 7 characters)", hidden: true },
    });
  });

  test("another site gets nothing from it, not even by asking first", async () => {
    const preflight = await ask("/api/exchanges", { method: "OPTIONS", headers: { Origin: "https://evil.test" } });
    const answered = await ask("/api/exchanges", { headers: { Origin: "https://evil.test" } });
    for (const { headers } of [preflight, answered]) {
      expect([...headers.keys()].filter((name) => name.startsWith("access-control-"))).toEqual([]);
      expect(headers.get("Cross-Origin-Resource-Policy")).toBe("same-origin");
    }
    expect(preflight.status).toBe(404);
  });

  test("only this machine reaches it", async () => {
    const { port } = new URL(inspector.url);
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
    for (const { address, internal, family } of others) {
      if (internal || family !== "IPv4") continue;
      expect(await fetch(`http://${address}:${port}/`).then(String, () => "refused")).toBe("refused");
    }
  });
});

describe("the agent as a process", () => {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-inspector-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("--inspect 0 takes a free port and tells the address; it ends with the agent", async () => {
    using service = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("hello") });
    const agent = await openTunnelProcess({ ...server, port: service.port!, name: "process", inspect: 0 });
    const { url } = await agent.until("inspector.ready");
    const { origin, hash } = new URL(url);
    expect(await (await fetch(`http://process.localhost:${server.port}/there`)).text()).toBe("hello");
    const headers = { Authorization: `Bearer ${hash.slice(1)}` };
    const kept = (await (await fetch(`${origin}/api/exchanges`, { headers })).json()) as ExchangeList;
    expect(kept.exchanges).toMatchObject([{ method: "GET", path: "/there", status: 200, bytesOut: 5 }]);
    expect(kept.exchanges[0]?.url).toBe(`http://process.localhost:${server.port}`);
    agent.signal("SIGINT");
    expect(await agent.exited).toBe(0);
    expect(await fetch(origin).then(String, () => "refused")).toBe("refused");
  });

  test("a port that another program or agent has, or that is none, is one sentence and code 2", async () => {
    using other = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response() });
    await using first = await openTunnelProcess({ ...server, port: 3000, name: "first", inspect: 0 });
    const taken = new URL((await first.until("inspector.ready")).url).port;
    const { digitLink } = createCli(folder);
    const { token } = await adminApi(server).createAccount("ada", null);
    const env = { DIGIT_LINK_SERVER: server.origin, DIGIT_LINK_TOKEN: token };
    for (const port of [other.port, taken])
      expect(await digitLink(["http", "3000", "--inspect", String(port)], { env })).toEqual({
        ...{ exitCode: 2, out: "" },
        problems: `digit-link: The inspector can't have port ${port}: another program has it. Give another one, or 0 for any that is free.\n`,
      });
    for (const wrong of ["x", "65536", "-1"]) {
      const { exitCode, problems } = await digitLink(["http", "3000", `--inspect=${wrong}`], { env });
      expect([exitCode, problems.split("\n").length]).toEqual([2, 2]);
      expect(problems).toContain("--inspect");
    }
    expect((await digitLink(["tcp", "3000", "--inspect", "0"], { env })).exitCode).toBe(2);
  });
});

// What is copied of an exchange can be run: by a shell, by Bun; and holds no secret.

import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Body, ExchangeDetails, Field } from "../../cli/inspector/types.ts";
import { toCurl, toTest } from "./as-code.ts";

const folder = mkdtempSync(join(tmpdir(), "digit-link-as-code-"));
let orders = 0;
const seen: { method: string; url: string; body: string; kind: string | null; key: string | null }[] = [];
const service = Bun.serve({
  hostname: "127.0.0.1",
  port: 0,
  async fetch(request) {
    const { headers, method, url } = request;
    const body = await request.text();
    seen.push({ method, url, body, kind: headers.get("X-Kind"), key: headers.get("Authorization") });
    return Response.json({ ok: true, text: 'it\'s\n"fine"', orders }, { status: 201 });
  },
});
afterAll(async () => {
  await service.stop(true);
  rmSync(folder, { recursive: true });
});

const body = `{"name":"it's","cost":"$5 \`x\` \\\\"}`;
const path = "/orders?a='b'&c=$d";
const field = (name: string, value: string, hidden = false) => ({ name, value, hidden });
const text = JSON.stringify({ ok: true, text: 'it\'s\n"fine"', orders: 0 });
const exchange: ExchangeDetails = {
  id: 1,
  url: "https://a.test",
  local: `http://127.0.0.1:${service.port}`,
  method: "POST",
  path,
  startedAt: 0,
  status: 201,
  headMs: 1,
  totalMs: 2,
  bytesIn: 1,
  bytesOut: 1,
  error: null,
  repeats: null,
  notRepeatable: null,
  socket: null,
  request: {
    line: `POST ${path} HTTP/1.1`,
    fields: [
      field("Host", "a.test"),
      field("Content-Length", "9"),
      field("X-Forwarded-For", "192.0.2.1"),
      field("Content-Type", "application/json"),
      field("X-Kind", "it's $HOME"),
      field("Accept-Encoding", "gzip"),
      field("Authorization", "(hidden, 9 characters)", true),
    ],
    body: { bytes: body.length, kept: body.length, text: body, hex: null, parts: null, note: null },
  },
  answer: {
    line: "HTTP/1.1 201 Created",
    fields: [field("content-type", "application/json;charset=utf-8")],
    body: { bytes: text.length, kept: text.length, text, hex: null, parts: null, note: null },
  },
};
const env = { PATH: process.env["PATH"] ?? "", AUTHORIZATION: "from-outside" };
const wanted = { method: "POST", body, kind: "it's $HOME", key: "from-outside" };

test("as curl it asks the local service for the same; what lets somebody in comes from the environment", async () => {
  const command = toCurl(exchange);
  expect(command).not.toMatch(/hidden|a\.test|192\.0\.2\.1|Content-Length/);
  const child = Bun.spawn(["sh", "-c", command.replace("curl -i", "curl -is")], { env, stdout: "pipe" });
  expect((await child.stdout.text()).split("\r\n", 1)).toEqual(["HTTP/1.1 201 Created"]);
  expect(await child.exited).toBe(0);
  expect(seen.pop()).toEqual({ ...wanted, url: new URL(exchange.local + path).href });
});

test("as a test it asks for the same and expects the same: it passes, and fails when the answer is another", async () => {
  const code = toTest(exchange);
  expect(code).not.toMatch(/hidden|a\.test|192\.0\.2\.1|Content-Length/);
  const file = join(folder, "copied.test.ts");
  await Bun.write(file, code);
  const run = async () =>
    Bun.spawn([process.execPath, "test", file], { env, stdout: "ignore", stderr: "ignore" }).exited;
  expect(await run()).toBe(0);
  expect(seen.pop()).toMatchObject(wanted);
  orders = 1;
  expect(await run()).toBe(1);
});

/** The same exchange with other fields and another body of its request. */
const asking = (fields: Field[], sent: Partial<Body> = {}, method = "POST"): ExchangeDetails => ({
  ...exchange,
  method,
  request: { ...exchange.request, fields, body: { ...exchange.request.body, ...sent } },
});

test("security: a method or a field's name is a visitor's word, and no word of the shell", async () => {
  const names = ["X-Token`id>ran`", "X-$(id)-Token", "X-Token'|id", "X-Token$IFS'!!"];
  const fields = names.map((name) => field(name, "(hidden, 1 characters)", true));
  const command = toCurl(asking(fields, {}, "`ID|ID`"));
  const shown = command.replace("curl -i", "printf '%s\\n'");
  const child = Bun.spawn(["sh", "-c", shown], { env, cwd: folder, stdout: "pipe", stderr: "pipe" });
  const lines = (await child.stdout.text()).split("\n").filter((line) => /^[X`]/.test(line));
  expect([lines, await child.stderr.text()]).toEqual([["`ID|ID`", ...names.map((name) => `${name}: `)], ""]);
});

test.each([
  ["security: keys that a terminal would take for its own", { text: "\x1b[201~\nid" }],
  ["security: directions that nobody sees", { text: "a\u202eb" }],
  ["lines that a terminal would end otherwise", { text: "a\r\nb" }],
  ["more than an argument may have", { text: "x".repeat(200_000) }],
  ["a body that is no text", { text: null }],
  ["one that was decoded", { note: "decoded from gzip" }],
  ["one that was not kept whole", { kept: 1 }],
])("%s: the body is taken from the file as which it is saved", (_, sent) => {
  const request = asking([], sent);
  expect(toCurl(request)).toContain("--data-binary @request-1.bin");
  if (sent.text === null || "note" in sent || "kept" in sent)
    expect(toTest(request)).toContain(`body: Bun.file("request-1.bin")`);
});

test("as curl a field's bytes above ASCII are the same, whatever the terminal's coding", async () => {
  let read = "";
  using raw = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        read += bytes.toString("latin1");
        socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      },
    },
  });
  // U+202E in UTF-8, as the page is told it.
  const value = "a\xe2\x80\xae 100%d \\n 'b' $HOME \xff";
  const command = toCurl({
    ...asking([field("X-%-Odd", value)], { bytes: 0, text: "" }),
    local: `http://127.0.0.1:${raw.port}`,
  });
  expect(command).toMatch(/^[\n\x20-\x7e]+$/);
  expect(await Bun.spawn(["sh", "-c", command], { env, stdout: "ignore", stderr: "ignore" }).exited).toBe(0);
  expect(read).toContain(`\r\nX-%-Odd: ${value}\r\n`);
});

test("security: a copied test has nothing in it that an editor would not show", () => {
  const sent = "if (a) { \u2066// \u202e\u00a0\u{e0041}";
  const code = toTest(asking([field("X-A", "\x80")], { text: sent, bytes: 10, kept: 10 }));
  expect(code).toMatch(/^[\n\x20-\x7e]+$/);
  expect(code).toContain(String.raw`body: "if (a) { \u2066// \u202e\u00a0\udb40\udc41",`);
});

test("as curl a path, an empty value, a GET's body and a body without a type are the same too", async () => {
  let read = "";
  using raw = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: {
      data(socket, bytes) {
        read += bytes.toString();
        if (read.endsWith(body)) socket.end("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
      },
    },
  });
  for (const odd of ["/a/../b/[1-2]{c,d}?e=[", "/%2e%2e/./x"]) {
    const local = `http://127.0.0.1:${raw.port}`;
    const command = toCurl({ ...asking([field("X-Kind", "")], {}, "GET"), path: odd, local });
    expect(await Bun.spawn(["sh", "-c", command], { env, stdout: "ignore", stderr: "ignore" }).exited).toBe(0);
    expect(read).toStartWith(`GET ${odd} HTTP/1.1\r\n`);
    expect(read).toContain("\r\nX-Kind:\r\n");
    expect(read.toLowerCase()).not.toContain("content-type");
    read = "";
  }
});

test("as a test two fields of one name are two", () => {
  const code = toTest(asking([field("X-A", "1"), field("X-A", "2"), field("__proto__", "3")]));
  expect(code).toContain(`["X-A", "1"],\n      ["X-A", "2"],\n      ["__proto__", "3"],`);
});

test("of an answer that was not kept whole, broke off or goes on no more is expected than its head", () => {
  for (const partly of [{ error: "broken" }, { totalMs: null }])
    expect(toTest({ ...exchange, ...partly })).not.toMatch(/answer\.(?:text|json)/);
  const answer = { ...exchange.answer!, body: { ...exchange.answer!.body, kept: 3 } };
  expect(toTest({ ...exchange, answer })).not.toMatch(/answer\.(?:text|json)/);
});

test("a long text is expected by its length; what is no JSON by its letters", () => {
  const withText = (answered: string): ExchangeDetails => ({
    ...exchange,
    answer: { ...exchange.answer!, body: { ...exchange.answer!.body, text: answered } },
  });
  expect(toTest(withText("x".repeat(5_000)))).toContain(".length).toBe(5000)");
  expect(toTest(withText("{no json"))).toContain(`toBe("{no json")`);
  expect(toTest({ ...exchange, method: "HEAD" })).not.toContain("answer.json");
});

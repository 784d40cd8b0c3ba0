// Contract: heads arrive as they were sent, both ways: target, names, order, duplicates, 8-bit bytes.

import { describe, expect, test } from "bun:test";
import { startTestAgent } from "../helpers/agent.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { onlyValue, requestOnce } from "../helpers/raw-client.ts";
import { startTestServer } from "../helpers/server.ts";
import { describeContractAndLent, requestBytes } from "../helpers/services.ts";
import { valuesOf } from "../helpers/strict-http.ts";

/** Targets that must arrive byte for byte. */
const targets = [
  "/head",
  "/head/",
  "/head//double",
  "//head",
  "/head/../head",
  "/head/./x",
  "/head/%2e%2e/x",
  "/head/%2E%2e%2f..",
  "/head/a%2Fb",
  "/head/%00%0d%0a",
  "/head/%",
  "/head/%zz",
  "/head/a+b%20c",
  "/head/;p=1;q",
  "/head?",
  "/head??",
  "/head?a=b&a=b&=&",
  "/head?q=/../..//",
  "/head?u=http://other.example/%23",
  "/head/~!$&'()*+,;=:@",
  '/head/{}|^`[]<>"',
  "/head/__auth/x",
  "/head/*",
  `/head/${"a".repeat(8_000)}`,
  `/head?${"q=%F0%9F%98%80&".repeat(1_000)}`,
];

describeContractAndLent("fidelity", {}, (parties) => {
  test.each(targets.map((target) => [target.slice(0, 60), target] as const))("target %s", async (_, target) => {
    const { ask, service } = parties();
    expect((await ask(target)).status).toBe(200);
    expect(service.requests.at(-1)?.target).toBe(target);
  });

  test.each(["/health", "/_tunnel/register", "/_tunnel/s/0?ticket=x", "/swagger/json", "/auth/login", "/__other"])(
    "%s on a tunnel's host belongs to the local service",
    async (target) => {
      const { ask, service } = parties();
      expect((await ask(target)).body.toString()).toBe("ok\n");
      expect(service.requests.at(-1)?.target).toBe(target);
    },
  );

  test("request headers keep order, case, duplicates, spaces and 8-bit bytes", async () => {
    const lines = [
      "x-lower: 1",
      "X-UPPER:2",
      "Accept: text/plain;q=0.5",
      "X-Dup: a",
      "accept-language:  de \t",
      "X-Dup: b",
      "X-Latin: caf\xe9 \xc3\xa9\xff\x80",
      "X-Empty:",
      "x-DUP: a",
      "User-Agent: test/1.0 (x; y)",
      "Cookie: a=1; b=2",
      "Cookie: c=3",
      "!#$%&'*+-.^_`|~: token",
      "Authorization: Bearer of-the-application",
      "Origin: https://elsewhere.example",
      "Cache-Control: no-cache",
      "Via: 1.1 somebody",
    ];
    const { ask, host } = parties();
    const head = (await ask("/head/x", { lines })).body.toString("latin1");
    expect(head.split("\r\n").slice(0, lines.length + 2)).toEqual(["GET /head/x HTTP/1.1", `Host: ${host}`, ...lines]);
  });

  test("response headers keep order, case, duplicates and spaces", async () => {
    const response = await parties().ask("/duplicates");
    const begin =
      "HTTP/1.1 200 OK\r\nx-LOWER: 1\r\nX-Dup: a\r\nVary: A\r\nX-Dup:b\r\nvary: B\r\nX-Empty:\r\nX-Dup: a\r\nContent-Length: 3\r\n";
    expect(response.head.slice(0, begin.length)).toBe(begin);
  });

  test("100 cookies", async () => {
    const response = await parties().ask("/cookies");
    expect(valuesOf(response.fields, "set-cookie")).toEqual(
      Array.from({ length: 100 }, (_, i) => `c${i}=v${i}; Path=/`),
    );
  });

  test("8-bit bytes in a reason and in values", async () => {
    const response = await parties().ask("/eightbit");
    expect([response.reason, onlyValue(response, "x-latin"), onlyValue(response, "x-utf8")]).toEqual([
      "Tr\xe8s bien",
      "caf\xe9",
      "\xc3\xa9\xff",
    ]);
  });

  test("a request head of almost 64 KiB in 199 fields", async () => {
    const lines = Array.from({ length: 198 }, (_, i) => `X-Field-${i}: ${"v".repeat(300)}`);
    const response = await parties().ask("/head/large", { lines });
    const head = response.body.toString("latin1").split("\r\n");
    expect(head.slice(2, 200)).toEqual(lines);
  });

  // With what is added it is more than a frame holds, and more than a head of a visitor's may be.
  test("a request head of all 64 KiB, to an agent that gives it another Host as well", async () => {
    const { host, open, server, service } = parties();
    const options = { server, subdomain: "renamed", localPort: service.port, spec: { hostHeader: "x.test" } };
    await using _agent = await startTestAgent(options);
    for (const one of [host, "renamed.localhost"]) {
      const rest = 65_536 - requestBytes(one, "/head/full", { lines: ["X-Full: "] }).length;
      const line = `X-Full: ${"v".repeat(rest)}`;
      using client = await open();
      await client.send(requestBytes(one, "/head/full", { lines: [line] }));
      const head = (await client.response()).body.toString("latin1").split("\r\n");
      expect(head[1]).toBe(one === host ? `Host: ${host}` : "Host: x.test");
      expect(head[2] === line).toBe(true);
    }
  });

  test("Server-Timing tells where the time went", async () => {
    const timing = onlyValue(await parties().ask("/delay/50"), "server-timing");
    const pattern =
      /^edge;dur=([\d.]+), policy;dur=([\d.]+), queue;dur=([\d.]+), tunnel;dur=([\d.]+), local;dur=([\d.]+)$/;
    const [edge, policy, queue, tunnel, local] = pattern.exec(timing)!.slice(1).map(Number) as [
      number,
      number,
      number,
      number,
      number,
    ];
    expect(local).toBeGreaterThanOrEqual(45);
    expect(Math.abs(edge - policy - queue - tunnel - local)).toBeLessThan(1);
  });

  test("hosts in any case, with a port or a dot behind, are one", async () => {
    const { ask, server } = parties();
    for (const host of ["DEMO.localhost", `demo.localhost:${server.port}`, "demo.localhost.", "demo.localhost.:80"]) {
      const head = (await ask("/head/x", { host })).body.toString();
      expect(head.split("\r\n")[1]).toBe(`Host: ${host}`);
    }
  });

  test("the other tunnel is another service", async () => {
    const { ask, other } = parties();
    expect((await ask("/head/other", { host: other.host })).body.toString()).toContain(`Host: ${other.host}\r\n`);
    expect((await other.service.next("/head/other")).target).toBe("/head/other");
  });

  describe("security", () => {
    test("nothing is cached, no CORS is added, no date or server is made up", async () => {
      const { ask, service } = parties();
      const before = service.requests.length;
      for (let i = 0; i < 2; i++) {
        const response = await ask("/ok", { lines: ["Origin: https://elsewhere.example"] });
        expect(response.fields.map(([name]) => name)).toEqual(["Content-Type", "Content-Length", "Server-Timing"]);
      }
      expect(service.requests.length).toBe(before + 2);
    });
  });
});

test("SERVER_TIMING=off: nothing is added to an answer", async () => {
  await using server = await startTestServer({ SERVER_TIMING: "off" });
  using service = startLocalService();
  await using _agent = await startTestAgent({ server, subdomain: "plain", localPort: service.port });
  const { fields } = await requestOnce(
    server,
    requestBytes("plain.localhost", "/ok", { lines: ["Connection: close"] }),
  );
  expect(fields.map(([name]) => name)).toEqual(["Content-Type", "Content-Length", "Connection"]);
});

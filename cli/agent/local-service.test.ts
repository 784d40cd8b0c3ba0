// What an agent tells its user of the local service: what is wrong now, and each thing once.

import { expect, spyOn, test } from "bun:test";
import { freePorts } from "../../test/helpers/free-ports.ts";
import { testTls } from "../../test/helpers/test-tls.ts";
import { certificateRefused } from "../../src/http1/client-dial.ts";
import { LocalService } from "./local-service.ts";
import type { OpenFrame } from "./session-owner.ts";
import type { TunnelSpec } from "./types.ts";

test("a service that is down for another reason than before is told with that reason", async () => {
  const [localPort = 0] = await freePorts(1);
  const spec = { protocol: "http", subdomain: null, localHost: "127.0.0.1", localPort } as const;
  const told: string[] = [];
  const local = new LocalService(
    { ...spec, localHttps: true, insecureLocal: false, hostHeader: "preserve" },
    (state, why) => void told.push(`${state}: ${why}`),
  );
  await local.check();
  await local.check();
  using _ = Bun.serve({ hostname: "127.0.0.1", port: localPort, tls: testTls, fetch: () => new Response() });
  await local.check();
  await local.check();
  expect(told).toEqual([
    expect.stringContaining("down: connection refused"),
    expect.stringMatching(/^down: TLS: certificate refused: .*--insecure-local accepts it$/),
  ]);
});

test("a host that is none is told in words", async () => {
  const spec = { protocol: "http", subdomain: null, localHost: "nowhere.invalid", localPort: 1 } as const;
  const local = new LocalService(
    { ...spec, localHttps: false, insecureLocal: false, hostHeader: "preserve" },
    () => {},
  );
  expect(await local.check()).toEqual({ ok: false, error: "no host of this name is known" });
});

const http = { protocol: "http", subdomain: null, localHost: "localhost", localPort: 3000 } as const;
const plain = { ...http, localHttps: false, insecureLocal: false, hostHeader: "rewrite" } as const;

test.each<[TunnelSpec, string, string | null]>([
  [plain, "http://localhost:3000", "localhost:3000"],
  [{ ...plain, localPort: 80 }, "http://localhost:80", "localhost"],
  [{ ...plain, localPort: 443 }, "http://localhost:443", "localhost:443"],
  [{ ...plain, localHttps: true, localPort: 443 }, "https://localhost:443", "localhost"],
  [{ ...plain, localHttps: true, localPort: 80 }, "https://localhost:80", "localhost:80"],
  [{ ...plain, localHost: "::1" }, "http://[::1]:3000", "[::1]:3000"],
  [{ ...plain, hostHeader: "preserve" }, "http://localhost:3000", null],
  [{ ...plain, hostHeader: "app.test" }, "http://localhost:3000", "app.test"],
  [{ ...plain, protocol: "tcp", hostHeader: "preserve" } as TunnelSpec, "tcp://localhost:3000", null],
])("a service %j is called %s and hears the Host %j", (spec, label, host) => {
  const local = new LocalService(spec, () => {});
  expect([local.label, local.host]).toEqual([label, host]);
});

/** A service that says nothing by itself, and what is told of it. */
function onPaper(spec: TunnelSpec = plain) {
  const told: string[] = [];
  return { local: new LocalService(spec, (state, why) => void told.push(`${state}: ${why}`)), told };
}

test("who took no connection in time is down, unless it has said something since", () => {
  const { local, told } = onPaper();
  const before = local.heard;
  local.answered();
  local.unreached(before);
  expect(told).toEqual(["up: null"]);
  local.unreached(local.heard);
  expect(told.slice(1)).toEqual([expect.stringMatching(/^down: /)]);
});

test("what a check finds of a trouble that a request has met is no news, whatever was found before it last was up", async () => {
  const [localPort = 0] = await freePorts(1);
  const { local, told } = onPaper({ ...plain, localHttps: true, localPort });
  await local.check();
  local.up();
  local.down("a request broke off");
  using _ = Bun.serve({ hostname: "127.0.0.1", port: localPort, tls: testTls, fetch: () => new Response() });
  expect((await local.check()).ok).toBe(false);
  expect(told).toEqual([expect.stringContaining("down: connection refused"), "up: null", "down: a request broke off"]);
});

test("a failure is told with what helps against it, and only where that may be", () => {
  const refused = `${certificateRefused}: self-signed certificate`;
  const secure = { ...plain, localHttps: true };
  const tcp: TunnelSpec = { ...plain, protocol: "tcp", hostHeader: "preserve" };
  const hint = "; if the local service speaks TLS, give --local-https";
  expect(onPaper().local.explain("tls", false, "closed")).toBe(
    "the local service seems to speak TLS: give --local-https",
  );
  expect(onPaper().local.explain("broken", false, "closed")).toBe(`closed${hint}`);
  for (const [spec, failure, answered, why] of [
    [plain, "broken", true, "closed"],
    [plain, "unreachable", false, "connection refused"],
    [tcp, "tls", false, "closed"],
    [tcp, "broken", false, "closed"],
    [secure, "broken", false, "closed"],
  ] as const)
    expect(onPaper(spec).local.explain(failure, answered, why)).toBe(why);
  expect(onPaper(secure).local.explain("tls", false, refused)).toBe(`${refused}; --insecure-local accepts it`);
  const { local } = onPaper();
  local.answered();
  expect(local.explain("broken", false, "closed")).toBe("closed");
});

test("a service whose connections come back as visitors is the tunnel itself: they are refused, and a check meanwhile says so", async () => {
  using service = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { local, told } = onPaper({ ...plain, protocol: "tcp", localHost: "127.0.0.1", localPort: service.port });
  const refused = (ends = "192.0.2.1:2 192.0.2.1:1") =>
    local.refuses({ bytes: Buffer.from(ends), start: 0, end: ends.length } as OpenFrame);
  expect([refused(), refused("nobody knows")]).toEqual([null, null]);
  const has = spyOn(local.pool, "has").mockReturnValue(true);
  const checked = local.check();
  const why = refused();
  expect(why).toContain("the tunnel's own public port");
  expect(told).toEqual([`down: ${why}`]);
  expect(await checked).toEqual({ ok: false, error: why! });
  expect(told).toEqual([`down: ${why}`]);
  expect(has.mock.calls[0]!.map(({ port }) => port)).toEqual([2, 1]);
  has.mockRestore();
  expect(await local.check()).toMatchObject({ ok: true });
});

// What an agent tells its user of the local service: what is wrong now, and each thing once.

import { expect, test } from "bun:test";
import { freePorts } from "../../test/helpers/free-ports.ts";
import { testTls } from "../../test/helpers/test-tls.ts";
import { LocalService } from "./local-service.ts";

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

// What --wait waits for.

import { expect, test } from "bun:test";
import type { TunnelSpec } from "./agent/types.ts";
import { createProgress } from "./progress.ts";

const time = "2026-11-23T03:33:43.123Z";
const spec: TunnelSpec = {
  ...{ protocol: "tcp", subdomain: null, localHost: "localhost", localPort: 5432 },
  ...{ localHttps: false, insecureLocal: false, hostHeader: "preserve" },
};
const at = (port: number, local: string) => {
  const url = `tcp://example.com:${port}`;
  return { event: "tunnel.ready", time, url, subdomain: "", tunnelId: "t", local: `tcp://${local}`, port } as const;
};

test("a tunnel that comes back under another port counts once", () => {
  const progress = createProgress([spec, { ...spec, localPort: 22 }]);
  progress.event(at(20_001, "localhost:5432"));
  const { url, local } = at(20_001, "localhost:5432");
  progress.event({ event: "tunnel.lost", time, url, local, reason: "closed" });
  progress.event(at(20_002, "localhost:5432"));
  expect(progress.allReady()).toBe(false);
  progress.event(at(20_003, "localhost:22"));
  expect(progress.allReady()).toBe(true);
});

test("nor does one that comes back under its name at another domain", () => {
  const http: TunnelSpec = { ...spec, protocol: "http", subdomain: "myapp" };
  const progress = createProgress([http, { ...http, subdomain: "other" }]);
  const ready = { ...at(1, "localhost:5432"), local: "http://localhost:5432", subdomain: "myapp", port: null };
  progress.event({ ...ready, url: "https://myapp.example.com" });
  const { local } = ready;
  progress.event({ event: "tunnel.lost", time, url: "https://myapp.example.com", local, reason: "closed" });
  progress.event({ ...ready, url: "https://myapp.example.org" });
  expect(progress.allReady()).toBe(false);
  progress.event({ ...ready, url: "https://other.example.org", subdomain: "other" });
  expect(progress.allReady()).toBe(true);
});

test("what is said is of a tunnel that has not been up, and which one of several it is", () => {
  const http: TunnelSpec = { ...spec, protocol: "http", subdomain: "web" };
  const alone = createProgress([spec]);
  expect(alone.whyNot()).toBe("the server did not answer");
  const retry = { event: "tunnel.retry", time, url: null, local: "http://localhost:5432", inMs: 1 } as const;
  const progress = createProgress([{ ...http, subdomain: "myapp" }, http]);
  progress.event({ ...retry, subdomain: "web", reason: "no answer." });
  const { url, local } = at(1, "localhost:5432");
  progress.event({ ...at(1, "localhost:5432"), subdomain: "myapp" });
  progress.event({ event: "tunnel.lost", time, url, local, reason: "closed." });
  expect(progress.whyNot()).toBe("web -> localhost:5432: no answer");
});

// Which tunnel an event is about, where several lead to one local service.

import { expect, test } from "bun:test";
import type { TunnelSpec } from "../agent/types.ts";
import { applyEvent, createView, isFirstGood } from "./tunnel-view.ts";

const time = "2026-11-23T03:33:43.123Z";
const url = "https://myapp.example.com";
const local = "localhost:3000";
const spec: TunnelSpec = {
  protocol: "http",
  subdomain: "myapp",
  localHost: "localhost",
  localPort: 3000,
  localHttps: false,
  insecureLocal: false,
  hostHeader: "preserve",
};
const ready = { event: "tunnel.ready", time, url, subdomain: "myapp", tunnelId: "t", local, port: null } as const;

test("two names for one local service stay apart", () => {
  const view = createView([spec, { ...spec, subdomain: "other" }]);
  applyEvent(view, { ...ready, url: "https://other.example.com", subdomain: "other", local: `http://${local}` }, 0);
  applyEvent(view, ready, 0);
  expect(view.tunnels.map((tunnel) => tunnel.url)).toEqual([url, "https://other.example.com"]);
  applyEvent(view, { event: "tunnel.lost", time, url, local, reason: "x" }, 0);
  expect(view.tunnels.map((tunnel) => tunnel.link)).toEqual(["lost", "online"]);
  const refused = { event: "refused", time, local, code: "disconnected_by_admin", message: "No." } as const;
  applyEvent(view, { ...refused, url: "https://other.example.com", subdomain: "other" }, 0);
  expect(view.tunnels.map((tunnel) => tunnel.link)).toEqual(["lost", "refused"]);
  const early = createView([spec, { ...spec, subdomain: "other" }]);
  applyEvent(early, { ...refused, url: null, subdomain: "other" }, 0);
  expect(early.tunnels.map((tunnel) => tunnel.link)).toEqual(["connecting", "refused"]);
  const retry = { event: "tunnel.retry", time, url: null, local, inMs: 1_000, reason: "x" } as const;
  applyEvent(early, { ...retry, subdomain: "myapp" }, 0);
  expect(early.tunnels.map(({ reason, retryAtMs }) => [reason, retryAtMs])).toEqual([
    ["x", 1_000],
    ["No.", null],
  ]);
  const third = createView([spec, { ...spec, subdomain: "other" }]);
  applyEvent(third, { ...retry, subdomain: "other" }, 0);
  expect(third.tunnels.map(({ retryAtMs }) => retryAtMs)).toEqual([null, 1_000]);
});

test("a tunnel that comes back under another port is still one tunnel, and that is news", () => {
  const view = createView([{ ...spec, protocol: "tcp", subdomain: null }]);
  const at = (port: number) => ({ ...ready, url: `tcp://example.com:${port}`, subdomain: "", port });
  applyEvent(view, at(20_001), 0);
  applyEvent(view, { event: "tunnel.lost", time, url: at(20_001).url, local, reason: "x" }, 0);
  expect(isFirstGood(view, at(20_002))).toBe(false);
  applyEvent(view, at(20_002), 0);
  expect(view.tunnels.map((tunnel) => [tunnel.url, tunnel.link])).toEqual([["tcp://example.com:20002", "online"]]);
});

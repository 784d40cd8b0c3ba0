// What a stream moves is told while it does, and once.

import { expect, test } from "bun:test";
import type { Session } from "./session.ts";
import type { StreamFlow } from "./stream-flow.ts";
import { Tunnel, type TunnelHost } from "./tunnel.ts";

test("a running stream is counted as it moves, and its end tells only the rest", () => {
  const tunnel = new Tunnel({} as TunnelHost, { tunnelId: "t1", name: "tcp:1" });
  const stream = { bytesIn: 3, bytesOut: 5, countedIn: 0, countedOut: 0 } as StreamFlow;
  tunnel.sessions.push({ rttMs: null, streams: new Map([[1, stream]]) } as unknown as Session);
  tunnel.streams = 1;
  expect(tunnel.takeCounters()).toMatchObject({ bytesIn: 3, bytesOut: 5, streams: 1 });
  expect(tunnel.takeCounters()).toBeNull();
  stream.bytesOut = 1_000;
  expect(tunnel.takeCounters()).toMatchObject({ requests: 0, bytesIn: 0, bytesOut: 995 });
  stream.bytesIn = 10;
  tunnel.sessions[0]!.streams.clear();
  tunnel.connectionClosed(stream);
  expect(tunnel.takeCounters()).toMatchObject({ bytesIn: 7, bytesOut: 0, streams: 0 });
  expect(tunnel.takeCounters()).toBeNull();
});

// One tunnel of an agent whose sessions are on paper: what it makes of a request, and who hears of it.

import { afterEach, expect, jest, spyOn, test } from "bun:test";
import { FakeSession } from "../../test/helpers/fake-session.ts";
import { tunnelWith } from "../../test/helpers/paper-tunnel.ts";
import type { ClientConnection } from "../../src/http1/client-connection.ts";
import { FIN, RAW } from "../../src/protocol/frames.ts";
import type { Recorder } from "../inspector/recorder.ts";
import type { Recording, RequestHead, Source } from "../inspector/recording.ts";
import type { AgentSession } from "./session.ts";
import type { TunnelSpec } from "./types.ts";

afterEach(() => void jest.restoreAllMocks());

/** What the local service is sent of a request, or why it is not. */
function opened(more: Partial<TunnelSpec>, text: string): string {
  const { client } = tunnelWith(0, more);
  let sent = "";
  const write = (bytes: Buffer, start: number, end: number) => void (sent += bytes.toString("latin1", start, end));
  const connection = { write, requestEnd() {}, startRaw() {} } as unknown as ClientConnection;
  spyOn(client.local.pool, "begin").mockReturnValue(connection);
  // The service has a connection of these two ends: it comes from here.
  spyOn(client.local.pool, "has").mockImplementation((near) => near.text === "192.0.2.7");
  const bytes = Buffer.from(`########${text}##`);
  const open = { flags: FIN | (more.protocol === "tcp" ? RAW : 0), bytes, start: 8, end: bytes.length - 2 };
  const session = new FakeSession() as unknown as AgentSession;
  const stream = client.open(session, 1, { ...open, responseWindow: 9, requestWindow: 9 });
  return typeof stream === "string" ? stream : sent;
}

test.each<[string, Partial<TunnelSpec>, string, string]>([
  ["as it is", {}, "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n"],
  [
    "with another Host",
    { hostHeader: "a.much.longer.test" },
    "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a.much.longer.test\r\n\r\n",
  ],
  ["without a head, over TCP", { protocol: "tcp", hostHeader: "b.test" }, "192.0.2.1:1 192.0.2.2:2", ""],
])("a request goes to the service %s", (_, more, text, sent) => {
  expect(opened(more, text)).toBe(sent);
});

test("a connection that comes from here is refused, over TCP alone", () => {
  expect(opened({ protocol: "tcp" }, "192.0.2.7:1 192.0.2.2:2")).toStartWith("it is the tunnel's own public port");
  expect(opened({}, "192.0.2.7:1 192.0.2.2:2")).toBe("192.0.2.7:1 192.0.2.2:2");
});

test("what nobody wants to hear of single requests, or to keep of them, is not even looked at", () => {
  const open = { flags: FIN, bytes: Buffer.alloc(0), start: 0, end: 0, responseWindow: 0, requestWindow: 0 };
  const { client } = tunnelWith(1);
  expect([client.wantsReports, client.record(open)]).toEqual([true, null]);
  const recording = {} as Recording;
  const begin = jest.fn((_source: Source, _head: RequestHead) => recording);
  const kept = tunnelWith(1, { requests: false, recorder: { begin } as unknown as Recorder }).client;
  expect([kept.wantsReports, kept.record(open)]).toEqual([false, recording]);
  expect(begin.mock.calls).toEqual([[{ url: "http://web", local: kept.local }, open]]);
});

test("what is told of the service and of requests says of which tunnel", () => {
  const { client, events } = tunnelWith(1);
  client.local.down("refused");
  client.report({
    method: "GET",
    path: "/",
    status: 200,
    durationMs: 1,
    bytesIn: 0,
    bytesOut: 0,
    error: null,
    cancelled: false,
  });
  expect(events.slice(1)).toMatchObject([
    { event: "local.status", local: "http://127.0.0.1:9", state: "down", why: "refused" },
    { event: "request", url: "http://web", path: "/", status: 200 },
  ]);
});

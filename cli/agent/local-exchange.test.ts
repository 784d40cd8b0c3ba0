// Exchanges at the local service, ordered by a server that the test plays frame by frame.

import { afterEach, expect, test } from "bun:test";
import type { ServerWebSocket } from "bun";
import { eventually } from "../../test/helpers/eventually.ts";
import { Outbox } from "../../src/protocol/outbox.ts";
import { readFrames } from "../../test/helpers/read-frames.ts";
import { DATA, FIN, HEAD, OPEN, REGISTERED, resetCode, writeU32 } from "../../src/protocol/frames.ts";
import { startAgent } from "./agent.ts";

const stack = new AsyncDisposableStack();
afterEach(() => stack.move().disposeAsync());

interface Server {
  outbox: Outbox;
  /** Types of the frames of each stream. */
  frames: Map<number, number[]>;
  get(id: number, path: string, responseWindow: number): void;
}

/** A server that lets the test write the frames of one session, and an agent that serves `localPort` to it. */
async function serveAgent(localPort: number): Promise<Server> {
  const frames = new Map<number, number[]>();
  const opened = Promise.withResolvers<ServerWebSocket<undefined>>();
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    fetch(request, self) {
      if (new URL(request.url).pathname !== "/_tunnel/register")
        return self.upgrade(request, { headers: { "Sec-WebSocket-Protocol": "digit-link.v1" } })
          ? undefined
          : new Response();
      const session = { path: "/_tunnel/s/0", connections: 1 };
      return Response.json({ subdomain: "a", url: "http://a", tunnelId: "t", tickets: ["one"], session });
    },
    websocket: {
      open: (ws: ServerWebSocket<undefined>) => opened.resolve(ws),
      message(_ws, message) {
        const note = (type: number, _flags: number, id: number): void =>
          void frames.set(id, [...(frames.get(id) ?? []), type]);
        readFrames(message as Buffer, { frame: note });
      },
    },
  });
  const agent = startAgent({
    server: `http://127.0.0.1:${server.port}`,
    token: "token",
    tunnels: [
      {
        ...{ protocol: "http", subdomain: "a", localHost: "127.0.0.1", localPort },
        ...{ localHttps: false, insecureLocal: false, hostHeader: "preserve" },
      },
    ],
    ...{ connections: 1, pool: false, version: "1.0.0", agentId: "test", onEvent() {} },
  });
  stack.defer(async () => {
    await agent.stop(0);
    await server.stop(true);
  });
  const ws = await opened.promise;
  const outbox = new Outbox({ send: (bytes, start, end) => void ws.sendBinary(bytes.subarray(start, end)) });
  outbox.session(REGISTERED, { protocol: 1, tunnelId: "t", url: "http://a" });
  const get = (id: number, path: string, responseWindow: number): void => {
    const payload = Buffer.from(`########GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`);
    writeU32(payload, 0, responseWindow);
    writeU32(payload, 4, 0);
    outbox.frame(OPEN, FIN, id, payload, 0, payload.length);
  };
  return { outbox, frames, get };
}

test("a reset of an answer that waits for credit leaves the local connection to whoever uses it by then", async () => {
  const release = Promise.withResolvers<void>();
  const ports = new Map<string, number>();
  const local = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    async fetch(request, self) {
      const { pathname } = new URL(request.url);
      ports.set(pathname, self.requestIP(request)?.port ?? 0);
      if (pathname === "/second") await release.promise;
      return new Response("0123456789".repeat(10));
    },
  });
  stack.defer(() => local.stop(true));
  const { outbox, frames, get } = await serveAgent(local.port ?? 0);
  get(1, "/first", 10);
  await eventually(() => frames.get(1)?.includes(DATA) === true, "what credit allows of the first answer");
  get(2, "/second", 1_000);
  await eventually(() => ports.size === 2, "the second request has arrived");
  expect(ports.get("/second")).toBe(ports.get("/first"));
  outbox.reset(1, resetCode.cancel, "the visitor left");
  get(3, "/third", 1_000);
  await eventually(() => frames.get(3)?.includes(HEAD) === true, "the reset was handled");
  release.resolve();
  await eventually(() => frames.get(2)?.includes(HEAD) === true, "the second answer");
});

// The agent goes where its command line says and nowhere else, whatever its server or its environment would like; it opens no port.

import { createServer, type AddressInfo, type Server } from "node:net";
import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { CHECKED, DATA, END, FIN, HEAD, RESET } from "../../src/protocol/frames.ts";
import { type HeardFrame } from "../helpers/hostile-agent.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { startHostileServer } from "../helpers/hostile-server.ts";
import { startHttpProxy } from "../helpers/http-proxy.ts";
import { luringAnswers, luringFrames, luringGoAway } from "../helpers/lures.ts";
import { listeningSockets } from "../helpers/process-facts.ts";
import { requestOnce } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { beginTunnel, openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { serviceOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(60_000);

/** A listener that must never hear anything. */
interface Bait extends AsyncDisposable {
  readonly address: string;
  connections: number;
}

async function startBait(host: string, port = 0): Promise<Bait> {
  const bait = { connections: 0 };
  const server: Server = createServer((socket) => {
    bait.connections++;
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(port, host, resolve));
  const close = (): Promise<void> => new Promise((resolve) => void server.close(() => resolve()));
  return Object.assign(bait, {
    address: `${host}:${(server.address() as AddressInfo).port}`,
    [Symbol.asyncDispose]: close,
  });
}

/** A local service that counts connections, answers with a redirect to `bait`, and can be asked nothing else. */
async function startLuringService(bait: string): Promise<AsyncDisposable & { port: number; connections(): number }> {
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    socket.on("error", () => {});
    socket.once("data", () =>
      socket.end(`HTTP/1.1 302 Found\r\nLocation: http://${bait}/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as AddressInfo).port,
    connections: () => connections,
    [Symbol.asyncDispose]: () => new Promise<void>((resolve) => void server.close(() => resolve())),
  };
}

function checksOf(heard: readonly HeardFrame[]): unknown[] {
  return heard.filter(({ type }) => type === CHECKED).map(({ payload }) => JSON.parse(payload.toString()) as unknown);
}

function endedStreams(heard: readonly HeardFrame[]): Set<number> {
  const isEnd = ({ type, flags }: HeardFrame): boolean =>
    type === END || type === RESET || ((type === HEAD || type === DATA) && (flags & FIN) !== 0);
  return new Set(heard.filter(isEnd).map(({ stream }) => stream));
}

describe("security", () => {
  test("a hostile server can't lead the agent to another host or port", async () => {
    await using otherPort = await startBait("127.0.0.1");
    await using service = await startLuringService(otherPort.address);
    // The right port of another host.
    await using otherHost = await startBait("127.0.0.2", service.port);
    for (const bait of [otherPort, otherHost]) {
      await using server = startHostileServer(bait.address);
      const options = { origin: server.origin, token: "dl_secret", port: service.port, connections: 1 };
      for (const [what, answer] of Object.entries(luringAnswers(bait.address))) {
        server.answer = answer;
        await using refused = beginTunnel(options);
        const isRedirect = what.startsWith("redirect");
        const said = isRedirect
          ? (await refused.until("refused")).message
          : (await refused.until("tunnel.retry")).reason;
        expect({ what, said, sessions: server.sessions }).toEqual({
          what,
          said: expect.stringContaining(
            isRedirect ? `redirects to http://${bait.address}: ` : "not like a digit-link server",
          ),
          sessions: 0,
        });
      }
      server.answer = null;
      await using agent = beginTunnel(options);
      await agent.until("tunnel.ready");
      const served = service.connections();
      const { streams, frames } = luringFrames(bait.address, 1);
      server.send(...frames);
      await eventually(() => endedStreams(server.heard).size === streams, "every stream has its end");
      await eventually(() => checksOf(server.heard).length === 2, "both checks are answered");
      expect(checksOf(server.heard)).toEqual([
        { ok: true, ms: expect.any(Number) },
        { ok: true, ms: expect.any(Number) },
      ]);
      // Streams and checks each had a connection, to the right place.
      expect(service.connections() - served).toBeGreaterThanOrEqual(streams);
      expect(server.sessions).toBe(1);
      const before = server.registrations;
      server.send(luringGoAway(bait.address));
      await eventually(() => server.registrations > before, "it asks the same server again", 20_000);
    }
    expect([otherPort.connections, otherHost.connections]).toEqual([0, 0]);
  });

  test("a proxy of the environment is used towards the server, and never towards the local service", async () => {
    await using service = startTaggedService("behind");
    await using server = await startServerProcess({ shards: 1, env: { DOMAIN: "tunnel.example" } });
    await using proxy = await startHttpProxy(server.port);
    const names = ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];
    const env = Object.fromEntries(names.map((name) => [name, `http://127.0.0.1:${proxy.port}`]));
    // A name that only the proxy knows: without it there is no way to the server.
    const options = { token: server.token, origin: "http://tunnel.example", port: service.port, name: "proxied" };
    await using agent = await openTunnelProcess({ ...options, env });
    await agent.until("session");
    const head = "GET / HTTP/1.1\r\nHost: proxied.tunnel.example\r\nConnection: close\r\n\r\n";
    for (let i = 0; i < 5; i++) expect(serviceOf(await requestOnce(server, head))).toBe("behind");
    expect(new Set(proxy.asked)).toEqual(
      new Set(["POST http://tunnel.example/_tunnel/register", "CONNECT tunnel.example:80"]),
    );
  });

  test("a server on this machine is reached straight, and its token shown to no proxy", async () => {
    await using service = startTaggedService("behind");
    await using server = await startServerProcess({ shards: 1 });
    await using proxy = await startHttpProxy(server.port);
    const env = { HTTP_PROXY: `http://127.0.0.1:${proxy.port}`, http_proxy: `http://127.0.0.1:${proxy.port}` };
    const origin = `http://localhost:${server.port}`;
    await using agent = await openTunnelProcess({ token: server.token, origin, port: service.port, name: "near", env });
    await agent.until("session");
    expect(proxy.asked).toEqual([]);
  });

  test("it opens no port and no socket that takes anything from anybody", async () => {
    await using service = startTaggedService("quiet");
    const [port = 0] = await freePorts(1);
    await using server = await startServerProcess({ shards: 1, env: { TCP_PORTS: String(port) } });
    // What the look finds where there is something.
    expect(listeningSockets(server.pid)).toContain(`tcp 127.0.0.1:${server.port}`);
    expect(listeningSockets(server.pid).some((one) => one.startsWith("unix "))).toBe(true);
    await using http = await openTunnelProcess({ ...server, port: service.port, name: "quiet" });
    await using tcp = await openTunnelProcess({ ...server, port: service.port, protocol: "tcp" });
    for (const agent of [http, tcp]) {
      await agent.until("session");
      expect(serviceOf(await visit(server.port, "quiet", "/"))).toBe("quiet");
      expect(listeningSockets(agent.pid)).toEqual([]);
    }
  });
});

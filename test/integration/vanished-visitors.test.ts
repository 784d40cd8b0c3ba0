// Visitors that vanish without a word: the kernel asks after a while whether they are still there, also on quiet connections.

import { expect, setDefaultTimeout, test } from "bun:test";
import { readFileSync } from "node:fs";
import { freePorts } from "../helpers/free-ports.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

setDefaultTimeout(30_000);

/** Which timer runs on the server's end of a client's connection: 2 is the one of keep-alive (proc_net_tcp). */
function timerOf(client: RawClient): number {
  const hex = (port: number | undefined): string => (port ?? 0).toString(16).toUpperCase().padStart(4, "0");
  const { localPort, remotePort } = client.socket;
  for (const line of readFileSync("/proc/net/tcp", "latin1").split("\n")) {
    const [, local = "", remote = "", , , timer = ""] = line.trim().split(/\s+/);
    if (local.endsWith(`:${hex(remotePort)}`) && remote.endsWith(`:${hex(localPort)}`))
      return Number(timer.slice(0, 2));
  }
  return -1;
}

test.each(["move", "pipe"])("visitors of a server set to %s", async (handover) => {
  const [tcpPort = 0] = await freePorts(1);
  const env = { HANDOVER: handover, TCP_PORTS: `${tcpPort}-${tcpPort}` };
  await using server = await startServerProcess({ shards: 1, env });
  await using service = startTaggedService("quiet");
  await using agent = await openTunnel({ ...server, port: service.port, name: "quiet" });
  await using tcp = await openTunnel({ ...server, port: service.port, protocol: "tcp" });
  const request = "GET / HTTP/1.1\r\nHost: quiet.localhost\r\n\r\n";
  for (const port of [server.port, tcpPort]) {
    using client = await RawClient.open({ port });
    await client.send(request);
    expect((await client.response()).status).toBe(200);
    expect(timerOf(client)).toBe(2);
  }
  expect([agent, tcp].map((one) => one.all("refused"))).toEqual([[], []]);
});

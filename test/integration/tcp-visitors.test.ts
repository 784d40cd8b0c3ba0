// Who a TCP tunnel's visitor is: said to the local service by --proxy-protocol, read by a real nginx, and never said by the visitor.

import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminApi } from "../helpers/admin-api.ts";
import { eventually } from "../helpers/eventually.ts";
import { freePorts } from "../helpers/free-ports.ts";
import { startTestServer } from "../helpers/server.ts";
import { endWithThisProcess } from "../helpers/server-process.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";

/** An nginx that answers with what the PROXY protocol told it. */
async function startNginx(port: number) {
  const folder = mkdtempSync(join(tmpdir(), "digit-link-nginx-"));
  const temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (one) => `${one}_temp_path ${folder}/${one};`,
  );
  const says = "$proxy_protocol_addr $proxy_protocol_port $proxy_protocol_server_addr $proxy_protocol_server_port";
  const config = `
    ${process.getuid?.() === 0 ? "user root;" : ""}
    daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
    events { worker_connections 64; }
    http { access_log off; ${temporary.join(" ")}
      server { listen 127.0.0.1:${port} proxy_protocol; location / { return 200 "${says}"; } } }`;
  await Bun.write(join(folder, "nginx.conf"), config);
  const program = Bun.which("nginx") ?? "/usr/sbin/nginx";
  const child = Bun.spawn([program, "-c", join(folder, "nginx.conf"), "-e", join(folder, "error.log")], {
    stderr: "inherit",
  });
  endWithThisProcess(child.pid);
  const listens = () =>
    Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {} } }).then((one) => (one.end(), true));
  await eventually(() => listens().catch(() => false), "nginx listens");
  return {
    async [Symbol.asyncDispose]() {
      child.kill();
      await child.exited;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A visitor from that address; what it sends, and all that it hears until the end. */
async function visit(from: string, to: string, port: number, says: string): Promise<{ port: number; heard: string }> {
  const socket: Socket = connect({ host: to, port, localAddress: from });
  let heard = "";
  socket.on("data", (bytes) => (heard += bytes.toString("latin1")));
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  socket.on("error", reject);
  socket.on("close", () => resolve());
  let own = 0;
  socket.on("connect", () => {
    own = socket.localPort ?? 0;
    socket.write(says);
  });
  await promise;
  return { port: own, heard };
}

const get = "GET / HTTP/1.0\r\nHost: a\r\n\r\n";

describe.each(["v1", "v2"] as const)("--proxy-protocol %s", (proxyProtocol) => {
  test("tells nginx each visitor's address and port, and the ones it came to", async () => {
    const [port, local] = (await freePorts(2)) as [number, number];
    await using server = await startTestServer({ TCP_PORTS: String(port), TCP_HOST: "::" });
    await using _nginx = await startNginx(local);
    const { token } = await adminApi(server).createAccount("ada", null);
    const origin = `http://localhost:${server.port}`;
    await using agent = await openTunnelProcess({ origin, token, port: local, protocol: "tcp", proxyProtocol });
    for (const [from, to] of [
      ["127.0.0.9", "127.0.0.1"],
      ["127.0.0.1", "127.0.0.8"],
      ["::1", "::1"],
    ] as const) {
      const visitor = await visit(from, to, port, get);
      expect(visitor.heard.split("\r\n\r\n")[1]).toBe(`${from} ${visitor.port} ${to} ${port}`);
      await eventually(
        () => agent.all("connection").some((one) => one.address.endsWith(`:${visitor.port}`)),
        "it is told",
      );
    }
    const { address } = agent.all("connection")[0]!;
    expect(address).toMatch(/^127\.0\.0\.9:\d+$/);
  });
});

test("security: what a visitor says of itself comes behind, and without the flag nothing is added", async () => {
  const [port, plainPort] = (await freePorts(2)) as [number, number];
  await using server = await startTestServer({ TCP_PORTS: `${port},${plainPort}` });
  let heard = "";
  const lie = "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n";
  const service = createServer((socket) =>
    socket.on("data", (bytes) => {
      heard += bytes.toString();
      if (heard.endsWith(lie)) socket.end("x");
    }),
  );
  await new Promise<void>((resolve) => service.listen(0, "127.0.0.1", resolve));
  const local = (service.address() as { port: number }).port;
  const to = { origin: `http://localhost:${server.port}`, token: server.token, port: local, protocol: "tcp" as const };
  for (const [remotePort, flags] of [
    [port, { proxyProtocol: "v1" }],
    [plainPort, {}],
  ] as const) {
    await using _agent = await openTunnelProcess({ ...to, remotePort, ...flags });
    const visitor = await visit("127.0.0.1", "127.0.0.1", remotePort, lie);
    const header = `PROXY TCP4 127.0.0.1 127.0.0.1 ${visitor.port} ${port}\r\n`;
    expect(heard).toBe((remotePort === port ? header : "") + lie);
    heard = "";
  }
  service.close();
});

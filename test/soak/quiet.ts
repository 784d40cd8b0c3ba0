// Connections that hardly move: a 1 KB/s upload, a silent event stream, an idle WebSocket, an idle TCP tunnel.

import { connect } from "node:net";
import { freePorts } from "../helpers/free-ports.ts";
import { startLocalService } from "../helpers/local-service.ts";
import { patternBytes, patternSha1 } from "../helpers/pattern.ts";
import { RawClient } from "../helpers/raw-client.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { atLeast, exactly, type Scenario } from "./scenario.ts";

/** How long each must live, in minutes. */
const promised = { upload: 5, events: 10, webSocket: 60, tcp: 60 };

export const quiet: Scenario = {
  name: "quiet",
  about:
    "1 KB/s upload for 5 min, silent SSE for 10, idle WebSocket and TCP for 60 (fails when --minutes cuts them short)",
  async run(options) {
    const limit = options.minutes ?? Number.POSITIVE_INFINITY;
    const secondsOf = (kind: keyof typeof promised): number => Math.round(Math.min(promised[kind], limit) * 60);
    using service = startLocalService();
    const [tcpPort] = await freePorts(1);
    await using server = await startServerProcess({ shards: 2, env: { TCP_PORTS: String(tcpPort) } });
    await using agent = await openTunnel({ ...server, port: service.port, name: "quiet" });
    const echo = Bun.listen({
      hostname: "127.0.0.1",
      port: 0,
      socket: { data: (socket, bytes) => void socket.write(bytes) },
    });
    await using tcpAgent = await openTunnel({ ...server, port: echo.port, protocol: "tcp" });
    const run = { uploaded: 0, event: 0, webSocket: 0, tcp: 0 };
    /** For how many minutes each was really left alone. */
    const lasted = { upload: 0, events: 0, webSocket: 0, tcp: 0 };
    const silence = async (kind: keyof typeof promised): Promise<void> => {
      const started = performance.now();
      // A timer may come a millisecond early.
      await Bun.sleep(secondsOf(kind) * 1_000 + 100);
      lasted[kind] = (performance.now() - started) / 60_000;
    };

    const upload = async (): Promise<void> => {
      const seconds = secondsOf("upload");
      using client = await RawClient.open(server);
      const answer = client.response({ timeoutMs: (seconds + 30) * 1_000 });
      answer.catch(() => {});
      const bytes = seconds * 1_024;
      await client.send(`POST /upload HTTP/1.1\r\nHost: quiet.localhost\r\nContent-Length: ${bytes}\r\n\r\n`);
      const started = performance.now();
      for (let i = 0; i < seconds; i++) {
        await client.send(patternBytes(i * 1_024, (i + 1) * 1_024));
        await Bun.sleep(1_000);
      }
      lasted.upload = (performance.now() - started) / 60_000;
      const { status, body } = await answer;
      if (status === 200 && body.toString().includes(patternSha1(bytes))) run.uploaded = 1;
    };
    const events = async (): Promise<void> => {
      using client = await RawClient.open(server);
      await client.send("GET /sse/silent HTTP/1.1\r\nHost: quiet.localhost\r\n\r\n");
      let got = "";
      const answer = client.response({
        timeoutMs: (secondsOf("events") + 60) * 1_000,
        onBody: (bytes) => void (got += bytes.toString()),
      });
      answer.catch(() => {});
      const stream = await service.events("silent");
      await silence("events");
      await stream.send("still here");
      await stream.end();
      await answer;
      if (got.includes("still here")) run.event = 1;
    };
    const webSocket = async (): Promise<void> => {
      using client = await RawClient.open(server);
      await client.send(
        "GET /raw HTTP/1.1\r\nHost: quiet.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
      );
      await client.response();
      await silence("webSocket");
      await client.send("ping");
      if ((await client.rawBytes(4)).toString() === "ping") run.webSocket = 1;
    };
    const tcp = async (): Promise<void> => {
      const socket = connect({ port: tcpPort!, host: "127.0.0.1" });
      socket.on("error", () => {});
      await new Promise((resolve) => socket.once("connect", resolve));
      await silence("tcp");
      const answer = new Promise<string>((resolve) => {
        socket.once("data", (bytes) => resolve(bytes.toString()));
        socket.once("close", () => resolve(""));
      });
      socket.write("ping");
      if ((await answer) === "ping") run.tcp = 1;
      socket.destroy();
    };
    const settled = await Promise.allSettled([upload(), events(), webSocket(), tcp()]);
    for (const one of settled) if (one.status === "rejected") options.say(String(one.reason));
    echo.stop(true);
    return [
      exactly("the 1 KB/s upload arrived whole", run.uploaded, 1),
      exactly("the silent event stream still delivers", run.event, 1),
      exactly("the idle WebSocket still echoes", run.webSocket, 1),
      exactly("the idle TCP connection still echoes", run.tcp, 1),
      exactly("sessions lost meanwhile", agent.all("tunnel.lost").length + tcpAgent.all("tunnel.lost").length, 0),
      atLeast("minutes of the upload", lasted.upload, promised.upload),
      atLeast("minutes of silence on the event stream", lasted.events, promised.events),
      atLeast("minutes of silence on the WebSocket", lasted.webSocket, promised.webSocket),
      atLeast("minutes of silence on the TCP connection", lasted.tcp, promised.tcp),
    ];
  },
};

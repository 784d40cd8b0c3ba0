// 1,000 connections each that send heads slowly, send bodies slowly, or don't read: everybody else is served, always.

import { connect, type Socket } from "node:net";
import { percentile } from "../../bench/measure/statistics.ts";
import { eventually } from "../helpers/eventually.ts";
import { startLocalServiceProcess } from "../helpers/local-service-process.ts";
import { residentBytes } from "../helpers/process-facts.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { openTunnelProcess } from "../helpers/tunnel-agent.ts";
import { visit } from "../helpers/visit.ts";
import { atLeast, atMost, exactly, type Fact, figure, nothingIn, type Scenario, scaled } from "./scenario.ts";

const kinds: Record<string, { first: string; then: string | null }> = {
  "slow heads": { first: "GET / HTTP/1.1\r\nHost: victim.localhost\r\n", then: "X: y\r\n" },
  "slow bodies": {
    first: "POST /upload HTTP/1.1\r\nHost: victim.localhost\r\nContent-Length: 1000000\r\n\r\n",
    then: "x",
  },
  "slow readers": { first: "GET /size/100000000 HTTP/1.1\r\nHost: victim.localhost\r\n\r\n", then: null },
};

export const attackers: Scenario = {
  name: "attackers",
  about: "1,000 slow heads, slow bodies, slow readers: others at 100 %, attackers cut off in time",
  async run(options) {
    const count = scaled(options, 1_000, 100);
    const facts: Fact[] = [];
    for (const [kind, attack] of Object.entries(kinds)) {
      options.say(kind);
      await using service = await startLocalServiceProcess();
      // Deadlines shrunk to what a run can wait for; everything else by default.
      const env = { HEAD_TIMEOUT_MS: "5000", BODY_PROGRESS_TIMEOUT_MS: "5000", WRITE_PROGRESS_TIMEOUT_MS: "5000" };
      await using server = await startServerProcess({ shards: 2, env });
      await using agent = await openTunnelProcess({ ...server, port: service.port, name: "victim" });
      await using other = await openTunnelProcess({ ...server, port: service.port, name: "other" });
      await Promise.all([agent.until("session"), other.until("session")]);
      const before = residentBytes(server.pid);
      let closed = 0;
      const sockets = Array.from({ length: count }, (_, i) => attackFrom(server.port, i, attack, () => closed++));
      const until = performance.now() + 15_000;
      const ms: number[] = [];
      const failed: string[] = [];
      const visitor = async (_: unknown, v: number): Promise<void> => {
        while (performance.now() < until) {
          const sent = performance.now();
          const answer = visit(server.port, v % 2 === 0 ? "victim" : "other", "/size/1000");
          const status = await answer.then(({ status: got }) => (got === 200 ? null : String(got)), String);
          if (status === null) ms.push(performance.now() - sent);
          else failed.push(`${v % 2 === 0 ? "victim" : "other"} ${status.slice(0, 80)}`);
          await Bun.sleep(10);
        }
      };
      await Promise.all(Array.from({ length: 8 }, visitor));
      // What a slow reader's kernel takes moves for a while before it stands still.
      await eventually(() => closed === count, "all are cut off", 60_000).catch(() => {});
      const peak = residentBytes(server.pid) - before;
      facts.push(
        nothingIn(`${kind}: failed requests of others`, failed),
        atLeast(`${kind}: served requests of others`, ms.length, 1_000),
        figure(`${kind}: p99 of others`, percentile(ms, 99), "ms"),
        exactly(`${kind}: attackers cut off`, closed, count),
        atMost(`${kind}: memory`, peak, 128 * 1_048_576, "bytes"),
      );
      for (const socket of sockets) socket.destroy();
    }
    return facts;
  },
};

/** One byte or line a second (nothing, and no reading, for slow readers), from one of 250 addresses. */
function attackFrom(
  port: number,
  i: number,
  attack: { first: string; then: string | null },
  onClosed: () => void,
): Socket {
  const socket = connect({ port, host: "127.0.0.1", localAddress: `127.0.1.${1 + (i % 250)}` });
  let timer: Timer | undefined;
  socket.on("connect", () => {
    socket.write(attack.first);
    if (attack.then === null) socket.pause();
    // A paused socket doesn't hear that it was reset before it writes.
    timer = setInterval(() => void socket.write(attack.then ?? "\r\n"), 1_000);
  });
  socket.on("error", () => {});
  if (attack.then !== null) socket.on("data", () => {});
  socket.on("end", () => socket.destroy());
  socket.on("close", () => {
    clearInterval(timer);
    onClosed();
  });
  return socket;
}

// More than can be carried: what can be is served as before, the rest is told so at once; logins don't slow tunnels.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { percentile } from "../../bench/measure/statistics.ts";
import { measureVisits } from "../helpers/latencies.ts";
import { offerLoad } from "../helpers/open-loop.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";

setDefaultTimeout(60_000);

describe("security", () => {
  test("three times what a tunnel carries: four fifths of that and more are served, the rest gets a fast 503", async () => {
    const atOnce = 40;
    await using service = startTaggedService("busy");
    await using server = await startServerProcess({ shards: 1, env: { MAX_CONNECTIONS_PER_TUNNEL: String(atOnce) } });
    await using agent = await openTunnel({ ...server, port: service.port, name: "busy" });
    await agent.until("session");
    const serviceMs = 200;
    const capacity = atOnce / (serviceMs / 1_000);
    const target = { port: server.port, name: "busy", path: `/slow/${serviceMs}`, perSecond: 3 * capacity, seconds: 4 };
    const { ms, offered, broken, seconds } = await offerLoad(target);
    const [served = [], refused = []] = [ms[200], ms[503]];
    expect({ broken, answered: served.length + refused.length }).toEqual({ broken: 0, answered: offered });
    expect(served.length / seconds).toBeGreaterThanOrEqual(0.8 * capacity);
    // It isn't that more was let in than the service takes: those served don't wait for each other.
    expect(percentile(served, 50)).toBeLessThan(2 * serviceMs);
    expect(percentile(refused, 50)).toBeLessThan(serviceMs / 2);
    expect(percentile(refused, 95)).toBeLessThan(serviceMs);
  });

  test("50 logins a second: visitors of tunnels wait no longer than before, logins beyond the queue get a 503", async () => {
    await using service = startTaggedService("calm");
    await using server = await startServerProcess({
      shards: 1,
      env: { TRUSTED_PROXIES: "127.0.0.1", BCRYPT_COST: "11" },
    });
    await using agent = await openTunnel({ ...server, port: service.port, name: "calm" });
    await agent.until("session");
    await measureVisits(server.port, "calm", 1);
    const quiet = await measureVisits(server.port, "calm", 3);
    const stop = offerLogins(server.port);
    const storm = await measureVisits(server.port, "calm", 3);
    const statuses = await stop();
    expect([quiet.failed, storm.failed]).toEqual([0, 0]);
    // A hash takes 100 ms and more: one of them on a thread that carries visitors would show.
    expect(percentile(storm.ms, 95)).toBeLessThan(2 * percentile(quiet.ms, 95) + 50);
    expect(new Set(statuses)).toEqual(new Set([401, 503]));
  });
});

/** 50 a second, each of another name and from another address; the function returned stops, and resolves to all statuses. */
function offerLogins(port: number): () => Promise<number[]> {
  const running: Promise<number>[] = [];
  const timer = setInterval(() => {
    const number = running.length;
    const headers = {
      host: `localhost:${port}`,
      origin: `http://localhost:${port}`,
      "content-type": "application/json",
      "x-forwarded-for": `10.1.${number >> 8}.${number & 255}`,
    };
    const body = JSON.stringify({ username: `nobody-${number}`, password: "not the right one" });
    running.push(
      fetch(`http://127.0.0.1:${port}/auth/login`, { method: "POST", headers, body }).then((one) => one.status),
    );
  }, 20);
  return () => {
    clearInterval(timer);
    return Promise.all(running);
  };
}

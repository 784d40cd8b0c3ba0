// More than can be carried: what can be is served, the rest is told so without waiting; logins don't hold up tunnels.

import { describe, expect, setDefaultTimeout, test } from "bun:test";
import { eventually } from "../helpers/eventually.ts";
import { startServerProcess } from "../helpers/server-process.ts";
import { startTaggedService } from "../helpers/tagged-service.ts";
import { openTunnel } from "../helpers/tunnel-agent.ts";
import { statusOf, visit } from "../helpers/visit.ts";

setDefaultTimeout(60_000);

describe("security", () => {
  test("three times what a tunnel carries: that much is served, the rest is refused before anybody is served, and nothing of it lasts", async () => {
    const atOnce = 40;
    using service = startHoldingService();
    await using server = await startServerProcess({ shards: 1, env: { MAX_CONNECTIONS_PER_TUNNEL: String(atOnce) } });
    await using agent = await openTunnel({ ...server, port: service.port, name: "busy" });
    await agent.until("session");
    for (let wave = 1; wave <= 5; wave++) {
      const statuses: (number | "broken")[] = [];
      const visits = Array.from({ length: 3 * atOnce }, async () =>
        statuses.push(await statusOf(visit(server.port, "busy", "/", { timeoutMs: 60_000 }))),
      );
      await eventually(() => statuses.length === 2 * atOnce, "the refused have their answers", 30_000);
      await eventually(() => service.held() === atOnce, "the others are with the service", 30_000);
      service.release();
      await Promise.all(visits);
      const of = (status: number): number[] => Array(status === 503 ? 2 * atOnce : atOnce).fill(status);
      expect({ wave, statuses }).toEqual({ wave, statuses: [...of(503), ...of(200)] });
    }
  });

  test("a storm of logins: visitors of tunnels are served while one hash is made, logins beyond the queue get a 503 at once", async () => {
    await using service = startTaggedService("calm");
    const env = { TRUSTED_PROXIES: "127.0.0.1", BCRYPT_COST: "9" };
    await using server = await startServerProcess({ shards: 1, env });
    await using agent = await openTunnel({ ...server, port: service.port, name: "calm" });
    await agent.until("session");
    const logins: number[] = [];
    const storm = Array.from({ length: 50 }, async (_, i) => logins.push(await logIn(server.port, i)));
    // Between how many answers to logins five visits and more, one after the other, began and ended: a hash on a thread
    // that carries visitors would let none of them pass before it is made.
    let [calm, visits, answered] = [0, 0, -1];
    while (calm < 3 && logins.length < storm.length) {
      if (answered !== logins.length) [answered, visits] = [logins.length, 0];
      expect(await statusOf(visit(server.port, "calm", "/"))).toBe(200);
      if (answered === logins.length && ++visits === 5) calm++;
    }
    expect(calm).toBe(3);
    await Promise.all(storm);
    expect(new Set(logins)).toEqual(new Set([401, 503]));
    // 32 run or wait; nobody who is refused waits for them.
    expect(logins.filter((status) => status === 401).length).toBeGreaterThanOrEqual(32);
    expect(logins.lastIndexOf(503)).toBeLessThan(logins.lastIndexOf(401));
  });
});

test("the death of the thread that hashes refuses the login under way; those behind it and those to come are judged", async () => {
  const env = { TRUSTED_PROXIES: "127.0.0.1", BCRYPT_COST: "10" };
  await using server = await startServerProcess({ shards: 1, faults: true, env });
  const logins: number[] = [];
  // So many that the thread is not done with all of them before it dies, however long that takes to come about.
  const all = Array.from({ length: 10 }, async (_, i) => logins.push(await logIn(server.port, i)));
  await eventually(() => logins.length > 0, "the first is judged, and the next one is under way");
  await server.fault("terminate", "hash");
  await Promise.all(all);
  expect(logins.toSorted((a, b) => a - b)).toEqual([...Array<number>(9).fill(401), 503]);
  expect(await logIn(server.port, 10)).toBe(401);
  const deaths = server.log.filter(({ message }) => message === "the thread that hashes passwords died");
  expect(deaths).toHaveLength(1);
});

/** A local service that holds requests back until it is told to answer all it has. */
function startHoldingService(): Disposable & { port: number; held(): number; release(): void } {
  let waiting: (() => void)[] = [];
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port: 0,
    idleTimeout: 0,
    development: false,
    async fetch() {
      await new Promise<void>((resolve) => waiting.push(resolve));
      return new Response("served");
    },
  });
  return {
    port: server.port!,
    held: () => waiting.length,
    release() {
      for (const resolve of waiting.splice(0)) resolve();
    },
    [Symbol.dispose]: () => void server.stop(true),
  };
}

/** Each of another name and from another address. */
async function logIn(port: number, number: number): Promise<number> {
  const headers = {
    host: `localhost:${port}`,
    origin: `http://localhost:${port}`,
    "content-type": "application/json",
    "x-forwarded-for": `10.1.0.${number}`,
  };
  const body = JSON.stringify({ username: `nobody-${number}`, password: "not the right one" });
  return (await fetch(`http://127.0.0.1:${port}/auth/login`, { method: "POST", headers, body })).status;
}

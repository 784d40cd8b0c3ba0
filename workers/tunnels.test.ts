// The tables of a shard: tunnels that only visitors expect, and what is reported of those that are given up.

import { describe, expect, test } from "bun:test";
import type { NameEntry, Ticket } from "../src/link/messages.ts";
import { CaptureBudget } from "./capture.ts";
import type { HttpStream } from "./http-stream.ts";
import type { Session } from "./session.ts";
import type { TunnelHost } from "./tunnel.ts";
import { Tunnels } from "./tunnels.ts";

function setUp(captureBytes: number) {
  const host: TunnelHost = {
    settings: {
      ...{ holdMs: 1_000, holdMax: 2, captureRequests: 1, checkIntervalMs: 5_000 },
      ...{ maxConnectionsPerTunnel: 10, requestTimeoutMs: 1_000, serverTiming: false },
    },
    captureBudget: new CaptureBudget(captureBytes),
    draining: false,
    sessionOpened() {},
    sessionClosed() {},
    localChanged() {},
    streamCounted() {},
    streamEnded() {},
  };
  const tunnels = new Tunnels(host, () => {});
  const entry = { name: "a", appId: null, orgId: null, heldUntilMs: Date.now() + 60_000 } as NameEntry;
  return { tunnels, expected: () => tunnels.expect(entry)! };
}

const visit = {
  ...{ request: 1, tunnelId: "", entry: { name: "a", appId: null, orgId: null }, visitor: { address: "192.0.2.1" } },
  ...{ pass: { email: null, user: null }, repeatable: true, startedAt: 0, judgedAt: 0 },
};

const ticketOf = (ticket: string, agentAllow: string[] = ["192.0.2.0/24"]) =>
  ({
    ...{ ticket, tunnelId: "tun_1", name: "a", agentId: "agt", generation: 1, maxSessions: 2, agentAllow },
    expiresAtMs: Date.now() + 60_000,
  }) as Ticket;

test("an expected tunnel gives its memory for captured heads back when nobody waits any more", () => {
  const { tunnels, expected } = setUp(40 * 1024);
  for (let round = 0; round < 3; round++) {
    const tunnel = expected();
    expect(tunnel.captures.begin(visit, Buffer.from("head"), 4).requestHead()?.toString()).toBe("head");
    tunnels.tick(performance.now());
    expect(tunnels.tunnel("a")).toBeUndefined();
  }
});

test("whoever waits for an agent is told at once when the server leaves", () => {
  const { expected } = setUp(0);
  const failed: string[] = [];
  const stream = { orgId: null, session: null, fail: (code: string) => failed.push(code) } as unknown as HttpStream;
  const tunnel = expected();
  tunnel.open(stream, Buffer.from("head"), 4, 0);
  expect(failed).toEqual([]);
  tunnel.goAway({ reason: "drain", deadlineMs: 1_000, retryable: true });
  expect(failed).toEqual(["tunnel_offline"]);
});

test("whoever waits for an agent is told at once when the name is given up, and nothing of the tunnel stays", () => {
  const { tunnels } = setUp(0);
  tunnels.addTicket(ticketOf("one"));
  const failed: string[] = [];
  const stream = { orgId: null, session: null, fail: (code: string) => failed.push(code) } as unknown as HttpStream;
  tunnels.tunnel("a")!.open(stream, Buffer.from("head"), 4, 0);
  expect(failed).toEqual([]);
  tunnels.setNames(false, [], ["a"]);
  expect(failed).toEqual(["tunnel_offline"]);
  expect([tunnels.tunnel("a"), tunnels.byTunnelId("tun_1"), tunnels["allow"].size]).toEqual([undefined, undefined, 0]);
});

test("after a pause of the machine those who waited are told that nobody came only when what has come meanwhile was read", () => {
  const { tunnels, expected } = setUp(0);
  const failed: string[] = [];
  const stream = { orgId: null, session: null, fail: (code: string) => failed.push(code) } as unknown as HttpStream;
  expected().open(stream, Buffer.from("head"), 4, 0);
  const now = performance.now();
  tunnels.tick(now + 500);
  tunnels.tick(now + 15_000);
  expect(failed).toEqual([]);
  // A thread that is always late still looks.
  tunnels.tick(now + 30_000);
  expect(failed).toEqual(["tunnel_offline"]);
});

test("a snapshot is all that there is: a name that it leaves out is nobody's", () => {
  const { tunnels } = setUp(0);
  const names = ["a", "b"].map((name) => ({ name, policy: { kind: "open" } }) as NameEntry);
  tunnels.setNames(true, names, []);
  tunnels.setNames(true, names.slice(1), []);
  expect(["a", "b"].map((name) => tunnels.entry(name)?.name)).toEqual([undefined, "b"]);
});

test("whoever waits for a check of a tunnel that is given up is told at once", () => {
  const { tunnels } = setUp(0);
  tunnels.addTicket(ticketOf("one"));
  const tunnel = tunnels.tunnel("a")!;
  const asked = { options: { agentId: "agt" }, outbox: { flush() {} }, check() {}, close() {} } as unknown as Session;
  tunnel.sessions.push(asked);
  const told: string[] = [];
  expect(tunnel.health.check(({ state }) => told.push(state))).toBe(true);
  tunnels.disconnect("tun_1", null, "an admin closed it");
  expect(told).toEqual(["unknown"]);
});

test.each([
  ["the tunnel is closed", (tunnels: Tunnels) => tunnels.disconnect("tun_1", null, "an admin closed it")],
  ["the next registration comes", (tunnels: Tunnels) => tunnels.addTicket({ ...ticketOf("two"), tunnelId: "tun_2" })],
] as const)(
  "whoever is told, and asks at once for the next page on its connection, waits where it is looked after: %s",
  (_, end) => {
    const { tunnels } = setUp(0);
    const entry = { name: "a", appId: null, orgId: null, heldUntilMs: Date.now() + 60_000 } as NameEntry;
    tunnels.setNames(true, [entry], []);
    tunnels.addTicket(ticketOf("one"));
    const told: string[] = [];
    const ask = (page: string): void => {
      const fail = (code: string): void => {
        told.push(`${page}: ${code}`);
        tunnel.streamEnded(stream, code, 0);
        if (page === "first") ask("second");
      };
      const stream = { orgId: null, session: null, fail, capture: {} } as unknown as HttpStream;
      const tunnel = tunnels.ofVisitors(entry)!;
      const before = told.length;
      tunnel.open(stream, Buffer.from("head"), 4, 0);
      expect(told).toHaveLength(before);
    };
    ask("first");
    end(tunnels);
    expect(told).toEqual(["first: tunnel_offline"]);
    tunnels.tick(performance.now() + 1_001);
    expect(told).toEqual(["first: tunnel_offline", "second: tunnel_offline"]);
  },
);

test("what a tunnel carried since the last report is reported once, although its name was given up meanwhile", () => {
  const { tunnels } = setUp(0);
  const ticket = {
    ticket: "t",
    tunnelId: "tun_1",
    name: "a",
    agentAllow: [] as string[],
    expiresAtMs: Date.now() + 60_000,
  };
  tunnels.addTicket(ticket as Ticket);
  tunnels.tunnel("a")!.connectionClosed({ bytesIn: 3, bytesOut: 4, countedIn: 0, countedOut: 0 } as HttpStream);
  tunnels.setNames(false, [], ["a"]);
  expect(tunnels.takeCounters()).toMatchObject([{ tunnelId: "tun_1", bytesIn: 3, bytesOut: 4 }]);
  expect(tunnels.takeCounters()).toEqual([]);
});

describe("security", () => {
  test("a ticket is good once, until it expires or its agent is turned away, and from an allowed address", () => {
    const { tunnels } = setUp(0);
    const add = (ticket: string, lifeMs: number, agentId = "agt"): void =>
      tunnels.addTicket({
        ...{ ticket, tunnelId: "tun_1", name: "a", agentId, generation: 1, maxSessions: 2 },
        ...{ agentAllow: ["192.0.2.0/24"], expiresAtMs: Date.now() + lifeMs },
      } as Ticket);
    add("late", 0);
    expect(tunnels.takeTicket("late", "192.0.2.1")).toMatchObject({ refusal: "bad_ticket" });
    add("good", 60_000);
    expect(tunnels.takeTicket("good", "192.0.2.1")).toMatchObject({ refusal: null });
    expect(tunnels.takeTicket("good", "192.0.2.1")).toBeNull();
    add("elsewhere", 60_000);
    expect(tunnels.takeTicket("elsewhere", "198.51.100.1")).toMatchObject({ refusal: "not_whitelisted" });
    add("revoked", 60_000);
    add("another's", 60_000, "agt_2");
    tunnels.disconnect("tun_1", "agt", "credential_revoked");
    expect(tunnels.takeTicket("revoked", "192.0.2.1")).toBeNull();
    expect(tunnels.takeTicket("another's", "192.0.2.1")).toMatchObject({ refusal: null });
  });

  test("tickets that nobody takes, and lists of ranges, are kept within bounds", () => {
    const { tunnels } = setUp(0);
    for (let i = 0; i <= 20_000; i++) tunnels.addTicket(ticketOf(`${i}`));
    expect(tunnels.takeTicket("0", "192.0.2.1")).toBeNull();
    expect(tunnels.takeTicket("1", "192.0.2.1")).toMatchObject({ refusal: null });
    for (let i = 0; i < 1_100; i++) tunnels.setAllow("tun_1", [`10.${i >> 8}.${i & 255}.0/24`]);
    expect(tunnels["lists"].size).toBeLessThanOrEqual(1_000);
  });

  test("long lists of ranges are kept within bounds, too", () => {
    const { tunnels } = setUp(0);
    for (let i = 0; i < 60; i++) {
      const ranges = Array.from({ length: 3_000 }, (_, at) => `10.${i}.${at >> 8}.${at & 255}/32`);
      tunnels.addTicket(ticketOf(`${i}`, ranges));
    }
    const kept = [...tunnels["lists"].keys()].reduce((sum, text) => sum + text.split(" ").length, 0);
    expect(kept).toBeLessThanOrEqual(100_000);
    expect(kept).toBeGreaterThan(0);
  });

  test("a ticket of an agent's older start opens no session once the agent has registered anew, shown or not", () => {
    const { tunnels } = setUp(0);
    tunnels.addTicket(ticketOf("older"));
    tunnels.addTicket({ ...ticketOf("newer"), generation: 2 });
    tunnels.addTicket({ ...ticketOf("another's"), agentId: "agt_2" });
    expect(tunnels.takeTicket("newer", "192.0.2.1")).toMatchObject({ refusal: null });
    expect(tunnels.takeTicket("older", "192.0.2.1")).toMatchObject({ refusal: "replaced" });
    expect(tunnels.takeTicket("another's", "192.0.2.1")).toMatchObject({ refusal: null });
  });

  test("a session beyond those agreed takes the place of the oldest", () => {
    const { tunnels } = setUp(0);
    tunnels.addTicket(ticketOf("one"));
    const closed: number[] = [];
    for (const id of [1, 2])
      tunnels.tunnel("a")!.sessions.push({
        ...{ options: { agentId: "agt", generation: 1 }, close: () => closed.push(id) },
      } as unknown as Session);
    expect(tunnels.takeTicket("one", "192.0.2.1")).toMatchObject({ refusal: null });
    expect(closed).toEqual([1]);
  });

  test("tunnels with the same ranges share one list, and ranges that change are those of one tunnel", () => {
    const { tunnels } = setUp(0);
    const show = (name: string, address: string) => {
      const ticket = { ticket: crypto.randomUUID(), tunnelId: `tun_${name}`, name, agentId: "agt", generation: 1 };
      const agentAllow = name === "c" ? ["198.51.100.0/24"] : ["192.0.2.0/24", "::1"];
      return { ...ticket, agentAllow, maxSessions: 2, expiresAtMs: Date.now() + 60_000, address };
    };
    const refusalOf = ({ address, ...ticket }: ReturnType<typeof show>) => {
      tunnels.addTicket(ticket as unknown as Ticket);
      return () => tunnels.takeTicket(ticket.ticket, address)?.refusal;
    };
    for (const [name, address, refusal] of [
      ["a", "192.0.2.1", null],
      ["b", "192.0.2.1", null],
      ["c", "192.0.2.1", "not_whitelisted"],
      ["c", "198.51.100.1", null],
      ["b", "198.51.100.1", "not_whitelisted"],
    ] as const)
      expect([name, address, refusalOf(show(name, address))()]).toEqual([name, address, refusal]);
    const a = refusalOf(show("a", "192.0.2.1"));
    const b = refusalOf(show("b", "192.0.2.1"));
    tunnels.setAllow("tun_a", ["203.0.113.0/24"]);
    expect([a(), b()]).toEqual(["not_whitelisted", null]);
  });
});

// Tickets that nobody has shown yet: taken once, outdated by a newer start, forgotten, and bounded in number.

import { expect, test } from "bun:test";
import type { Ticket } from "../src/link/messages.ts";
import { Tickets } from "./tickets.ts";

const ticket = (key: string, more: Partial<Ticket> = {}): Ticket =>
  ({
    ...{ ticket: key, expiresAtMs: Date.now() + 60_000, tunnelId: "t", agentId: "a", generation: 1 },
    ...more,
  }) as Ticket;

function holding(...held: Ticket[]): Tickets {
  const tickets = new Tickets();
  for (const one of held) tickets.add(one);
  return tickets;
}

test("one is taken once", () => {
  const tickets = holding(ticket("1"));
  expect([tickets.take("1")?.ticket, tickets.take("1"), tickets.take("2")]).toEqual(["1", undefined, undefined]);
});

test("security: the ranges of its agents, thousands perhaps, are not kept with each", () => {
  const tickets = holding(ticket("1", { agentAllow: ["192.0.2.0/24"] }));
  expect([...tickets["byKey"].values(), ...tickets["last"].values()].filter((one) => "agentAllow" in one)).toEqual([]);
});

test("one is outdated by a later start of its agent at its tunnel, not by another ticket of the same", () => {
  const old = ticket("1");
  const others = [
    ticket("2"),
    ticket("3", { tunnelId: "u", generation: 2 }),
    ticket("4", { agentId: "b", generation: 2 }),
  ];
  expect(holding(old, ...others).isOutdated(old)).toBe(false);
  expect(holding(old, ...others, ticket("5", { generation: 2 })).isOutdated(old)).toBe(true);
});

test("those of one agent at a tunnel are forgotten, or those of all, and with them that they outdate others", () => {
  const newer = ticket("3", { generation: 2 });
  const all = [ticket("1"), ticket("2", { agentId: "b" }), newer, ticket("4", { tunnelId: "u" })];
  const known = (tickets: Tickets): string[] => all.map(({ ticket: key }) => tickets.take(key)?.ticket ?? "");
  const [one, whole] = [holding(...all), holding(...all)];
  expect(one.isOutdated(all[0]!)).toBe(true);
  one.forget("t", "a");
  expect(one.isOutdated(all[0]!)).toBe(false);
  whole.forget("t", null);
  expect([known(one), known(whole)]).toEqual([
    ["", "2", "", "4"],
    ["", "", "", "4"],
  ]);
});

test("what is over makes room, and so does the oldest when there are too many", () => {
  const tickets = holding(ticket("over", { expiresAtMs: 1 }), ticket("1", { agentId: "b" }));
  expect([tickets.take("over"), tickets.take("1")?.ticket]).toEqual([undefined, "1"]);
  // An agent that comes again and again is as new as its last ticket.
  const oldest = ticket("first", { agentId: "kept" });
  tickets.add(oldest);
  for (let i = 0; i < 15_000; i++) tickets.add(ticket(`${i}`, { agentId: `${i}` }));
  tickets.add(ticket("last", { agentId: "kept", generation: 2 }));
  for (let i = 0; i < 15_000; i++) tickets.add(ticket(`more ${i}`, { agentId: `more ${i}` }));
  expect([tickets["byKey"].size, tickets["last"].size]).toEqual([20_000, 20_000]);
  expect([tickets.take("first"), tickets.take("more 14999")?.ticket]).toEqual([undefined, "more 14999"]);
  expect(tickets.isOutdated(oldest)).toBe(true);
});

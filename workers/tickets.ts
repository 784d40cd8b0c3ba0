// Tickets for sessions at this shard that main has issued and nobody has shown yet.

import type { Ticket } from "../src/link/messages.ts";

const maxTickets = 20_000;

/** Kept until they are taken, forgotten, or over; the oldest make room when there are too many. */
export class Tickets {
  private readonly byKey = new Map<string, Ticket>();
  /** The last one of each agent at each tunnel: it is over after all that came before it. */
  private readonly last = new Map<string, Ticket>();

  add(ticket: Ticket): void {
    makeRoom(this.byKey);
    makeRoom(this.last);
    this.byKey.set(ticket.ticket, ticket);
    const holder = holderOf(ticket);
    this.last.delete(holder);
    this.last.set(holder, ticket);
  }

  /** Takes a ticket out, which may be over; undefined when nobody knows it here. */
  take(key: string): Ticket | undefined {
    const ticket = this.byKey.get(key);
    this.byKey.delete(key);
    return ticket;
  }

  /** Whether its agent has started anew and registered since. */
  isOutdated(ticket: Ticket): boolean {
    const last = this.last.get(holderOf(ticket));
    return last !== undefined && last.generation > ticket.generation;
  }

  /** Those of one agent at a tunnel, or (null) of all, are worth nothing any more. */
  forget(tunnelId: string, agentId: string | null): void {
    for (const tickets of [this.byKey, this.last])
      for (const [key, ticket] of tickets)
        if (ticket.tunnelId === tunnelId && (agentId === null || ticket.agentId === agentId)) tickets.delete(key);
  }
}

function holderOf({ tunnelId, agentId }: Ticket): string {
  return `${tunnelId} ${agentId}`;
}

/** They are over in the order in which they came. */
function makeRoom(tickets: Map<string, Ticket>): void {
  const now = Date.now();
  for (const [key, { expiresAtMs }] of tickets) {
    if (expiresAtMs > now && tickets.size < maxTickets) return;
    tickets.delete(key);
  }
}

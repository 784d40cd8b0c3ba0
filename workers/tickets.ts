// Tickets for sessions at this shard that main has issued and nobody has shown yet.

import type { Ticket } from "../src/link/messages.ts";

const maxTickets = 20_000;

/** What is kept of one. Its ranges are its tunnel's (`Tunnels.addTicket`): with each ticket they would be most of a shard's memory. */
export type HeldTicket = Omit<Ticket, "agentAllow">;

/** Kept until they are taken, forgotten, or over; the oldest make room when there are too many. */
export class Tickets {
  private readonly byKey = new Map<string, HeldTicket>();
  /** The last one of each agent at each tunnel: it is over after all that came before it. */
  private readonly last = new Map<string, HeldTicket>();

  add(issued: Ticket): void {
    const { agentAllow: _agentAllow, ...ticket } = issued;
    makeRoom(this.byKey);
    makeRoom(this.last);
    this.byKey.set(ticket.ticket, ticket);
    const holder = holderOf(ticket);
    this.last.delete(holder);
    this.last.set(holder, ticket);
  }

  /** Takes a ticket out, which may be over; undefined when nobody knows it here. */
  take(key: string): HeldTicket | undefined {
    const ticket = this.byKey.get(key);
    this.byKey.delete(key);
    return ticket;
  }

  /** Whether its agent has started anew and registered since. */
  isOutdated(ticket: HeldTicket): boolean {
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

function holderOf({ tunnelId, agentId }: HeldTicket): string {
  return `${tunnelId} ${agentId}`;
}

/** They are over in the order in which they came. */
function makeRoom(tickets: Map<string, HeldTicket>): void {
  const now = Date.now();
  for (const [key, { expiresAtMs }] of tickets) {
    if (expiresAtMs > now && tickets.size < maxTickets) return;
    tickets.delete(key);
  }
}

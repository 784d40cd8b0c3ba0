// Shards as the registry sees them, in memory: they keep names and tickets, open sessions, and do what they are told at once.

import type { NameEntry, ShardEvent, Ticket, ToShard } from "../../src/link/messages.ts";
import type { ShardLink } from "../../src/link/shard-link.ts";
import { createCidrList } from "../../src/lib/cidr.ts";

interface FakeSession {
  ticket: Ticket;
  address: string;
}

export class FakeShards implements ShardLink {
  readonly names = new Map<string, NameEntry>();
  readonly tickets = new Map<string, Ticket>();
  readonly sessions: FakeSession[] = [];
  /** Everything that was sent, in order. */
  readonly sent: { shard: number; message: ToShard }[] = [];
  /** Where events go. */
  hear: (shard: number, events: ShardEvent[]) => void = () => {};

  constructor(
    readonly shards: number,
    private readonly nowMs: () => number,
  ) {}

  isServing(): boolean {
    return true;
  }

  send(shard: number, message: ToShard): void {
    this.sent.push({ shard, message });
    if (message.type === "ticket") this.addTicket(message.ticket);
    else if (message.type === "names") {
      for (const entry of message.set) this.names.set(entry.name, entry);
      for (const name of message.remove) this.names.delete(name);
    } else if (message.type === "disconnect") this.disconnect(shard, message.tunnelId, message.agentId, message.reason);
    else if (message.type === "agent-allow") {
      const allow = createCidrList(message.allow);
      const refused = (session: FakeSession) =>
        session.ticket.tunnelId === message.tunnelId && !allow.matches(session.address);
      this.close(shard, refused, "not_whitelisted");
    }
  }

  /** Opens a session as an agent would; false when the shard refuses the ticket. */
  open(ticket: string, address = "127.0.0.1"): boolean {
    const found = this.tickets.get(ticket);
    this.tickets.delete(ticket);
    if (found === undefined || found.expiresAtMs <= this.nowMs()) return false;
    if (!createCidrList(found.agentAllow).matches(address)) return false;
    const session = { ticket: found, address };
    this.sessions.push(session);
    this.tell(0, "session.opened", session, "");
    return true;
  }

  /** The agents of a tunnel lose their sessions. */
  lose(tunnelId: string, agentId?: string): void {
    const lost = ({ ticket }: FakeSession) =>
      ticket.tunnelId === tunnelId && (agentId === undefined || ticket.agentId === agentId);
    this.close(0, lost, "lost");
  }

  sessionsOf(tunnelId: string): FakeSession[] {
    return this.sessions.filter(({ ticket }) => ticket.tunnelId === tunnelId);
  }

  /** Messages of one kind about a tunnel. */
  told<T extends ToShard["type"]>(type: T, tunnelId: string): Extract<ToShard, { type: T }>[] {
    return this.sent
      .map(({ message }) => message)
      .filter((message): message is Extract<ToShard, { type: T }> => message.type === type)
      .filter((message) => "tunnelId" in message && message.tunnelId === tunnelId);
  }

  sendConnection(): boolean {
    return false;
  }

  check(): ReturnType<ShardLink["check"]> {
    return Promise.resolve({ state: "up", provenAtMs: this.nowMs(), connectMs: 1 });
  }

  openPort(): ReturnType<ShardLink["openPort"]> {
    return Promise.resolve({ problem: null });
  }

  requests(): ReturnType<ShardLink["requests"]> {
    return Promise.resolve([]);
  }

  private addTicket(ticket: Ticket): void {
    this.tickets.set(ticket.ticket, ticket);
    const older = (session: FakeSession) =>
      session.ticket.name === ticket.name &&
      (session.ticket.tunnelId !== ticket.tunnelId ||
        (session.ticket.agentId === ticket.agentId && session.ticket.generation < ticket.generation));
    this.close(0, older, "replaced");
  }

  private disconnect(shard: number, tunnelId: string, agentId: string | null, reason: string): void {
    const isMeant = ({ ticket }: { ticket: Ticket }) =>
      ticket.tunnelId === tunnelId && (agentId === null || ticket.agentId === agentId);
    for (const [key, ticket] of this.tickets) if (isMeant({ ticket })) this.tickets.delete(key);
    this.close(shard, isMeant, reason);
  }

  private close(shard: number, isMeant: (session: FakeSession) => boolean, reason: string): void {
    for (const session of this.sessions.filter(isMeant)) {
      this.sessions.splice(this.sessions.indexOf(session), 1);
      // Like a real shard: the news come later than the order.
      queueMicrotask(() => this.tell(shard, "session.closed", session, reason));
    }
  }

  private tell(
    shard: number,
    type: "session.opened" | "session.closed",
    { ticket, address }: FakeSession,
    reason: string,
  ): void {
    const { tunnelId, agentId, generation } = ticket;
    const common = { tunnelId, agentId, generation, sessions: this.sessionsOf(tunnelId).length, atMs: this.nowMs() };
    this.hear(shard, [type === "session.opened" ? { type, ...common, address } : { type, ...common, reason }]);
  }
}

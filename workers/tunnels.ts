// Everything a shard knows by name: entries pushed by main, tickets, live tunnels.

import type { NameEntry, ShardEvent, Ticket, TunnelCounters } from "../src/link/messages.ts";
import { closeCode, newerStart } from "../src/protocol/frames.ts";
import { type CidrList, createCidrList } from "../src/lib/cidr.ts";
import { Standstill } from "../src/lib/standstill.ts";
import { isSamePolicy } from "./policy/again.ts";
import type { Session } from "./session.ts";
import { type HeldTicket, Tickets } from "./tickets.ts";
import { Tunnel, type TunnelHost } from "./tunnel.ts";

const maxLists = 1_000;
/** In all of them: an organization's admin can have a list of thousands, and another one each moment. */
const maxListedRanges = 100_000;
/** A tick so long after the last finds that the machine or this thread stood still. */
const stoodStillMs = 2_000;

/** What becomes of a ticket that is shown: a session of `tunnel`, or an error code. */
export type Taken =
  | { ticket: HeldTicket; tunnel: Tunnel; refusal: null }
  | { ticket: HeldTicket; refusal: "bad_ticket" | "not_whitelisted" | "replaced" };

/** The tables of one shard; `event` goes to main. */
export class Tunnels {
  private readonly names = new Map<string, NameEntry>();
  private readonly tickets = new Tickets();
  private readonly byName = new Map<string, Tunnel>();
  private readonly byId = new Map<string, Tunnel>();
  private readonly allow = new Map<string, CidrList>();
  /** By their text: most tunnels have the same ranges as many others. */
  private readonly lists = new Map<string, CidrList>();
  private listedRanges = 0;
  /** Of tunnels that were dropped since the last report. */
  private lastCounters: TunnelCounters[] = [];

  private readonly standstill = new Standstill(stoodStillMs);

  /** Hears when a live name asks something else of its visitors. */
  policyChanged: (entry: NameEntry, tunnel: Tunnel) => void = () => {};

  constructor(
    private readonly host: TunnelHost,
    private readonly event: (event: ShardEvent) => void,
  ) {}

  entry(name: string): NameEntry | undefined {
    return this.names.get(name);
  }

  /** The tunnel of a name, live or waiting for its agent. */
  tunnel(name: string): Tunnel | undefined {
    return this.byName.get(name);
  }

  /** The tunnel that takes visitors of a name, as far as there is or may soon be one. */
  ofVisitors(entry: NameEntry): Tunnel | undefined {
    return this.byName.get(entry.name) ?? this.expect(entry);
  }

  /** A tunnel without a registration, where visitors of a name that was live a moment ago wait; undefined when it wasn't. */
  expect(entry: NameEntry): Tunnel | undefined {
    if (entry.heldUntilMs <= Date.now()) return undefined;
    const tunnel = new Tunnel(this.host, { tunnelId: "", name: entry.name });
    this.byName.set(entry.name, tunnel);
    return tunnel;
  }

  /** Called about once a second. */
  tick(now: number): void {
    if (this.standstill.isFound(now)) return;
    for (const tunnel of this.byName.values()) {
      tunnel.tick(now);
      if (!tunnel.isExpected || tunnel.streams > 0) continue;
      tunnel.close();
      this.byName.delete(tunnel.ticket.name);
    }
  }

  byTunnelId(tunnelId: string): Tunnel | undefined {
    return this.byId.get(tunnelId);
  }

  /** Those that only wait for their agent included. */
  all(): IterableIterator<Tunnel> {
    return this.byName.values();
  }

  setNames(snapshot: boolean, set: NameEntry[], remove: string[]): void {
    const known = snapshot ? new Map(this.names) : this.names;
    if (snapshot) this.names.clear();
    for (const entry of set) {
      const before = known.get(entry.name);
      this.names.set(entry.name, entry);
      const tunnel = this.byName.get(entry.name);
      if (tunnel !== undefined && !isSamePolicy(before, entry)) this.policyChanged(entry, tunnel);
    }
    for (const name of remove) {
      this.names.delete(name);
      const tunnel = this.byName.get(name);
      if (tunnel !== undefined) this.drop(tunnel, closeCode.revoked, "the name was given up");
    }
  }

  /** A registration was decided: older generations of its agent end at once. */
  addTicket(ticket: Ticket): void {
    this.tickets.add(ticket);
    // A tunnel lives long: it keeps what it needs of its first ticket.
    const own = { tunnelId: ticket.tunnelId, name: ticket.name };
    let tunnel = this.byName.get(ticket.name);
    if (tunnel?.isExpected === false && tunnel.ticket.tunnelId !== ticket.tunnelId) {
      this.drop(tunnel, closeCode.replaced, "the name is served by another registration");
      tunnel = this.byName.get(ticket.name);
    }
    if (tunnel?.isExpected === true) {
      tunnel.adopt(own);
      this.byId.set(ticket.tunnelId, tunnel);
    }
    for (const session of [...(tunnel?.sessions ?? [])]) {
      const { agentId, generation } = session.options;
      if (agentId === ticket.agentId && generation < ticket.generation) session.close(closeCode.replaced, newerStart);
    }
    if (tunnel === undefined) {
      tunnel = new Tunnel(this.host, own);
      this.byName.set(ticket.name, tunnel);
      this.byId.set(ticket.tunnelId, tunnel);
    }
    this.allow.set(own.tunnelId, this.listOf(ticket.agentAllow));
  }

  /** Takes a ticket for a session from `address`, or says why not; null: nobody knows it here. */
  takeTicket(key: string, address: string): Taken | null {
    const ticket = this.tickets.take(key);
    if (ticket === undefined) return null;
    const tunnel = this.byId.get(ticket.tunnelId);
    if (tunnel === undefined || ticket.expiresAtMs <= Date.now()) return { ticket, refusal: "bad_ticket" };
    const allow = this.allow.get(ticket.tunnelId);
    if (allow === undefined || !allow.matches(address)) return { ticket, refusal: "not_whitelisted" };
    const own = tunnel.sessions.filter((one) => one.options.agentId === ticket.agentId);
    const isOutdated = own.some((one) => one.options.generation > ticket.generation) || this.tickets.isOutdated(ticket);
    if (isOutdated) return { ticket, refusal: "replaced" };
    // A half-open session may still be counted: the oldest makes room.
    if (own.length >= ticket.maxSessions) own[0]!.close(closeCode.dead, "more sessions than agreed");
    return { ticket, tunnel, refusal: null };
  }

  setAllow(tunnelId: string, ranges: string[]): void {
    const tunnel = this.byId.get(tunnelId);
    if (tunnel === undefined) return;
    const allow = this.listOf(ranges);
    this.allow.set(tunnelId, allow);
    for (const session of [...tunnel.sessions]) {
      if (!allow.matches(session.options.address)) this.refuse(session, "not_whitelisted");
    }
  }

  disconnect(tunnelId: string, agentId: string | null, reason: string): void {
    this.tickets.forget(tunnelId, agentId);
    const tunnel = this.byId.get(tunnelId);
    if (tunnel === undefined) return;
    for (const session of [...tunnel.sessions]) {
      if (agentId === null || session.options.agentId === agentId) this.refuse(session, reason);
    }
    if (agentId === null) this.drop(tunnel, closeCode.revoked, reason);
  }

  opened(tunnel: Tunnel, session: Session): void {
    const { tunnelId, agentId, generation, address } = session.options;
    const sessions = tunnel.sessions.length;
    this.event({ type: "session.opened", tunnelId, agentId, generation, address, sessions, atMs: Date.now() });
  }

  takeCounters(): TunnelCounters[] {
    const counters = this.lastCounters;
    this.lastCounters = [];
    for (const tunnel of this.byId.values()) {
      const taken = tunnel.takeCounters();
      if (taken !== null) counters.push(taken);
    }
    return counters;
  }

  /** The compiled list of these ranges, one for all who have the same. */
  private listOf(ranges: readonly string[]): CidrList {
    const text = ranges.join(" ");
    let list = this.lists.get(text);
    if (list !== undefined) return list;
    list = createCidrList(ranges);
    // Who has a list keeps it.
    if (this.lists.size >= maxLists || this.listedRanges + ranges.length > maxListedRanges) {
      this.lists.clear();
      this.listedRanges = 0;
    }
    this.lists.set(text, list);
    this.listedRanges += ranges.length;
    return list;
  }

  private refuse(session: Session, reason: string): void {
    session.outbox.flush();
    session.close(reason === "replaced" ? closeCode.replaced : closeCode.revoked, reason);
  }

  private drop(tunnel: Tunnel, code: number, reason: string): void {
    // First, because a visitor that is told may ask for more at once, and must not wait where nobody looks any more.
    this.byId.delete(tunnel.ticket.tunnelId);
    this.allow.delete(tunnel.ticket.tunnelId);
    if (this.byName.get(tunnel.ticket.name) === tunnel) this.byName.delete(tunnel.ticket.name);
    for (const session of [...tunnel.sessions]) session.close(code, reason);
    tunnel.close();
    const last = tunnel.takeCounters();
    if (last !== null) this.lastCounters.push(last);
  }
}

// One shard put together: tables, the door of sessions, TCP ports, ingress; what main orders and what main hears.

import type { ConnectionCounts } from "../src/handover/counts.ts";
import type { Ledger } from "../src/handover/ledger.ts";
import { AccessLog } from "../src/ingress/access-log.ts";
import { Connections } from "../src/ingress/connections.ts";
import { createControlPool } from "../src/ingress/control-pool.ts";
import { resolveVisitor } from "../src/ingress/forwarded.ts";
import { sessionShard } from "../src/ingress/gate.ts";
import { type CidrList, createCidrList } from "../src/lib/cidr.ts";
import type { Answer, Ask, LocalStatus, ShardSettings } from "../src/link/messages.ts";
import { OrganizationLoad } from "../src/link/organization-load.ts";
import type { ShardOrder, ShardSide } from "../src/link/shard-side.ts";
import { AgentPort, listenForAgents } from "./agent-port.ts";
import { CaptureBudget } from "./capture.ts";
import { searchCaptures } from "./capture-search.ts";
import { Drain } from "./drain.ts";
import type { HttpStream } from "./http-stream.ts";
import { isSamePolicy, judgeAgain } from "./policy/again.ts";
import { createPolicyState, type PolicyState } from "./policy/state.ts";
import { Refusals } from "./refusals.ts";
import type { Session } from "./session.ts";
import { SessionDoor } from "./session-door.ts";
import { Lender } from "./lender.ts";
import { ShardIngress } from "./shard-ingress.ts";
import { TcpPorts } from "./tcp-ports.ts";
import type { Tunnel, TunnelHost } from "./tunnel.ts";
import { Tunnels } from "./tunnels.ts";

/** How often is looked for refusals whose minute is over. */
const refusalsMs = 1_000;

export class Shard implements TunnelHost {
  readonly settings: ShardSettings;
  readonly captureBudget: CaptureBudget;
  readonly tunnels: Tunnels;
  readonly connections: Connections;
  private readonly trusted: CidrList;
  private readonly policy: PolicyState;
  private readonly drain: Drain;
  private readonly asks = new Map<number, (answer: Answer) => void>();
  private readonly ports: TcpPorts;
  private readonly door: SessionDoor;
  private readonly organizations: OrganizationLoad;
  private readonly refusals: Refusals;
  private readonly accessLog: AccessLog | null;
  private askId = 0;
  private watched = false;
  private isEnded = false;

  constructor(
    private readonly side: ShardSide,
    ledger: Ledger,
    private readonly counts: ConnectionCounts,
  ) {
    const { start } = side;
    const { settings, shard, shards } = start;
    this.settings = settings;
    this.captureBudget = new CaptureBudget(settings.captureBytes);
    this.organizations = new OrganizationLoad(start.loads, shard, settings.maxConnectionsPerOrganization);
    this.refusals = new Refusals((event) => side.event(event));
    const trusted = createCidrList(settings.trustedProxies);
    const send = (lines: string, count: number): void => side.send({ type: "access", lines, count });
    this.accessLog = settings.accessLog ? new AccessLog({ trusted, logQuery: settings.logQuery, send }) : null;
    this.tunnels = new Tunnels(this, (event) => side.event(event));
    this.ports = new TcpPorts({
      ...{ tcpHost: settings.tcpHost, domain: settings.domain, accessLog: this.accessLog },
      entry: (name) => this.tunnels.entry(name),
      tunnel: (entry) => this.tunnels.ofVisitors(entry),
      admit: (entry, address) => this.admit(address, entry.orgId),
    });
    this.drain = new Drain({ tunnels: () => this.tunnels.all(), isBusy: () => this.isBusy() }, () => this.drained());
    this.policy = createPolicyState({ scheme: settings.scheme, ask: (ask) => this.ask(ask) });
    this.tunnels.policyChanged = (entry, tunnel) => {
      const isInForce = (): boolean => isSamePolicy(this.tunnels.entry(entry.name), entry);
      void judgeAgain(entry, tunnel.visitors(), this.policy, isInForce);
    };
    this.trusted = trusted;
    const tickMs = tickOf(settings);
    this.door = new SessionDoor({
      ...{ tunnels: this.tunnels, settings },
      isLeaving: () => this.draining,
      refused: (rule, address, ticket, requestId) => this.refusals.session(rule, ticket, address, requestId),
    });
    const ingress = new ShardIngress({
      ...{ shard, shards, settings, trusted },
      tunnels: this.tunnels,
      policy: this.policy,
      control: createControlPool(settings.controlSocket, { ofShards: shards }),
      lender: new Lender({
        ...{ settings, ledger },
        post: (owner, line) => side.sendConnection(owner, line),
      }),
      give: (owner, socket, meta) => this.connections.give(socket, meta, (moved) => side.sendConnection(owner, moved)),
      openSession: (connection, head) => {
        const { address } = resolveVisitor(head, connection.meta.address, "http", trusted);
        if (sessionShard(head.target) !== shard) this.door.refuse(connection, address, "not_found");
        else if (!this.door.open(connection, head, address)) this.door.refuse(connection, address, "bad_ticket");
      },
      released: (connection) => this.connections.released(connection),
      accessLog: this.accessLog,
      isEnded: () => this.isEnded,
      isOrganizationFull: (orgId) => this.organizations.isFull(orgId),
      refusal: (entry, refusal, address, requestId) => this.refusals.visitor(entry, refusal, address, requestId),
    });
    this.connections = new Connections({ ledger, counts, host: ingress, tickMs });
    const { shardPort, shardHost } = settings;
    if (shardPort !== null) {
      const port = new AgentPort({ shard, settings, trusted, door: this.door });
      port.connections = new Connections({ ledger, counts, host: port, tickMs });
      listenForAgents(shardHost, shardPort, port.connections, (address) => this.isFull(address));
    }
    setInterval(() => this.tunnels.tick(performance.now()), tickMs);
    setInterval(() => this.refusals.sweep(), refusalsMs);
  }

  get draining(): boolean {
    return this.drain.began;
  }

  order(order: ShardOrder): void {
    switch (order.type) {
      case "ticket":
        return this.tunnels.addTicket(order.ticket);
      case "names":
        this.tunnels.setNames(order.snapshot, order.set, order.remove);
        return this.ports.follow(order.set, order.remove);
      case "agent-allow":
        return this.tunnels.setAllow(order.tunnelId, order.allow);
      case "disconnect":
        return this.tunnels.disconnect(order.tunnelId, order.agentId, order.reason);
      case "check":
        return this.check(order.id, order.tunnelId);
      case "open-port":
        return this.side.send({ type: "port", id: order.id, opening: { problem: this.ports.open(order.name) } });
      case "requests":
        return void this.requests(order);
      case "watch":
        this.watched = order.on;
        return;
      case "answer": {
        const settle = this.asks.get(order.id);
        this.asks.delete(order.id);
        return settle?.(order.answer);
      }
      case "block":
        return this.policy.block(order.appId, order.network, order.untilMs);
      case "drain":
        this.ports.close();
        this.connections.closeIdle();
        return this.drain.begin(Math.max(0, order.inAllMs));
      case "end":
        this.isEnded = true;
        this.flush();
        return this.side.send({ type: "ended" });
    }
  }

  // TunnelHost

  sessionOpened(tunnel: Tunnel, session: Session): void {
    this.tunnels.opened(tunnel, session);
  }

  sessionClosed(tunnel: Tunnel, session: Session, reason: string): void {
    const { tunnelId, agentId, generation } = session.options;
    this.side.event({
      type: "session.closed",
      tunnelId,
      agentId,
      generation,
      reason,
      sessions: tunnel.sessions.length,
      atMs: Date.now(),
    });
  }

  localChanged(tunnel: Tunnel, status: LocalStatus): void {
    this.side.event({ type: "local.status", tunnelId: tunnel.ticket.tunnelId, status });
  }

  streamCounted(orgId: string | null, change: 1 | -1): void {
    this.organizations.add(orgId, change);
  }

  streamEnded(_tunnel: Tunnel, stream: HttpStream): void {
    if (this.watched) this.side.request(stream.capture.toRequest(this.settings.logQuery));
  }

  private ask(ask: Ask): Promise<Answer> {
    const id = ++this.askId;
    const { promise, resolve } = Promise.withResolvers<Answer>();
    // The policy's own time limit settles the visitor; the entry goes with it.
    const timer = setTimeout(() => this.asks.delete(id), 20_000);
    this.asks.set(id, (answer) => {
      clearTimeout(timer);
      resolve(answer);
    });
    this.side.send({ type: "ask", id, ask });
    return promise;
  }

  private check(id: number, tunnelId: string): void {
    const answer = (status: LocalStatus | null): void => this.side.send({ type: "checked", id, status });
    const tunnel = this.tunnels.byTunnelId(tunnelId);
    if (tunnel === undefined || !tunnel.health.check(answer)) answer(null);
  }

  private async requests(order: Extract<ShardOrder, { type: "requests" }>): Promise<void> {
    const { logQuery } = this.settings;
    const rings = order.tunnelIds.values().map((id) => this.tunnels.byTunnelId(id)?.captures.newest() ?? []);
    const found = await searchCaptures(rings, order, (entry) => entry.line(logQuery));
    const requests = found.map((entry) => entry.toRequest(logQuery));
    this.side.send({ type: "requests", id: order.id, requests });
  }

  private admit(address: string, orgId: string | null): (() => void) | null {
    if (this.isFull(address) || this.organizations.isFull(orgId)) return null;
    const bucket = this.counts.opened(address);
    this.organizations.add(orgId, 1);
    return () => {
      this.counts.closed(bucket);
      this.organizations.add(orgId, -1);
    };
  }

  /** Whether there are as many connections as may be, in all or from this address. A trusted proxy's own address has no limit. */
  private isFull(address: string): boolean {
    const { maxConnections, maxConnectionsPerAddress } = this.settings;
    if (this.counts.total() >= maxConnections) return true;
    return this.counts.ofAddress(address) >= maxConnectionsPerAddress && !this.trusted.matches(address);
  }

  private isBusy(): boolean {
    for (const tunnel of this.tunnels.all()) if (tunnel.streams > 0) return true;
    return this.connections.isBusy;
  }

  private flush(): void {
    this.refusals.flush();
    this.accessLog?.flush();
    this.side.flush();
  }

  private drained(): void {
    this.flush();
    this.side.send({ type: "drained" });
  }
}

/** Deadlines are kept to about a quarter of the shortest of them, at most a second. */
function tickOf(settings: ShardSettings): number {
  const { headTimeoutMs, requestTimeoutMs, pingIntervalMs, idleTimeoutMs, holdMs } = settings;
  const shortest = Math.min(headTimeoutMs, requestTimeoutMs, pingIntervalMs, idleTimeoutMs, Math.max(holdMs, 100));
  return Math.max(10, Math.min(1_000, Math.floor(shortest / 4)));
}

// The ingress of a shard: whose request is this, may this visitor pass, and into which tunnel it goes.

import type { CidrList } from "../src/lib/cidr.ts";
import type { NameEntry, ShardSettings } from "../src/link/messages.ts";
import { shardOf } from "../src/link/shard-of.ts";
import type { ControlPool } from "../src/ingress/control-pool.ts";
import { Head, isSafeMethod } from "../src/http1/head.ts";
import type { AccessLog } from "../src/ingress/access-log.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import type { MoveMeta, SocketOwner } from "../src/ingress/visitor-socket.ts";
import type { Exchange, IngressHost, IngressSettings } from "../src/ingress/exchange.ts";
import type { Counted } from "../src/ingress/movable-socket.ts";
import { hopsOf, mostHops, forwardedLines, resolveVisitor, type Visitor } from "../src/ingress/forwarded.ts";
import { type HostVerdict, judgeHost, sessionShard } from "../src/ingress/gate.ts";
import { relay } from "../src/ingress/relay.ts";
import { CHUNKED, FIN, HEAD_METHOD, UPGRADE } from "../src/protocol/frames.ts";
import type { Visit as CapturedVisit } from "./capture.ts";
import { HttpStream } from "./http-stream.ts";
import type { Lender } from "./lender.ts";
import { isSamePolicy } from "./policy/again.ts";
import { isOpenToAll, judge, openPass } from "./policy/judge.ts";
import { HeadRequest } from "./policy/head-request.ts";
import { LatelyShown } from "./policy/lately-shown.ts";
import type { Shown } from "./policy/shown.ts";
import type { PolicyState } from "./policy/state.ts";
import type { Pass, Refusal, Verdict } from "./policy/verdict.ts";
import { isWebSocketUpgrade, requestScratch, writeRequestHead } from "./request-head.ts";
import type { Tunnels } from "./tunnels.ts";
import type { Socket } from "bun";

/** What the ingress of a shard needs of it. */
export interface ShardIngressOptions {
  shard: number;
  shards: number;
  settings: ShardSettings;
  tunnels: Tunnels;
  policy: PolicyState;
  trusted: CidrList;
  control: ControlPool;
  lender: Lender;
  /** Gives the connection to another thread. */
  give(owner: number | "main", socket: Socket<SocketOwner>, meta: MoveMeta): boolean | SocketOwner;
  /** Makes a session of an agent's upgrade. */
  openSession(connection: VisitorConnection, head: Head): void;
  released(connection: Counted): void;
  accessLog: AccessLog | null;
  /** Main hears nothing of this shard any more: what can't be told of must not happen. */
  isEnded(): boolean;
  /** Whether all requests that an organization may have in flight on this shard are. */
  isOrganizationFull(orgId: string | null): boolean;
  refusal(entry: NameEntry, refusal: Refusal, address: string, requestId: string): void;
}

/** The `IngressHost` of shard k. */
export class ShardIngress implements IngressHost {
  readonly settings: IngressSettings;
  readonly accessLog: AccessLog | null;
  private readonly domains: { domain: string; dashboardDomain: string };
  /** For requests that waited for a verdict: their head is parsed once more. */
  private readonly again = new Head();
  private readonly lately = new LatelyShown();

  constructor(private readonly options: ShardIngressOptions) {
    const { settings } = options;
    this.accessLog = options.accessLog;
    this.settings = { ...settings, maxBodyBytes: settings.maxBodyBytes === 0 ? Infinity : settings.maxBodyBytes };
    this.domains = { domain: settings.domain, dashboardDomain: settings.dashboardDomain };
  }

  judgeHost(value: string): HostVerdict {
    return judgeHost(value, this.domains);
  }

  route(
    connection: VisitorConnection,
    head: Head,
    host: Extract<HostVerdict, { kind: "base" | "tunnel" | "probe" }>,
  ): void {
    const { options } = this;
    if (options.isEnded()) return;
    if (host.kind === "tunnel") {
      const owner = shardOf(host.name, options.shards);
      if (owner === options.shard) this.visit(connection, head, host.name);
      else if (!options.lender.lend(connection, head, owner)) this.move(connection, owner);
      return;
    }
    const session = host.kind === "base" ? sessionShard(head.target) : -1;
    // One of a shard that isn't there is refused by the shard that main gave it to.
    if (session >= 0 && session % options.shards === options.shard) options.openSession(connection, head);
    // Main would have to move it on, which it can only do with a connection of its own.
    else if (session >= 0 || !options.lender.lend(connection, head, "main")) this.move(connection, "main");
  }

  refused(): void {}

  released(connection: Counted): void {
    this.options.lender.released(connection);
    this.options.released(connection);
  }

  private move(connection: VisitorConnection, owner: number | "main"): void {
    const { give } = this.options;
    if (connection.move((socket, meta) => give(owner, socket, meta))) return;
    // That shard is being replaced, or its successor is not known here yet: main knows first, and lets visitors wait for it.
    if (owner !== "main" && connection.move((socket, meta) => give("main", socket, meta))) return;
    connection.answer("unavailable", { retryAfterSeconds: 1 });
  }

  private visit(connection: VisitorConnection, head: Head, name: string): void {
    const startedAt = performance.now();
    const { options } = this;
    const entry = options.tunnels.entry(name);
    if (entry === undefined) return connection.answer("tunnel_not_found");
    const visitor = connection.visitor ?? this.visitorOf(connection, head);
    const visit: Visit = {
      request: connection.requestNumber,
      entry,
      tunnelId: "",
      visitor,
      pass: openPass,
      repeatable: false,
      startedAt,
      judgedAt: startedAt,
    };
    if (isOpenToAll(entry.policy)) return this.act(connection, head, null, visit, openPass, null);
    const shown = this.lately.of(head);
    const { address, network } = visitor;
    const request = new HeadRequest(head, shown, address, network, connection.wantsHtml);
    const verdict = judge(request, entry, options.policy);
    if (verdict instanceof Promise) this.wait(connection, head, shown, visit, verdict);
    else this.act(connection, head, shown, visit, verdict, null);
  }

  /** The head is gone when the verdict comes: keeps its bytes, and the body at the visitor. */
  private wait(connection: VisitorConnection, head: Head, shown: Shown, visit: Visit, verdict: Promise<Verdict>): void {
    const { options } = this;
    const { entry } = visit;
    const bytes = Buffer.from(head.bytes.subarray(head.start, head.end));
    const pending = new PendingExchange(connection);
    connection.begin(pending);
    verdict.then(
      (late) => {
        if (pending.gone || options.isEnded()) return;
        // Main may have judged by what was in force before; nobody inside is looked at again after this.
        const now = options.tunnels.entry(entry.name);
        if (now === undefined) return connection.answer("tunnel_not_found");
        if (!isSameName(entry, now)) return connection.answer("unavailable", { retryAfterSeconds: 1 });
        this.again.parseRequest(bytes, 0, bytes.length);
        this.act(connection, this.again, shown, visit, late, pending);
      },
      () => !pending.gone && connection.answer("internal"),
    );
  }

  /** Behind a proxy each request may have its own visitor; without one the connection's peer is the visitor of them all. */
  private visitorOf(connection: VisitorConnection, head: Head): Visitor {
    const { trusted, settings } = this.options;
    const { address, secure } = connection.meta;
    const visitor = resolveVisitor(head, address, secure ? "https" : settings.scheme, trusted);
    if (!trusted.matches(address)) connection.visitor = visitor;
    return visitor;
  }

  private act(
    connection: VisitorConnection,
    head: Head,
    shown: Shown | null,
    visit: Visit,
    verdict: Verdict,
    pending: PendingExchange | null,
  ): void {
    switch (verdict.kind) {
      case "pass":
        visit.pass = verdict;
        if (verdict !== openPass) visit.judgedAt = performance.now();
        if (connection.access !== null) connection.access.user = verdict.email ?? verdict.user;
        return this.open(connection, head, shown, visit, verdict, pending);
      case "relay":
        relay(connection, head, this.options.control, visit.visitor);
        return pending?.release(connection.exchange);
      case "redirect":
        return connection.redirect(verdict.location);
      case "refuse":
        this.report(connection, visit, verdict.refusal);
        return connection.answer(verdict.code, verdict);
    }
  }

  private open(
    connection: VisitorConnection,
    head: Head,
    shown: Shown | null,
    visit: Visit,
    pass: Pass,
    pending: PendingExchange | null,
  ): void {
    const { options } = this;
    const { entry, visitor, judgedAt } = visit;
    const tunnel = options.tunnels.ofVisitors(entry);
    if (tunnel === undefined) return connection.answer("tunnel_offline", { retryAfterSeconds: 5 });
    if (tunnel.isFull || options.isOrganizationFull(entry.orgId))
      return connection.answer("tunnel_overloaded", { retryAfterSeconds: 1 });
    const hops = hopsOf(head);
    if (hops >= mostHops) return connection.answer("loop_detected");
    const upgrade = isWebSocketUpgrade(head);
    const hasBody = head.chunked || head.contentLength > 0;
    const lines = linesFor(connection, visitor);
    const length = writeRequestHead(head, shown, lines, visit.request, pass, upgrade, hops);
    visit.tunnelId = tunnel.ticket.tunnelId;
    visit.repeatable = !hasBody && isSafeMethod(head.bytes, head.start);
    const flags =
      (hasBody ? 0 : FIN) | (upgrade ? UPGRADE : 0) | (head.isHead ? HEAD_METHOD : 0) | (head.chunked ? CHUNKED : 0);
    const capture = tunnel.captures.begin(visit, requestScratch, length);
    const stream = new HttpStream(tunnel, connection, capture, flags, shown);
    connection.begin(stream, judgedAt);
    tunnel.open(stream, requestScratch, length, judgedAt);
    pending?.release(stream);
  }

  private report(connection: VisitorConnection, { entry, visitor }: Visit, refusal: Refusal | null): void {
    if (refusal !== null) this.options.refusal(entry, refusal, visitor.address, connection.requestId);
  }
}

/** The forwarding lines, made once for requests of the same visitor to the same host. */
function linesFor(connection: VisitorConnection, visitor: Visitor): Buffer {
  const { forwarded, hostValue } = connection;
  if (forwarded.visitor !== visitor || forwarded.host !== hostValue) {
    const lines = Buffer.from(`${forwardedLines(visitor, hostValue)}X-Request-Id: `, "latin1");
    connection.forwarded = { visitor, host: hostValue, lines };
  }
  return connection.forwarded.lines;
}

/** As this ingress needs it: whole. */
interface Visit extends CapturedVisit {
  entry: NameEntry;
  visitor: Visitor;
}

/** Whether a name is still whose it was, and asks the same of its visitors. */
function isSameName(before: NameEntry, now: NameEntry): boolean {
  return before === now || (before.appId === now.appId && before.orgId === now.orgId && isSamePolicy(before, now));
}

/** Stands in while main is asked: the body waits, at the visitor as far as possible. */
class PendingExchange implements Exchange {
  gone = false;
  private readonly parts: Buffer[] = [];
  private ended: { trailers: Uint8Array | null } | null = null;

  constructor(private readonly connection: VisitorConnection) {}

  bodyData(bytes: Uint8Array, start: number, end: number): void {
    this.parts.push(Buffer.from(bytes.subarray(start, end)));
    this.connection.pauseReading();
  }

  bodyEnd(trailers: Uint8Array | null): void {
    this.ended = { trailers: trailers === null ? null : Buffer.from(trailers) };
  }

  abort(): void {
    this.gone = true;
  }

  drained(): void {}

  /** The real exchange begins: it gets what came so far, unless it is over already. */
  release(exchange: Exchange | null): void {
    if (exchange === null || this.connection.exchange !== exchange) return;
    this.connection.resumeReading();
    for (const part of this.parts) exchange.bodyData(part, 0, part.length);
    if (this.ended !== null) exchange.bodyEnd(this.ended.trailers);
  }
}

// One registration: what it may do, then the lease, then tickets for its shard.

import { randomBytes } from "node:crypto";
import { publicUrl, type Config } from "../../config/config.ts";
import { touchCredential, type TunnelCredential } from "../../db/credentials.ts";
import type { Database } from "../../db/database.ts";
import { takeLease } from "../../db/leases.ts";
import { AppError } from "../../lib/errors.ts";
import type { ShardLink } from "../../link/shard-link.ts";
import { shardOf } from "../../link/shard-of.ts";
import type { Claim, Claims, Granted } from "./claims.ts";
import type { NameDirectory } from "./directory.ts";
import type { LeaseTable } from "./lease-table.ts";
import { isActive, isServed, type AgentBinding, type Lease } from "./lease.ts";
import { judge, type RegisterBody, type RegisterRequest, type Wish } from "./permit.ts";
import type { TunnelRecords } from "./records.ts";
import { tunnelUrl } from "./view.ts";

export interface Registered {
  success: true;
  subdomain: string;
  url: string;
  tunnelId: string;
  port?: number;
  ticket: string;
  /** One per session that may be opened now. */
  tickets: string[];
  session: { url: string; path: string; connections: number };
}

export interface RegisterDeps {
  db: Database;
  config: Config;
  link: ShardLink;
  claims: Claims;
  leases: LeaseTable;
  directory: NameDirectory;
  /** Ends a lease for good. */
  end: (lease: Lease) => void;
  /** Nobody serves a lease. */
  away: (lease: Lease) => void;
  records: TunnelRecords;
  /** How many changes of the database were heard so far. */
  changesHeard: () => number;
  nowMs: () => number;
}

/** The oldest agent that this server understands. */
const oldestVersion = "0.1.0";
/** Ports of which one after the other may turn out to be another program's, before the agent is told. */
const mostPorts = 8;
const touchEveryMs = 60_000;

const tooOld = (version: string): string =>
  `This server takes agents of version ${oldestVersion} (three numbers) or newer, and this one says ${JSON.stringify(version)}. Update it and try again.`;

interface Judgement {
  credential: TunnelCredential;
  wish: Wish;
}

/** A refusal or grant, and whose, as far as that was known. */
export interface Judged {
  credential: TunnelCredential | null;
  result: Registered | AppError;
}

/** Registers one agent. What changes while it does so is taken into account: no ticket is sent on what no longer holds. */
export async function register(deps: RegisterDeps, request: RegisterRequest): Promise<Judged> {
  const { config } = deps;
  const { body, address } = request;
  const nowMs = deps.nowMs();
  // Pre-releases are as new as what they precede.
  if (!Bun.semver.satisfies(body.version.replace(/[-+].*$/, ""), `>=${oldestVersion}`))
    return { credential: null, result: new AppError("version_unsupported", tooOld(body.version)) };
  const heard = deps.changesHeard();
  const permit = await judge(deps, request, nowMs);
  if (permit.refusal !== null) return { credential: permit.credential, result: permit.refusal };
  const { credential, wish, ranges } = permit;
  const { agentId, generation, version } = body;
  const ticketsUntilMs = nowMs + config.ticketTtlMs;
  const without = new Set<string>();
  const claim: Claim = {
    ...{ credential, ...wish, agentId, generation, version, address, ticketsUntilMs, without },
    ...{ target: body.target ?? null, pool: body.pool === true, exactPort: body.exactPort === true },
  };
  let problem: AppError | null = null;
  for (;;) {
    const claimed = deps.claims.claim(claim, nowMs);
    if (claimed instanceof AppError) return { credential, result: problem ?? claimed };
    let result: Registered | AppError | null = null;
    try {
      result = await grant(deps, request, claimed, { credential, wish, ranges, heard });
    } finally {
      if (result === null || result instanceof AppError) withdraw(deps, claimed);
    }
    if (!(result instanceof AppError) || result.code !== "port_not_open") return { credential, result };
    if (claim.exactPort || without.size === mostPorts) return { credential, result };
    // Another port will do.
    problem = result;
    without.add(claimed.lease.name);
    claim.name = null;
  }
}

/** Stores what was claimed, and sends the tickets unless something speaks against it by now. */
async function grant(
  deps: RegisterDeps,
  request: RegisterRequest,
  { lease, agent, evicted, displaced }: Granted,
  judged: Judgement & { ranges: string[]; heard: number },
): Promise<Registered | AppError> {
  const { db, leases } = deps;
  const { credential } = judged;
  let { ranges, heard } = judged;
  const nowMs = deps.nowMs();
  const { name, tunnelId } = lease;
  for (const agentId of displaced)
    deps.link.send(shardOf(name, deps.link.shards), { type: "disconnect", tunnelId, agentId, reason: "replaced" });
  if (evicted !== null) deps.records.leaseGone(evicted);
  // It may be given up meanwhile, and the name be somebody else's.
  const isHeld = () => leases.get(name) === lease && lease.state !== "kept";
  // The end of whoever had the name before must be stored first.
  await deps.records.flushFor(name);
  if (!(await store(deps, lease, agent, nowMs))) {
    if (lease.openedAtMs === null) leases.remove(lease);
    return new AppError("name_taken");
  }
  if (Math.abs(nowMs - credential.lastUsedAtMs) > touchEveryMs) await touchCredential(db.kysely, credential, nowMs);
  await deps.directory.lease(lease, isHeld);
  if (lease.port !== null && isHeld()) {
    const opening = await deps.link.openPort(shardOf(name, deps.link.shards), name);
    if (opening === null) return new AppError("unavailable");
    if (opening.problem !== null) {
      if (isHeld()) deps.end(lease);
      return new AppError("port_not_open", opening.problem);
    }
  }
  while (heard !== deps.changesHeard()) {
    heard = deps.changesHeard();
    const permit = await judge(deps, request, nowMs);
    if (permit.refusal !== null) return permit.refusal;
    if (isOther(permit, judged)) return new AppError("unavailable");
    agent.credential = permit.credential;
    ranges = permit.ranges;
    await deps.directory.lease(lease, isHeld);
  }
  // Its end may have been stored before it was.
  if (leases.get(name) !== lease) deps.records.leaseGone({ name, tunnelId });
  // Meanwhile the same agent may have registered once more.
  const current = isHeld() ? lease.agents.get(agent.agentId) : undefined;
  if (current?.generation !== agent.generation) return new AppError("unavailable");
  return issue(deps, lease, current, request.body, ranges);
}

/** No ticket follows what was claimed. Those of earlier registrations are still out. */
function withdraw(deps: RegisterDeps, { lease, agent: { agentId, generation } }: Granted): void {
  const current = lease.agents.get(agentId);
  if (current?.generation === generation) current.tickets = Math.max(0, current.tickets - 1);
  if (deps.leases.get(lease.name) !== lease || !isActive(lease) || isServed(lease, deps.nowMs())) return;
  // Before the sweep: an agent that tries again at once shall have the name that was chosen for it, and not a second one.
  deps.away(lease);
}

/** Whether the name is another one by now (a key's application was renamed), or somebody else's: another organization's, too. */
function isOther(now: Judgement, before: Judgement): boolean {
  const { name, application } = now.wish;
  if (name !== before.wish.name || application?.id !== before.wish.application?.id) return true;
  return now.credential.orgId !== before.credential.orgId;
}

function store(deps: RegisterDeps, lease: Lease, agent: AgentBinding, nowMs: number): Promise<boolean> {
  return takeLease(
    deps.db.kysely,
    {
      name: lease.name,
      kind: lease.kind,
      holder_id: lease.holderId,
      account_id: lease.accountId,
      key_id: lease.keyId,
      org_id: lease.orgId,
      app_id: lease.appId,
      agent_id: agent.agentId,
      generation: agent.generation,
      tunnel_id: lease.tunnelId,
      random: lease.random ? 1 : 0,
      taken_at: lease.takenAtMs,
      target: lease.target,
      free_at: null,
    },
    nowMs,
  );
}

function issue(
  deps: RegisterDeps,
  lease: Lease,
  agent: AgentBinding,
  body: RegisterBody,
  agentAllow: string[],
): Registered {
  const { config, link } = deps;
  const { name, tunnelId, port } = lease;
  const shard = shardOf(name, link.shards);
  const url = tunnelUrl(config, lease);
  const wanted = Math.min(body.connections ?? config.defaultSessionsPerAgent, config.maxSessionsPerAgent);
  const tickets: string[] = [];
  const { accountId, keyId, orgId, appId } = agent.credential;
  for (let i = 0; i < wanted; i++) {
    const ticket = randomBytes(32).toString("base64url");
    tickets.push(ticket);
    link.send(shard, {
      type: "ticket",
      ticket: {
        ...{ ticket, tunnelId, name, url, agentAllow },
        expiresAtMs: agent.ticketsUntilMs,
        agentId: agent.agentId,
        generation: agent.generation,
        pool: lease.pool,
        principal: { accountId, keyId, orgId },
        appId: lease.appId ?? appId,
        maxSessions: config.maxSessionsPerAgent,
      },
    });
  }
  Object.assign(agent, { tickets: Math.max(0, agent.tickets - 1) + wanted, ending: false });
  lease.allow = agentAllow;
  const path = `/_tunnel/s/${shard}`;
  const base = publicUrl(config, null).replace(/^http/, "ws");
  return {
    success: true,
    subdomain: port === null ? name : "",
    url,
    tunnelId,
    ...(port === null ? {} : { port }),
    ticket: tickets[0]!,
    tickets,
    session: { url: `${base}${path}?ticket=${tickets[0]!}`, path, connections: wanted },
  };
}

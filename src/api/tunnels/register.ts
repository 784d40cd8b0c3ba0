// One registration: checks in the order that tells strangers least, then the lease, then tickets for its shard.

import { randomBytes } from "node:crypto";
import { publicUrl, type Config } from "../../config/config.ts";
import {
  findApplicationByName,
  findApplicationName,
  touchCredential,
  type ApplicationName,
  type TunnelCredential,
} from "../../db/credentials.ts";
import type { Database } from "../../db/database.ts";
import { takeLease } from "../../db/leases.ts";
import { AppError } from "../../lib/errors.ts";
import { isReservedName, isValidName } from "../../lib/names.ts";
import type { ShardLink } from "../../link/shard-link.ts";
import { shardOf } from "../../link/shard-of.ts";
import { agentRanges, checkAddress, resolveCredential } from "./credential.ts";
import type { NameDirectory } from "./directory.ts";
import type { LeaseTable } from "./lease-table.ts";
import type { AgentBinding, Lease } from "./lease.ts";

/** What an agent sends; the schema of the route bounds every field. */
export interface RegisterBody {
  subdomain?: string;
  agentId: string;
  generation: number;
  version: string;
  capabilities?: string[];
  pool?: boolean;
  protocol?: "http" | "tcp";
  /** Sessions that the agent lacks. */
  connections?: number;
}

export interface RegisterRequest {
  bearer: string | null;
  body: RegisterBody;
  address: string;
}

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
  leases: LeaseTable;
  directory: NameDirectory;
  nowMs: () => number;
}

/** The oldest agent that this server understands. */
const oldestVersion = ">=0.1.0";
const touchEveryMs = 60_000;

/** What a refusal or grant is audited with, as far as it was known. */
export interface Judged {
  credential: TunnelCredential | null;
  result: Registered | AppError;
  lease: Lease | null;
}

export async function register(deps: RegisterDeps, request: RegisterRequest): Promise<Judged> {
  const { config, db, leases } = deps;
  const { body, address } = request;
  const nowMs = deps.nowMs();
  if (!Bun.semver.satisfies(body.version, oldestVersion)) return refused(null, new AppError("version_unsupported"));
  const credential = await resolveCredential(db.kysely, request.bearer, nowMs);
  if (credential instanceof AppError) return refused(null, credential);
  const ranges = await agentRanges(db.kysely, credential, config.agentWhitelist);
  const addressRefusal = checkAddress(ranges, address);
  if (addressRefusal !== null) return refused(credential, addressRefusal);
  const wish = await resolveWish(deps, credential, body);
  if (wish instanceof AppError) return refused(credential, wish);
  const { agentId, generation, version } = body;
  const ticketsUntilMs = nowMs + config.ticketTtlMs;
  const claimed = leases.claim(
    { credential, ...wish, agentId, generation, version, address, pool: body.pool === true, ticketsUntilMs },
    nowMs,
  );
  if (claimed instanceof AppError) return refused(credential, claimed);
  const { lease, agent } = claimed;
  if (!(await store(deps, lease, agent, nowMs))) {
    if (lease.openedAtMs === null) leases.remove(lease);
    return refused(credential, new AppError("name_taken"));
  }
  if (nowMs - credential.lastUsedAtMs > touchEveryMs) await touchCredential(db.kysely, credential, nowMs);
  await deps.directory.lease(lease);
  return { credential, lease, result: issue(deps, lease, agent, body, ranges) };
}

interface Wish {
  kind: "http" | "tcp";
  name: string | null;
  application: ApplicationName | null;
}

/** Which name is wanted, and whether this credential may have it at all (spec: an application's name is its organization's). */
async function resolveWish(
  deps: RegisterDeps,
  credential: TunnelCredential,
  body: RegisterBody,
): Promise<Wish | AppError> {
  const { config, db } = deps;
  if (body.protocol === "tcp") {
    if (credential.appId !== null)
      return new AppError("application_forbidden", "A key of one application opens no TCP port.");
    return config.tcpPorts.length === 0
      ? new AppError("protocol_unavailable")
      : { kind: "tcp", name: null, application: null };
  }
  const bound = credential.appId === null ? null : await findApplicationName(db.kysely, credential.appId);
  const name = body.subdomain?.toLowerCase() ?? bound?.subdomain ?? null;
  if (name === null) return { kind: "http", name, application: null };
  if (!isValidName(name)) return new AppError("invalid_name");
  if (isReservedName(name, config.reservedNames)) return new AppError("name_reserved");
  const application = await findApplicationByName(db.kysely, name);
  if (application === null) {
    return credential.appId === null
      ? { kind: "http", name, application }
      : new AppError("application_forbidden", "This key opens only its own application's name.");
  }
  if (application.orgId !== credential.orgId) return new AppError("name_taken");
  if (credential.appId !== null && credential.appId !== application.id) return new AppError("application_forbidden");
  if (!application.isActive) return new AppError("application_forbidden", "This application is deactivated.");
  return { kind: "http", name, application };
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
  const url = port === null ? publicUrl(config, name) : `tcp://${config.domain}:${port}`;
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
        tcpPort: port,
      },
    });
  }
  agent.tickets = tickets.length;
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

function refused(credential: TunnelCredential | null, result: AppError): Judged {
  return { credential, result, lease: null };
}

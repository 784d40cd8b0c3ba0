// What a registration may do: checks in the order that tells strangers least.

import type { Config } from "../../config/config.ts";
import {
  findApplicationByName,
  findApplicationName,
  type ApplicationName,
  type TunnelCredential,
} from "../../db/credentials.ts";
import type { Database } from "../../db/database.ts";
import { AppError } from "../../lib/errors.ts";
import { isReservedName, isValidName } from "../../lib/names.ts";
import { portRanges } from "../../lib/port-ranges.ts";
import { tcpName } from "../../link/shard-of.ts";
import { agentRanges, checkAddress, resolveCredential } from "./credential.ts";

/** What an agent sends; the schema of the route bounds every field. */
export interface RegisterBody {
  subdomain?: string;
  agentId: string;
  generation: number;
  version: string;
  capabilities?: string[];
  pool?: boolean;
  protocol?: "http" | "tcp";
  /** The wanted port of a TCP tunnel; another one is given when it can't be had, unless it must be this one. */
  port?: number;
  exactPort?: boolean;
  /** Sessions that the agent lacks. */
  connections?: number;
  /** What the agent forwards to: only ever shown. */
  target?: string;
}

export interface RegisterRequest {
  bearer: string | null;
  body: RegisterBody;
  address: string;
}

export interface PermitDeps {
  db: Database;
  config: Pick<Config, "agentWhitelist" | "reservedNames" | "tcpPorts">;
}

/** What a request may do now, or why it may not. */
export type Permit =
  | { refusal: AppError; credential: TunnelCredential | null }
  | { refusal: null; credential: TunnelCredential; ranges: string[]; wish: Wish };

/** Judges credential, then address, then name: strangers learn nothing about names. */
export async function judge(deps: PermitDeps, request: RegisterRequest, nowMs: number): Promise<Permit> {
  const { config, db } = deps;
  const credential = await resolveCredential(db.kysely, request.bearer, nowMs);
  if (credential instanceof AppError) return { refusal: credential, credential: null };
  const ranges = await agentRanges(db.kysely, credential, config.agentWhitelist);
  const addressRefusal = checkAddress(ranges, request.address);
  if (addressRefusal !== null) return { refusal: addressRefusal, credential };
  const wish = await resolveWish(deps, credential, request.body);
  return wish instanceof AppError ? { refusal: wish, credential } : { refusal: null, credential, ranges, wish };
}

/** The name that is wanted. */
export interface Wish {
  kind: "http" | "tcp";
  name: string | null;
  application: ApplicationName | null;
}

/** Which name is wanted, and whether this credential may have it at all (spec: an application's name is its organization's). */
async function resolveWish(
  deps: PermitDeps,
  credential: TunnelCredential,
  body: RegisterBody,
): Promise<Wish | AppError> {
  const { config, db } = deps;
  if (body.protocol === "tcp") {
    if (credential.appId !== null)
      return new AppError("application_forbidden", "A key of one application opens no TCP port.");
    if (config.tcpPorts.length === 0) return new AppError("protocol_unavailable");
    const { port, exactPort = false } = body;
    const isOurs = port !== undefined && config.tcpPorts.includes(port);
    if (port !== undefined && exactPort && !isOurs)
      return new AppError(
        "port_unavailable",
        `Port ${port} is none of this server's TCP ports, which are ${portRanges(config.tcpPorts)}.`,
      );
    if (body.pool === true && !isOurs)
      return new AppError("pool_needs_name", "--pool needs --remote-port PORT: the port that the agents share.");
    return { kind: "tcp", name: isOurs ? tcpName(port) : null, application: null };
  }
  const bound = credential.appId === null ? null : await findApplicationName(db.kysely, credential.appId);
  const name = body.subdomain?.toLowerCase() ?? bound?.subdomain ?? null;
  // Each agent would be given a name of its own.
  if (name === null && body.pool === true) return new AppError("pool_needs_name");
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

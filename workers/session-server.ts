// The shard's own Bun.serve: nothing but the agents' session upgrades, on a unix socket and, if set, a private port.

import type { Server, ServerWebSocket } from "bun";
import { resolvePeer } from "../src/ingress/session-peer.ts";
import type { CidrList } from "../src/lib/cidr.ts";
import { AppError, type ErrorCode } from "../src/lib/errors.ts";
import { maxMessageBytes, subprotocol } from "../src/protocol/frames.ts";
import { Session } from "./session.ts";
import type { Tunnel } from "./tunnel.ts";
import type { Tunnels } from "./tunnels.ts";
import type { ShardSettings, Ticket } from "../src/link/messages.ts";

interface SocketData {
  ticket: Ticket;
  tunnel: Tunnel;
  address: string;
  session: Session | null;
}

export interface SessionServerOptions {
  tunnels: Tunnels;
  settings: ShardSettings;
  shard: number;
  socketPath: string;
  trusted: CidrList;
  /** A session was refused; `rule` is an error code. */
  refused(rule: string, address: string): void;
}

/** Starts listening; `stop` closes the listeners and every session. */
export function serveSessions(options: SessionServerOptions): { stop(): void } {
  const { settings } = options;
  const servers = [listen(options, { unix: options.socketPath })];
  if (settings.shardPort !== null)
    servers.push(listen(options, { hostname: settings.shardHost, port: settings.shardPort }));
  return { stop: () => servers.forEach((server) => void server.stop(true)) };
}

type Address = { unix: string } | { hostname: string; port: number };

function listen(options: SessionServerOptions, address: Address): Server<SocketData> {
  const { settings } = options;
  const local = "unix" in address;
  return Bun.serve<SocketData>({
    ...(address as { hostname: string; port: number }),
    development: false,
    maxRequestBodySize: 0,
    idleTimeout: 10,
    fetch: (request, server) => upgrade(options, request, server, local),
    error: () => refusal("internal"),
    websocket: {
      // Liveness is ours (Session.tick); compression would only cost.
      idleTimeout: 0,
      perMessageDeflate: false,
      sendPings: false,
      maxPayloadLength: maxMessageBytes,
      backpressureLimit: 16 * 1024 * 1024,
      closeOnBackpressureLimit: false,
      open(ws: ServerWebSocket<SocketData>) {
        const { ticket, tunnel, address: from } = ws.data;
        const session = new Session(ws, tunnel, {
          tunnelId: ticket.tunnelId,
          agentId: ticket.agentId,
          generation: ticket.generation,
          address: from,
          maxStreams: settings.maxStreamsPerSession,
          pingIntervalMs: settings.pingIntervalMs,
          deadAfterMs: settings.deadAfterMs,
        });
        ws.data.session = session;
        session.welcome({
          protocol: 1,
          tunnelId: ticket.tunnelId,
          url: ticket.url,
          pingIntervalMs: settings.pingIntervalMs,
          deadAfterMs: settings.deadAfterMs,
          maxStreams: settings.maxStreamsPerSession,
        });
        tunnel.addSession(session);
      },
      message: (ws: ServerWebSocket<SocketData>, message: Buffer | string) => ws.data.session?.received(message),
      drain: (ws: ServerWebSocket<SocketData>) => ws.data.session?.drained(),
      close: (ws: ServerWebSocket<SocketData>, code: number, reason: string) => ws.data.session?.closed(code, reason),
    },
  });
}

function upgrade(
  options: SessionServerOptions,
  request: Request,
  server: Server<SocketData>,
  local: boolean,
): Response | undefined | Promise<Response | undefined> {
  const url = new URL(request.url);
  if (request.method !== "GET" || url.pathname !== `/_tunnel/s/${options.shard}`) return refusal("not_found");
  const address = resolvePeer(request, local ? null : (server.requestIP(request)?.address ?? ""), options.trusted);
  if (address === null) return refusal("bad_request");
  if (request.headers.has("origin")) return refusal("forbidden");
  const offered = (request.headers.get("sec-websocket-protocol") ?? "").split(",").map((one) => one.trim());
  if (!offered.includes(subprotocol)) return refusal("version_unsupported");
  const ticket = url.searchParams.get("ticket") ?? "";
  const finish = (taken: Taken): Response | undefined => {
    if (typeof taken === "string") {
      options.refused(taken, address);
      return refusal(taken === "not_whitelisted" ? "not_whitelisted" : "bad_ticket");
    }
    const data: SocketData = { ...taken, address, session: null };
    const upgraded = server.upgrade(request, { data, headers: { "Sec-WebSocket-Protocol": subprotocol } });
    return upgraded ? undefined : refusal("bad_request");
  };
  const taken = options.tunnels.takeTicket(ticket, address);
  if (taken !== "bad_ticket" || local) return finish(taken);
  return takeLater(options.tunnels, ticket, address).then(finish);
}

type Taken = ReturnType<Tunnels["takeTicket"]>;

/**
 * An agent that comes straight to this port can be here before main's message with its ticket, which nothing orders (a connection
 * that main hands over comes behind it).
 */
async function takeLater(tunnels: Tunnels, ticket: string, address: string): Promise<Taken> {
  for (const waitMs of [5, 20, 75, 200]) {
    await Bun.sleep(waitMs);
    const taken = tunnels.takeTicket(ticket, address);
    if (taken !== "bad_ticket") return taken;
  }
  return "bad_ticket";
}

function refusal(code: ErrorCode): Response {
  const error = new AppError(code);
  return Response.json(error.toBody(), { status: error.status, headers: { "Cache-Control": "no-store" } });
}

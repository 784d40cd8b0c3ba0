// Where agents' sessions come in: an upgrade is judged, its ticket is taken, and its socket becomes a session.

import { ORIGIN, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION } from "../src/http1/fields.ts";
import type { Head } from "../src/http1/head.ts";
import { latin1 } from "../src/lib/bytes.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import { type ErrorCode, errorCatalogue, notAllowed } from "../src/lib/errors.ts";
import type { ShardSettings } from "../src/link/messages.ts";
import { subprotocol } from "../src/protocol/frames.ts";
import { acceptKey } from "../src/protocol/websocket-frames.ts";
import { Session } from "./session.ts";
import { SessionSocket } from "../src/protocol/session-socket.ts";
import type { HeldTicket } from "./tickets.ts";
import type { Tunnel } from "./tunnel.ts";
import type { Tunnels } from "./tunnels.ts";

export interface SessionDoorOptions {
  tunnels: Tunnels;
  settings: ShardSettings;
  /** The server is leaving, and its sessions have been told. */
  isLeaving(): boolean;
  /** A session was refused; `rule` is an error code, `ticket` the one that was shown, when it was ours. */
  refused(rule: ErrorCode, address: string, ticket: HeldTicket | null, requestId: string): void;
}

export class SessionDoor {
  constructor(private readonly options: SessionDoorOptions) {}

  /**
   * Takes the upgrade being routed on `connection`, from an agent at `address`. False: its ticket isn't known here (yet), nothing was
   * answered; everything else is answered or has become a session.
   */
  open(connection: VisitorConnection, head: Head, address: string): boolean {
    const key = head.only(SEC_WEBSOCKET_KEY);
    const accept = key === null ? null : acceptKey(key);
    if (!head.wantsWebSocket || head.method !== "GET" || accept === null)
      return this.refuse(connection, address, "bad_request", null, notAnUpgrade);
    // A browser says Origin: agents are not browsers, and a page must never be able to be one.
    if (head.has(ORIGIN)) return this.refuse(connection, address, "forbidden");
    if (head.only(SEC_WEBSOCKET_VERSION) !== "13" || !offers(head, subprotocol))
      return this.refuse(connection, address, "version_unsupported");
    if (this.options.isLeaving()) {
      connection.answer("unavailable", { retryable: true, retryAfterSeconds: 1 });
      return true;
    }
    const wanted = new URLSearchParams(head.target.split("?", 2)[1] ?? "").get("ticket") ?? "";
    const taken = this.options.tunnels.takeTicket(wanted, address);
    if (taken === null) return false;
    const { ticket, refusal } = taken;
    if (refusal === null) this.admit(connection, accept, ticket, taken.tunnel, address);
    else
      this.refuse(
        connection,
        address,
        refusal,
        ticket,
        refusal === "not_whitelisted" ? notAllowed(address) : undefined,
      );
    return true;
  }

  /**
   * Answers and reports an upgrade that is refused with `code`, and says whether registering anew can help: `bad_ticket` for a ticket
   * that is nobody's, `not_found` for a path that is no shard's.
   */
  refuse(
    connection: VisitorConnection,
    address: string,
    code: ErrorCode,
    ticket: HeldTicket | null = null,
    message?: string,
  ): true {
    this.options.refused(code, address, ticket, connection.requestId);
    // A path of another time: the next registration names the right one.
    const retryable = code === "not_found" || errorCatalogue[code].retryable;
    connection.answer(code, { retryable, ...(message === undefined ? {} : { message }) });
    return true;
  }

  private admit(
    connection: VisitorConnection,
    accept: string,
    ticket: HeldTicket,
    tunnel: Tunnel,
    address: string,
  ): void {
    const { settings } = this.options;
    const { agentId, generation, url } = ticket;
    const { tunnelId } = tunnel.ticket;
    const { pingIntervalMs, deadAfterMs, maxStreamsPerSession: maxStreams } = settings;
    connection.pipe((raw, rest) => {
      const socket = new SessionSocket(raw, "none", true);
      socket.write(switchingProtocols(accept));
      const session = new Session(socket, tunnel, {
        tunnelId,
        agentId,
        generation,
        address,
        maxStreams,
        pingIntervalMs,
        deadAfterMs,
      });
      socket.start(session);
      const registered = { protocol: 1, tunnelId, url, pingIntervalMs, deadAfterMs, maxStreams } as const;
      session.welcome(registered, () => tunnel.addSession(session));
      if (rest.length > 0) queueMicrotask(() => socket.received(rest));
      return socket;
    });
  }
}

const notAnUpgrade =
  "This is no WebSocket upgrade; a proxy between agent and server may have made another request of it.";

function switchingProtocols(accept: string): Buffer {
  return Buffer.from(
    `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n` +
      `Sec-WebSocket-Protocol: ${subprotocol}\r\n\r\n`,
  );
}

/** Whether a client offers a subprotocol (RFC 6455 4.2.1), on however many lines. */
function offers(head: Head, wanted: string): boolean {
  for (let i = 0; i < head.count; i++) {
    if (head.nameEnd[i]! - head.nameStart[i]! !== "sec-websocket-protocol".length) continue;
    if (latin1(head.bytes, head.nameStart[i]!, head.nameEnd[i]!).toLowerCase() !== "sec-websocket-protocol") continue;
    if (
      head
        .value(i)
        .split(",")
        .some((one) => one.trim() === wanted)
    )
      return true;
  }
  return false;
}

// The public port: accepts connections, counts them, and makes them visitor connections of the main thread.

import type { Socket, TCPSocketListener, TLSOptions } from "bun";
import type { ConnectionCounts } from "../handover/counts.ts";
import { canMove, closeDescriptor, descriptorOf, duplicate, widenBacklog } from "../lib/descriptor.ts";
import type { Ledger } from "../handover/ledger.ts";
import { networkAddress } from "../ingress/address.ts";
import type { SocketOwner } from "../ingress/visitor-socket.ts";
import type { Connections } from "../ingress/connections.ts";
import { errorAnswer } from "../ingress/error-page.ts";
import { nobody, ownerHandlers } from "../ingress/handlers.ts";
import type { CidrList } from "../lib/cidr.ts";
import { nextRequest, requestIdOf } from "../lib/request-id.ts";
import type { RefusedConnections } from "./refused-connections.ts";

export interface ListenerOptions {
  hostname: string;
  port: number;
  /** An inherited listening descriptor instead of `hostname` and `port`. */
  fd: number | null;
  tls: TLSOptions | null;
  /** Bytes are pumped instead of handing descriptors over. */
  pump: boolean;
  maxConnections: number;
  maxConnectionsPerAddress: number;
  handshakeTimeoutMs: number;
  trusted: CidrList;
  counts: ConnectionCounts;
  ledger: Ledger;
  connections: Connections;
  refused: RefusedConnections;
}

export interface PublicListener {
  /** New certificates: connections that stand keep the old ones (RFC 8446 has no other way). Throws when they do not work; the old ones stay then. */
  reloadTls(tls: TLSOptions): void;
  /** Takes no new connections; those that stand go on. */
  stop(): void;
}

const backlog = 4_096;

/** Listens. Throws what `Bun.listen` throws (EADDRINUSE, EACCES). */
export function listenPublic(options: ListenerOptions): PublicListener {
  let listener = open(options, options.tls, options.fd);
  return {
    reloadTls(tls) {
      const old = listener;
      const fd = duplicate(descriptorOf(old));
      try {
        listener = open(options, tls, fd);
      } catch (error) {
        closeDescriptor(fd);
        throw error;
      }
      old.stop(false);
    },
    stop: () => listener.stop(false),
  };
}

function open(options: ListenerOptions, tls: TLSOptions | null, fd: number | null): TCPSocketListener<SocketOwner> {
  const secure = tls !== null;
  const pump = secure || options.pump || !canMove();
  const start = (socket: Socket<SocketOwner>): void => accept(options, socket, secure, pump);
  const socket = {
    ...ownerHandlers,
    // With TLS a connection begins when the handshake is done; until then it has a deadline of its own.
    open: secure ? (opened: Socket<SocketOwner>) => awaitHandshake(options, opened) : start,
    ...(secure
      ? { handshake: (opened: Socket<SocketOwner>, ok: boolean) => (ok ? start(opened) : void opened.terminate()) }
      : {}),
  };
  const address = fd === null ? { hostname: options.hostname, port: options.port } : { fd };
  const listener = Bun.listen<SocketOwner>({
    ...(address as { hostname: string; port: number }),
    allowHalfOpen: true,
    socket,
    ...(tls === null ? {} : { tls }),
  });
  widenBacklog(descriptorOf(listener), backlog);
  return listener;
}

function accept(options: ListenerOptions, socket: Socket<SocketOwner>, secure: boolean, pump: boolean): void {
  (socket.data as Partial<PendingHandshake> | undefined)?.done?.();
  const address = networkAddress(socket.remoteAddress);
  if (isFull(options, address)) {
    socket.data = nobody;
    const answer = {
      code: "too_many_connections",
      requestId: requestIdOf(nextRequest()),
      html: false,
      headOnly: false,
      connection: "close",
      retryAfterSeconds: 1,
    } as const;
    socket.end(errorAnswer(answer));
    return;
  }
  options.connections.accept(
    socket,
    { address, secure, acceptedAtMs: Date.now(), last: false, moves: 0, lent: false },
    pump,
  );
}

/** Whether `address` is refused, which the operator then hears of. */
function isFull(options: ListenerOptions, address: string): boolean {
  const { counts, ledger, maxConnections, maxConnectionsPerAddress, refused } = options;
  if (counts.total() + ledger.inFlight() >= maxConnections) {
    refused.add("MAX_CONNECTIONS", maxConnections, address);
    return true;
  }
  if (counts.ofAddress(address) < maxConnectionsPerAddress || options.trusted.matches(address)) return false;
  refused.add("MAX_CONNECTIONS_PER_ADDRESS", maxConnectionsPerAddress, address);
  return true;
}

interface PendingHandshake extends SocketOwner {
  done(): void;
}

function awaitHandshake(options: ListenerOptions, socket: Socket<SocketOwner>): void {
  const address = networkAddress(socket.remoteAddress);
  if (isFull(options, address)) {
    socket.data = nobody;
    return void socket.terminate();
  }
  const bucket = options.counts.opened(address);
  const timer = setTimeout(() => socket.terminate(), options.handshakeTimeoutMs);
  const done = (): void => {
    clearTimeout(timer);
    options.counts.closed(bucket);
  };
  const handshake: PendingHandshake = { ...nobody, closed: done, done };
  socket.data = handshake;
}

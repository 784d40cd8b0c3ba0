// A shard's own port (SHARD_PORTS): the same ingress as everywhere, which here serves agents' sessions and nothing else.

import type { Socket } from "bun";
import type { Head } from "../src/http1/head.ts";
import { networkAddress } from "../src/ingress/address.ts";
import type { VisitorConnection } from "../src/ingress/connection.ts";
import type { Connections } from "../src/ingress/connections.ts";
import type { IngressHost, IngressSettings } from "../src/ingress/exchange.ts";
import { resolveVisitor } from "../src/ingress/forwarded.ts";
import { type HostVerdict, sessionShard } from "../src/ingress/gate.ts";
import type { Counted } from "../src/ingress/movable-socket.ts";
import { nobody, ownerHandlers } from "../src/ingress/handlers.ts";
import type { SocketOwner } from "../src/ingress/visitor-socket.ts";
import type { CidrList } from "../src/lib/cidr.ts";
import type { SessionDoor } from "./session-door.ts";

export interface AgentPortOptions {
  shard: number;
  settings: IngressSettings;
  trusted: CidrList;
  door: SessionDoor;
}

/** When to look again for a ticket that isn't here. */
const waitsMs = [5, 20, 75, 200];

/**
 * The `IngressHost` of such a port. An agent that comes straight here can be there before main's message with its ticket, which nothing
 * orders (a connection that main hands over comes behind it): it waits for a moment.
 */
export class AgentPort implements IngressHost {
  readonly settings: IngressSettings;
  /** No visitors come here. */
  readonly accessLog = null;
  /** Set once, by whoever composes the two. */
  connections: Connections | null = null;
  private readonly tries = new WeakMap<VisitorConnection, number>();

  constructor(private readonly options: AgentPortOptions) {
    this.settings = options.settings;
  }

  /** Whatever a reverse proxy calls it. */
  judgeHost(): HostVerdict {
    return { kind: "base", host: "" };
  }

  route(connection: VisitorConnection, head: Head): void {
    const { shard, trusted, door } = this.options;
    const named = sessionShard(head.target);
    if (named < 0) return connection.answer("not_found");
    const { address } = resolveVisitor(head, connection.meta.address, "http", trusted);
    if (named !== shard) {
      const message = `The reverse proxy sends /_tunnel/s/${named} to the port of shard ${shard}; each path has its own one of SHARD_PORTS.`;
      return void door.refuse(connection, address, "not_found", null, message);
    }
    const tried = this.tries.get(connection) ?? 0;
    // Behind a proxy the connection may come back with another agent.
    this.tries.delete(connection);
    if (door.open(connection, head, address)) return;
    if (tried >= waitsMs.length) return void door.refuse(connection, address, "bad_ticket");
    this.tries.set(connection, tried + 1);
    connection.postpone(10_000);
    setTimeout(() => connection.retry(), waitsMs[tried]);
  }

  refused(): void {}

  released(connection: Counted): void {
    this.connections?.released(connection);
  }
}

/** Listens until the thread ends, or the result is disposed of; `isFull` says whether an address may not connect now. Throws one sentence when the port can't be had. */
export function listenForAgents(
  hostname: string,
  port: number,
  connections: Connections,
  isFull: (address: string) => boolean,
): Disposable {
  const socket = {
    ...ownerHandlers,
    open(socket: Socket<SocketOwner>) {
      const address = networkAddress(socket.remoteAddress);
      if (isFull(address)) {
        socket.data = nobody;
        return void socket.terminate();
      }
      connections.accept(
        socket,
        { address, secure: false, acceptedAtMs: Date.now(), last: false, moves: 0, lent: false },
        false,
      );
    },
  };
  try {
    return Bun.listen<SocketOwner>({ hostname, port, allowHalfOpen: true, socket });
  } catch (error) {
    const code = error instanceof Error && "code" in error ? error.code : null;
    const why = code === "EADDRINUSE" ? "is taken by another program" : `can't be had (${String(code ?? error)})`;
    throw new Error(`port ${port} of SHARD_PORTS on ${hostname} ${why}`, { cause: error });
  }
}

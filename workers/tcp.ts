// TCP tunnels: a public port, and a stream per connection.

import type { Socket, TCPSocketListener } from "bun";
import { Lookout, type Waiting } from "../src/handover/lookout.ts";
import { hasEndedUnread } from "../src/lib/descriptor.ts";
import { SendQueue } from "../src/lib/send-queue.ts";
import { freeLarge, Reads } from "../src/lib/large-reads.ts";
import { networkAddress } from "../src/ingress/address.ts";
import { keepAliveMs } from "../src/ingress/connections.ts";
import { RAW, resetCode } from "../src/protocol/frames.ts";
import type { LocalHealth } from "./local-health.ts";
import { type Leaving, StreamFlow, type VisitorSide } from "./stream-flow.ts";
import type { Tunnel } from "./tunnel.ts";

/** What a TCP port needs of its shard. */
export interface TcpHost {
  /** Where a connection from this address goes; null: nowhere, or there are as many as may be. It is counted until `release` is called. */
  resolve(address: string): { tunnel: Tunnel; release: Release } | null;
}

/** The connection is over: what its visitor said, and what it was told. */
type Release = (bytesIn: number, bytesOut: number) => void;

/** Listens until `stop`, which leaves connections alone. Throws when the port can't be had. */
export function listenTcp(hostname: string, port: number, host: TcpHost): { stop(): void } {
  const listener: TCPSocketListener<TcpConnection> = Bun.listen<TcpConnection>({
    hostname,
    port,
    allowHalfOpen: true,
    socket: {
      open(socket) {
        const address = networkAddress(socket.remoteAddress);
        const place = host.resolve(address);
        if (place === null) {
          socket.data = closedConnection;
          socket.terminate();
          return;
        }
        const connection = new TcpConnection(socket, place.tunnel, place.release);
        socket.data = connection;
        socket.setNoDelay(true);
        socket.setKeepAlive(true, keepAliveMs);
        const ends = [
          endpoint(address, socket.remotePort),
          endpoint(networkAddress(socket.localAddress), socket.localPort),
        ];
        place.tunnel.connectionOpened(connection.stream, Buffer.from(ends.join(" ")));
        if (connection.stream.session === null) connection.hold();
      },
      data: (socket, chunk) => socket.data.received(chunk),
      drain: (socket) => socket.data.drain(),
      end: (socket) => socket.data.ended(),
      close: (socket, error?: Error) => socket.data.closed(error),
      error(socket) {
        socket.data.threw();
        socket.terminate();
      },
    },
  });
  return { stop: () => listener.stop(false) };
}

function endpoint(address: string, port: number): string {
  return `${address.includes(":") ? `[${address}]` : address}:${port}`;
}

const pausedByStream = 2;

/** Connections that wait for an agent. */
const held = new Lookout();

/** One connection to a public TCP port. */
class TcpConnection extends Reads implements VisitorSide, Waiting {
  readonly stream: TcpStream;
  override readonly isPlain = true;
  private readonly out = new SendQueue();
  private open = true;

  constructor(
    protected readonly socket: Socket<TcpConnection> | null,
    private readonly tunnel: Tunnel | null,
    private readonly release: Release,
  ) {
    super();
    if (socket !== null) this.out.unfinished(socket);
    this.stream = new TcpStream(this);
  }

  get health(): LocalHealth | undefined {
    return this.tunnel?.health;
  }

  get backlogBytes(): number {
    return this.out.bytes;
  }

  write(bytes: Uint8Array, start: number, end: number): void {
    if (!this.open) return;
    this.out.write(this.socket, bytes, start, end);
    this.endIfBroken();
  }

  /** Half-closes after the last byte. */
  shutdown(): void {
    if (this.open) this.out.shutdown(this.socket);
  }

  /** Both directions are done, or nobody knows better. */
  finish(): void {
    if (this.socket === null || this.out.bytes > 0) return;
    this.out.finished(this.socket);
    this.socket.end();
  }

  destroy(): void {
    this.socket?.terminate();
  }

  /** Nothing is read before there is an agent to give it to. */
  hold(): void {
    this.pauseReading();
    if (this.open) held.add(this);
  }

  /** Whoever said something may well have half-closed, and waits for an answer; whoever said nothing has left, and its place is for others. */
  lookAgain(): void {
    if (this.socket !== null && hasEndedUnread(this.socket)) this.destroy();
  }

  pauseReading(): void {
    this.pause(pausedByStream);
  }

  resumeReading(): void {
    held.delete(this);
    this.unpause(pausedByStream);
  }

  protected override room(): number {
    return this.stream.room();
  }

  received(chunk: Buffer): void {
    this.restAfterLarge(chunk.length);
    this.stream.sendRequest(chunk, 0, chunk.length);
    freeLarge(chunk);
  }

  drain(): void {
    if (this.socket !== null) this.out.flush(this.socket);
    this.endIfBroken();
    this.stream.drained();
  }

  ended(): void {
    this.stream.visitorEnded();
  }

  /** Of a reset that a write was told of Bun says nothing while the visitor isn't read, and `end` otherwise. */
  private endIfBroken(): void {
    if (this.out.isBroken) this.destroy();
  }

  closed(error?: Error): void {
    if (!this.open) return;
    this.open = false;
    held.delete(this);
    if (this.out.hasShut && error === undefined && !this.out.isBroken && !this.hasThrown) this.stream.visitorEnded();
    else this.stream.visitorGone();
    this.release(this.stream.bytesIn, this.stream.bytesOut);
    if (this.tunnel === null) return;
    this.tunnel.connectionClosed(this.stream);
  }
}

class TcpStream extends StreamFlow {
  readonly openFlags = RAW;
  private visitorDone = false;
  private agentDone = false;
  private over = false;

  constructor(private readonly connection: TcpConnection) {
    super(connection);
  }

  opened(): void {
    this.flushRequest();
  }

  fail(): void {
    if (this.over) return;
    this.over = true;
    this.connection.destroy();
  }

  visitorEnded(): void {
    this.visitorDone = true;
    this.sendRequestEnd(null);
  }

  visitorGone(): void {
    if (this.over) return;
    this.over = true;
    this.session?.reset(this, resetCode.cancel, "the visitor closed the connection");
  }

  drained(): void {
    this.visitorDrained();
    this.finishIfDone();
  }

  protected requestSent(): void {
    this.finishIfDone();
  }

  onHead(): void {
    this.broken();
  }

  onData(bytes: Buffer, start: number, end: number): void {
    if (this.bytesOut === 0) this.connection.health?.hasAnswered();
    this.connection.write(bytes, start, end);
    this.received(end - start);
  }

  onEnd(): void {
    this.agentDone = true;
    this.connection.shutdown();
    this.finishIfDone();
  }

  onReset(code: number, reason: string): void {
    const { health } = this.connection;
    if (code === resetCode.unreachable) health?.failed(reason);
    else if (code === resetCode.localFailed && this.bytesOut === 0) health?.doubted();
    this.over = true;
    this.connection.destroy();
  }

  onSessionLost(): void {
    this.over = true;
    this.connection.destroy();
  }

  onTick(): void {}

  /** Nobody can tell an idle connection from one that waits for an answer, except by how long it has been silent. */
  endIfQuiet({ now, inAllMs }: Leaving): void {
    if (this.over || this.silentMs(now) < inAllMs) return;
    this.over = true;
    this.session?.reset(this, resetCode.cancel, "the server is leaving");
    this.connection.finish();
  }

  private finishIfDone(): void {
    if (this.over || !this.visitorDone || !this.agentDone || this.hasQueued || this.connection.backlogBytes > 0) return;
    this.over = true;
    this.session?.remove(this);
    this.connection.finish();
  }

  private broken(): void {
    this.over = true;
    this.session?.reset(this, resetCode.protocol, "a response head on a TCP stream");
    this.connection.destroy();
  }
}

const closedConnection = new TcpConnection(null, null, () => {});
closedConnection.closed();

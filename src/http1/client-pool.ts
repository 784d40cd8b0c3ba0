// Pooled connections of the HTTP/1.1 client to one target: idle ones are used again for a few seconds.

import { ClientConnection, type ClientHandler, type ConnectionKeeper, type SocketEnd } from "./client-connection.ts";
import { dial, isPlain, type Target } from "./client-dial.ts";

const idleMs = 4_000;
/** Where more requests than this come and go at once, dialing for them takes more than answering them (measured: three times, with 512). */
const mostIdle = 1_024;

/**
 * Keeps at most `maxIdle` connections to `target` for reuse, for 4 s (shorter than the 5 s after which node:http closes). `maxOpen` is
 * the caller's to keep: it asks `isFull` first.
 */
export class ClientPool implements ConnectionKeeper {
  private readonly idle: ClientConnection[] = [];
  private readonly open = new Set<ClientConnection>();
  private timer: ReturnType<typeof setInterval> | null = null;
  /** `performance.now()` of the last sweep: at most a second ago while something is idle, which is near enough. */
  private sweptAt = 0;

  constructor(
    readonly target: Target,
    private readonly maxIdle = mostIdle,
    private readonly maxOpen = Infinity,
  ) {}

  /** Whether as many connections are in use as may be. */
  get isFull(): boolean {
    return this.idle.length === 0 && this.open.size >= this.maxOpen;
  }

  /** Takes an idle connection or dials a new one (`fresh` insists on that). Write the request at once; it waits if it must. */
  begin(handler: ClientHandler, isHead: boolean, fresh = false): ClientConnection {
    const connection = (fresh ? undefined : this.idle.pop()) ?? this.dial();
    connection.begin(handler, isHead);
    return connection;
  }

  /** Whether one of its connections is that between these two ends, ours first. */
  has(near: SocketEnd, far: SocketEnd): boolean {
    if (!("port" in this.target) || this.target.port !== far.port) return false;
    return this.open.values().some((connection) => connection.isBetween(near, far));
  }

  /** Closes idle connections and those in use. */
  close(): void {
    if (this.timer !== null) clearInterval(this.timer);
    this.timer = null;
    for (const connection of this.open) connection.destroy();
  }

  release(connection: ClientConnection): void {
    if (this.idle.length >= this.maxIdle) return connection.destroy();
    this.timer ??= this.startSweep();
    connection.idleSince = this.sweptAt;
    this.idle.push(connection);
  }

  forget(connection: ClientConnection): void {
    this.open.delete(connection);
    const index = this.idle.indexOf(connection);
    if (index >= 0) this.idle.splice(index, 1);
  }

  private dial(): ClientConnection {
    const { target } = this;
    const connection = new ClientConnection(this, isPlain(target));
    this.open.add(connection);
    dial(connection, target);
    return connection;
  }

  private startSweep(): ReturnType<typeof setInterval> {
    this.sweptAt = performance.now();
    const timer = setInterval(() => {
      this.sweptAt = performance.now();
      const limit = this.sweptAt - idleMs;
      while (this.idle.length > 0 && this.idle[0]!.idleSince < limit) this.idle[0]!.destroy();
      if (this.idle.length > 0) return;
      clearInterval(timer);
      this.timer = null;
    }, 1_000);
    timer.unref();
    return timer;
  }
}

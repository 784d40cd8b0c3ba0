// The public ports of a shard's TCP tunnels: open from the first session until the lease ends, also while no agent is there.

import type { NameEntry } from "../src/link/messages.ts";
import { portOf } from "../src/link/shard-of.ts";
import { listenTcp } from "./tcp.ts";
import type { Tunnel } from "./tunnel.ts";

export interface TcpPortsHost {
  readonly tcpHost: string;
  entry(name: string): NameEntry | undefined;
  /** The tunnel of a name now, be it one that only waits for its agent; undefined when there is none. */
  tunnel(entry: NameEntry): Tunnel | undefined;
  /** Counts one more connection for this name from this address; null when there are as many as may be. The returned function is called when it is over. */
  admit(entry: NameEntry, address: string): (() => void) | null;
}

export class TcpPorts {
  private readonly listening = new Map<string, { stop(): void }>();
  private isLeaving = false;

  constructor(private readonly host: TcpPortsHost) {}

  /** A session serves the name. Returns why its port can't be opened; null when it is open, the name is no port's, or the server is leaving. */
  open(name: string): string | null {
    const port = portOf(name);
    if (port === null || this.isLeaving || this.listening.has(name)) return null;
    const { host } = this;
    try {
      const listener = listenTcp(host.tcpHost, port, {
        resolve: (address) => {
          const entry = host.entry(name);
          const tunnel = entry === undefined ? undefined : host.tunnel(entry);
          if (entry === undefined || tunnel === undefined || tunnel.isFull) return null;
          const release = host.admit(entry, address);
          return release === null ? null : { tunnel, release };
        },
      });
      this.listening.set(name, listener);
      return null;
    } catch (error) {
      return `Port ${port} can't be opened on the server: ${error instanceof Error ? error.message : String(error)}`;
    }
  }

  /** Names were leased, lost their agents, or were given up. */
  follow(set: readonly NameEntry[], removed: readonly string[]): void {
    for (const name of removed) {
      this.listening.get(name)?.stop();
      this.listening.delete(name);
    }
    // After a restart there was no session yet. What goes wrong here the agent is told when it comes.
    for (const { name, heldUntilMs } of set) if (heldUntilMs > Date.now()) this.open(name);
  }

  /** The server is leaving: a successor may want the ports. */
  close(): void {
    this.isLeaving = true;
    for (const listener of this.listening.values()) listener.stop();
    this.listening.clear();
  }
}

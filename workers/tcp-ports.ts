// The public ports of a shard's TCP tunnels: open from the registration until the lease ends, also while no agent is there.

import type { AccessLog } from "../src/ingress/access-log.ts";
import type { NameEntry } from "../src/link/messages.ts";
import { portOf } from "../src/link/shard-of.ts";
import { listenTcp } from "./tcp.ts";
import type { Tunnel } from "./tunnel.ts";

export interface TcpPortsHost {
  readonly tcpHost: string;
  readonly domain: string;
  readonly accessLog: AccessLog | null;
  entry(name: string): NameEntry | undefined;
  /** The tunnel of a name now, be it one that only waits for its agent; undefined when there is none. */
  tunnel(entry: NameEntry): Tunnel | undefined;
  /** Counts one more connection for this name from this address; null when there are as many as may be. The returned function is called when it is over. */
  admit(entry: NameEntry, address: string): (() => void) | null;
}

const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use there by another program",
  EACCES: "the server has no right to it",
  EADDRNOTAVAIL: "TCP_HOST is no address of that machine",
};

export class TcpPorts {
  private readonly listening = new Map<string, { stop(): void }>();
  private isLeaving = false;

  constructor(private readonly host: TcpPortsHost) {}

  /** Somebody registers for the name. Returns why its port can't be opened, in one sentence; null when it is open, nobody's, or the server is leaving. */
  open(name: string): string | null {
    const port = portOf(name);
    const { host } = this;
    if (port === null || this.isLeaving || this.listening.has(name) || host.entry(name) === undefined) return null;
    try {
      const listener = listenTcp(host.tcpHost, port, {
        resolve: (address) => {
          const entry = host.entry(name);
          const tunnel = entry === undefined ? undefined : host.tunnel(entry);
          if (entry === undefined || tunnel === undefined || tunnel.isFull) return null;
          const release = host.admit(entry, address);
          if (release === null) return null;
          const access = { startedAt: performance.now(), address, host: `${host.domain}:${port}` };
          return {
            tunnel,
            release(bytesIn, bytesOut) {
              release();
              host.accessLog?.tcp({ ...access, bytesIn, bytesOut });
            },
          };
        },
      });
      this.listening.set(name, listener);
      return null;
    } catch (error) {
      const code = error instanceof Error && "code" in error ? String(error.code) : "";
      return `Port ${port} can't be opened on the server: ${reasons[code] ?? `the system says ${code || "no"}`}.`;
    }
  }

  /** Names were leased, lost their agents, or were given up. */
  follow(set: readonly NameEntry[], removed: readonly string[]): void {
    for (const name of removed) {
      this.listening.get(name)?.stop();
      this.listening.delete(name);
    }
    // After a restart nobody has registered yet. What goes wrong here the agent is told when it comes.
    for (const { name, heldUntilMs } of set) if (heldUntilMs > Date.now()) this.open(name);
  }

  /** The server is leaving: a successor may want the ports. */
  close(): void {
    this.isLeaving = true;
    for (const listener of this.listening.values()) listener.stop();
    this.listening.clear();
  }
}

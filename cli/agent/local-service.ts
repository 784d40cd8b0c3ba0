// The one local service behind a tunnel: its pool of connections, and whether it answers.

import type { ClientFailure } from "../../src/http1/client-connection.ts";
import { ClientPool } from "../../src/http1/client-pool.ts";
import { tryTarget } from "../../src/http1/client-trial.ts";
import type { Checked } from "../../src/protocol/frames.ts";
import type { TunnelSpec } from "./types.ts";

const checkTimeoutMs = 5_000;

/** The target is fixed by the command line; nothing that a server sends can change it. */
export class LocalService {
  readonly pool: ClientPool;
  /** For people: `http://localhost:3000`. */
  readonly label: string;
  /** What the Host header becomes; null keeps the visitor's. */
  readonly host: string | null;
  private state: "up" | "down" | null = null;
  /** It has spoken HTTP. */
  private hasAnswered = false;

  constructor(
    private readonly spec: TunnelSpec,
    private readonly changed: (state: "up" | "down", why: string | null, connectMs: number | null) => void,
  ) {
    const { localHost, localPort, hostHeader } = spec;
    const bracketed = localHost.includes(":") ? `[${localHost}]` : localHost;
    const scheme = spec.protocol === "tcp" ? "tcp" : spec.localHttps ? "https" : "http";
    this.label = `${scheme}://${bracketed}:${localPort}`;
    const local = localPort === (spec.localHttps ? 443 : 80) ? bracketed : `${bracketed}:${localPort}`;
    this.host = hostHeader === "preserve" ? null : hostHeader === "rewrite" ? local : hostHeader;
    const tls = spec.localHttps ? { rejectUnauthorized: !spec.insecureLocal, serverName: localHost } : undefined;
    this.pool = new ClientPool({ hostname: localHost, port: localPort, tls });
  }

  up(connectMs: number | null = null): void {
    if (this.state === "up") return;
    this.state = "up";
    this.changed("up", null, connectMs);
  }

  /** An answer has begun. */
  answered(): void {
    this.hasAnswered = true;
    this.up();
  }

  /** A failure in words for the user. Of what speaks TLS some send an alert to plain HTTP, most just close. */
  explain(failure: ClientFailure, answered: boolean, detail: string): string {
    const { protocol, localHttps } = this.spec;
    if (protocol === "tcp" || localHttps) return detail;
    if (failure === "tls") return "the local service seems to speak TLS: give --local-https";
    const isMute = failure === "broken" && !answered && !this.hasAnswered;
    return isMute ? `${detail}; if the local service speaks TLS, give --local-https` : detail;
  }

  down(why: string): void {
    if (this.state === "down") return;
    this.state = "down";
    this.changed("down", why, null);
  }

  /** Tries now whether a request would get a connection. Never rejects. */
  async check(): Promise<Checked> {
    const result = await tryTarget(this.pool.target, checkTimeoutMs);
    if (!result.ok) {
      this.down(result.why);
      return { ok: false, error: result.why };
    }
    const ms = Math.round(result.ms * 100) / 100;
    this.up(ms);
    return { ok: true, ms };
  }
}

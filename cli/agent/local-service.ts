// The one local service behind a tunnel: its pool of connections, and whether it answers.

import type { ClientFailure } from "../../src/http1/client-connection.ts";
import { ClientPool } from "../../src/http1/client-pool.ts";
import { certificateRefused } from "../../src/http1/client-dial.ts";
import { tookTooLong, tryTarget } from "../../src/http1/client-trial.ts";
import type { Checked } from "../../src/protocol/frames.ts";
import { parseEnds } from "./proxy-header.ts";
import type { OpenFrame } from "./session-owner.ts";
import type { TunnelSpec } from "./types.ts";

const checkTimeoutMs = 5_000;
/** A service that runs closes a connection that was closed to it, however slow its pages are. */
const stuckAfterMs = 2_000;
const loopWhy = "it is the tunnel's own public port: every connection would come back here";
const stuckWhy = "it takes connections, but leaves them alone: it seems to be stopped or stuck";

/** Requests had no answer when `heard` was all that was heard. */
interface Silence {
  readonly heard: number;
  /** Why it is down although it takes connections; null: it need not be. */
  readonly why: string | null;
  /** It was seen to take a connection without looking after it. */
  readonly wasStuck: boolean;
}

/** The target is fixed by the command line; nothing that a server sends can change it. */
export class LocalService {
  readonly pool: ClientPool;
  /** For people: `http://localhost:3000`. */
  readonly label: string;
  /** What the Host header becomes; null keeps the visitor's. */
  readonly host: string | null;
  private state: "up" | "down" | null = null;
  /** What was wrong at the last check; null: nothing, or it has been up since. */
  private found: string | null = null;
  /** It has spoken HTTP. */
  hasAnswered = false;
  /** Grows with all that it says to requests. */
  heard = 0;
  private silence: Silence | null = null;
  /** How many connections to it have come back as visitors. */
  private loops = 0;

  constructor(
    readonly spec: TunnelSpec,
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
    this.silence = null;
    this.found = null;
    if (this.state === "up") return;
    this.state = "up";
    this.changed("up", null, connectMs);
  }

  /** An answer has begun. */
  answered(): void {
    this.hasAnswered = true;
    this.heard++;
    this.up();
  }

  /** A request that was sent when `heardBefore` was all that was heard got no answer in time. */
  silent(why: string, heardBefore: number): void {
    this.mute(this.explain("broken", false, why), heardBefore);
  }

  /** A request that was sent when `heardBefore` was all that was heard got no connection in time. */
  unreached(heardBefore: number): void {
    if (this.heard === heardBefore) this.down(tookTooLong);
  }

  /** A visitor left before its request, sent when `heardBefore` was all that was heard, had an answer. That proves nothing, but checks look closer. */
  left(heardBefore: number): void {
    this.silence = this.silenceSince(heardBefore) ?? this.silence;
  }

  /**
   * A request got a connection and no answer, for `why` in words for the user. The service is down unless it has said something since: of
   * one that answers others meanwhile a slow page tells nothing. From then on it proves nothing that it takes connections, until it says
   * something, or was seen to take none, as happens when it is started anew, or to be stuck and then no more.
   */
  mute(why: string, heardBefore: number): void {
    const silence = this.silenceSince(heardBefore);
    if (silence !== null) this.keepDown({ ...silence, why });
  }

  /** Null: it has said something since. */
  private silenceSince(heard: number): Silence | null {
    // TCP owes nobody an answer.
    if (this.spec.protocol === "tcp" || this.heard !== heard) return null;
    return this.silence?.heard === heard ? this.silence : { heard, why: null, wasStuck: false };
  }

  private keepDown(silence: Silence & { why: string }): void {
    this.down(silence.why);
    this.silence = silence;
  }

  /** A failure in words for the user; `answered`: bytes of an answer had come. Of what speaks TLS some send an alert to plain HTTP, most just close. */
  explain(failure: ClientFailure, answered: boolean, detail: string): string {
    const { protocol, localHttps } = this.spec;
    if (protocol === "tcp") return detail;
    if (localHttps) return detail.startsWith(certificateRefused) ? `${detail}; --insecure-local accepts it` : detail;
    if (failure === "tls") return "the local service seems to speak TLS: give --local-https";
    const isMute = failure === "broken" && !answered && !this.hasAnswered;
    return isMute ? `${detail}; if the local service speaks TLS, give --local-https` : detail;
  }

  /** Why a visitor of a TCP tunnel gets no connection; null: it gets one. Who is at the other end of a connection to the service would go round for ever. */
  refuses({ bytes, start, end }: OpenFrame): string | null {
    const ends = parseEnds(bytes, start, end);
    if (ends === null || !this.pool.has(...ends)) return null;
    this.loops++;
    this.down(loopWhy);
    return loopWhy;
  }

  down(why: string): void {
    this.silence = null;
    if (this.state === "down") return;
    this.state = "down";
    this.changed("down", why, null);
  }

  /** Tries now whether a request would get a connection, and an answer as far as that is known. Never rejects. */
  async check(): Promise<Checked> {
    const isInDoubt = this.silence?.heard === this.heard;
    const { loops } = this;
    const result = await tryTarget(this.pool.target, checkTimeoutMs, isInDoubt ? stuckAfterMs : 0);
    if (!result.ok || this.loops > loops) {
      const error = result.ok || this.loops > loops ? loopWhy : this.explain("unreachable", false, result.why);
      // What requests meet of the same trouble reads differently: only another finding of a check is news.
      if (this.found !== null && this.found !== error) this.state = null;
      this.down(error);
      this.found = error;
      return { ok: false, error };
    }
    const { silence } = this;
    if (silence?.heard === this.heard) {
      if (!result.isStuck && silence.wasStuck) {
        // Its death may have closed the connection: another one must stand.
        this.silence = null;
        return this.check();
      }
      const why = silence.why ?? (result.isStuck ? stuckWhy : null);
      if (why !== null) {
        this.keepDown({ ...silence, why, wasStuck: result.isStuck });
        return { ok: false, error: why };
      }
    }
    const ms = Math.round(result.ms * 100) / 100;
    this.up(ms);
    return { ok: true, ms };
  }
}

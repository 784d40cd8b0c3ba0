// What is told of one tunnel: that it is up, lost, tried again or refused, and each request.

import type { ExchangeReport } from "./local-exchange.ts";
import { createOnce } from "./once.ts";
import type { Registration } from "./register.ts";
import type { AgentEvent, TunnelSpec } from "./types.ts";

export class TunnelNews {
  /** Its public URL, as last announced. */
  url: string | null = null;
  /** It was announced, and no loss of it since. */
  isUp = false;
  /** Each session of a start may say the same. */
  private readonly notices = createOnce((message) => this.tell({ event: "notice", time: now(), message }));

  /** `local`: what the local service is called. */
  constructor(
    private readonly tell: (event: AgentEvent) => void,
    private readonly spec: TunnelSpec,
    private readonly local: string,
  ) {}

  up({ url, subdomain, tunnelId, port }: Registration): void {
    this.isUp = true;
    this.url = url;
    this.notices.forget();
    this.tell({ event: "tunnel.ready", time: now(), url, subdomain, tunnelId, local: this.local, port });
  }

  down(url: string, reason: string): void {
    this.isUp = false;
    this.tell({ event: "tunnel.lost", time: now(), url, local: this.local, reason });
  }

  sessions(url: string, open: number, wanted: number): void {
    this.tell({ event: "session", time: now(), url, open, wanted });
  }

  retry(inMs: number, reason: string): void {
    this.tell({ event: "tunnel.retry", time: now(), ...this.name, inMs, reason });
  }

  refused(code: string, message: string): void {
    this.tell({ event: "refused", time: now(), ...this.name, code, message });
  }

  notice(message: string): void {
    this.notices.tell(message);
  }

  request(url: string, report: ExchangeReport): void {
    const { method, path, status, bytesIn, bytesOut, error, cancelled } = report;
    const durationMs = Math.round(report.durationMs * 100) / 100;
    const end = { durationMs, bytesIn, bytesOut, error, cancelled };
    if (method === "TCP") this.tell({ event: "connection", time: now(), url, address: path, ...end });
    else this.tell({ event: "request", time: now(), url, method, path, status, ...end });
  }

  localStatus(state: "up" | "down", why: string | null, connectMs: number | null): void {
    this.tell({ event: "local.status", time: now(), local: this.local, state, why, connectMs });
  }

  private get name() {
    return { url: this.url, subdomain: this.spec.subdomain, local: this.local };
  }
}

function now(): string {
  return new Date().toISOString();
}

// What is known of a tunnel's local service: proofs from traffic, and checks that the agent makes when asked.

import type { LocalStatus } from "../src/link/messages.ts";
import type { Checked } from "../src/protocol/frames.ts";

/** How long an agent may take over a check, and how many may be under way. */
const checkTimeoutMs = 8_000;
const maxChecks = 64;

/** What `LocalHealth` needs of its tunnel. */
export interface CheckedService {
  readonly checkIntervalMs: number;
  /** Several agents serve it, each with a local service of its own. */
  readonly isShared: boolean;
  /** Sends a check to each agent; returns to how many. */
  sendCheck(id: number): number;
  /** The state (not just its proof) is another one. */
  healthChanged(status: LocalStatus): void;
}

interface Check {
  readonly id: number;
  readonly until: number;
  /** Agents that have not answered. */
  open: number;
  done(result: LocalStatus): void;
}

const unknown: LocalStatus = { state: "unknown" };

/**
 * While the service is down, or in doubt, it is checked every `checkIntervalMs` until it is up again. Of agents that share the tunnel all are
 * asked: one whose service is down makes it down, as its share of the visitors will say.
 */
export class LocalHealth {
  status: LocalStatus = unknown;
  private answered = false;
  /** It is down for another reason than was reported. */
  private hasOtherWhy = false;
  private nextCheckAt = 0;
  /** Under way; few, and mostly none. */
  private checks: Check[] = [];
  private checkId = 1;

  constructor(private readonly service: CheckedService) {}

  /** The local service sent an answer: proof that it is up. Once a request, so it only leaves a note for `settle`. */
  hasAnswered(): void {
    this.answered = true;
  }

  /** Takes the note of `hasAnswered` into the status; true when there is something to report that `healthChanged` didn't tell. */
  settle(): boolean {
    const { hasOtherWhy } = this;
    this.hasOtherWhy = false;
    if (!this.answered) return hasOtherWhy;
    this.answered = false;
    // Another agent's service may have answered than the one that is down.
    if (this.service.isShared && this.status.state === "down") return hasOtherWhy;
    const connectMs = this.status.state === "up" ? this.status.connectMs : null;
    this.set({ state: "up", provenAtMs: Date.now(), connectMs });
    return true;
  }

  failed(why: string): void {
    this.answered = false;
    const now = Date.now();
    const before = this.status.state === "down" ? this.status : null;
    this.hasOtherWhy ||= before !== null && before.why !== why;
    const sinceMs = before?.sinceMs ?? now;
    this.set({ state: "down", sinceMs, provenAtMs: now, why });
    this.doubted();
  }

  /** A connection to the service came to nothing, which says little by itself: a check will tell. */
  doubted(now = performance.now()): void {
    this.nextCheckAt ||= now + this.service.checkIntervalMs;
  }

  /** Asks the agents now; `done` (if any) gets the status, also when no answer came. False: nobody could be asked. */
  check(done: (status: LocalStatus) => void = () => {}): boolean {
    if (this.checks.length >= maxChecks) return false;
    const id = this.checkId++ & 0x7fffffff;
    const open = this.service.sendCheck(id);
    if (open === 0) return false;
    this.checks.push({ id, open, done, until: performance.now() + checkTimeoutMs });
    return true;
  }

  /** An agent's answer to check `id`; nothing when nobody asked. `whose`: said behind the reason when the service is down. */
  checked(result: Checked, id: number, whose = ""): void {
    const check = this.checks.find((one) => one.id === id);
    if (check === undefined) return;
    if (result.ok === true && --check.open > 0) return;
    this.checks = this.checks.filter((one) => one !== check);
    if (result.ok === true) {
      const connectMs = typeof result.ms === "number" && result.ms >= 0 ? result.ms : null;
      this.nextCheckAt = 0;
      this.set({ state: "up", provenAtMs: Date.now(), connectMs });
    } else this.failed((typeof result.error === "string" ? result.error.slice(0, 200) : "no connection") + whose);
    check.done(this.status);
  }

  /** Called about once a second with `performance.now()`. */
  tick(now: number): void {
    if (this.checks.length > 0) this.expireChecks(now);
    if (this.nextCheckAt === 0 || now < this.nextCheckAt) return;
    this.nextCheckAt = now + this.service.checkIntervalMs;
    this.check();
  }

  /** The tunnel is gone: whoever waits for an answer gets what was known. */
  close(): void {
    for (const { done } of this.checks.splice(0)) done(this.status);
  }

  private expireChecks(now: number): void {
    const late = this.checks.filter(({ until }) => until <= now);
    this.checks = this.checks.filter(({ until }) => until > now);
    for (const { done } of late) done(this.status);
    // Its session may have been lost: the agent is still to be heard.
    if (late.length > 0) this.doubted(now);
  }

  private set(status: LocalStatus): void {
    const before = this.status.state;
    this.status = status;
    if (before !== status.state) this.service.healthChanged(status);
  }
}

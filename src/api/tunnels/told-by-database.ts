// What the database tells, whoever wrote to it: applications, policies, credentials and lists, applied to what is live.

import type { Change } from "../../db/changes.ts";
import type { TunnelCredential } from "../../db/credentials.ts";
import type { Queryable } from "../../db/database.ts";
import type { Logger } from "../../lib/log.ts";
import { agentRanges, refreshCredential } from "./credential.ts";
import type { NameDirectory } from "./directory.ts";
import type { LeaseLife } from "./lease-life.ts";
import type { LeaseTable } from "./lease-table.ts";
import { isBusy } from "./lease.ts";

export interface DatabaseNewsDeps {
  db: Queryable;
  leases: LeaseTable;
  life: LeaseLife;
  directory: NameDirectory;
  agentWhitelist: readonly string[];
  log: Logger;
  nowMs: () => number;
}

/** Kinds of change that can alter a compiled policy, besides the application's own. */
const recompiling = new Set(["policy", "rate_limit", "api_key"]);
/** Kinds of change that leave every agent as allowed as it was. */
const harmless = new Set(["policy", "rate_limit", "session", "settings", "lease"]);
const longestRetryMs = 5_000;

export class DatabaseNews {
  /** Rises with every change that was heard, before it is applied: what was read at an older count may be out of date. */
  heard = 0;
  private applying: Promise<void> = Promise.resolve();
  private stopped = false;

  constructor(private readonly deps: DatabaseNewsDeps) {}

  /** Runs `work` in turn with the changes, so that none is applied to what is only half read. */
  inTurn(work: () => Promise<void>): Promise<void> {
    const done = this.applying.then(work);
    this.applying = done.catch(() => undefined);
    return done;
  }

  /** For the feed: changes are applied one after the other, and again until the database lets them. */
  hear(changes: Change[]): void {
    this.heard++;
    this.applying = this.applying.then(() => this.applyUntilDone(changes));
  }

  async stop(): Promise<void> {
    this.stopped = true;
    await this.applying;
  }

  private async applyUntilDone(changes: Change[]): Promise<void> {
    for (let waitMs = 50; !this.stopped; waitMs = Math.min(waitMs * 2, longestRetryMs)) {
      try {
        return await this.apply(changes);
      } catch (error) {
        this.deps.log.error("a change could not be applied yet", { error: String(error) });
        await Bun.sleep(waitMs);
      }
    }
  }

  private async apply(changes: Change[]): Promise<void> {
    const { directory } = this.deps;
    for (const { kind, refId } of changes) {
      if (kind !== "application") continue;
      await directory.refreshApplication(refId);
      this.closeStrangers(refId);
    }
    const policies = changes.filter(({ kind }) => recompiling.has(kind));
    const orgIds = new Set(policies.map(({ orgId }) => orgId));
    for (const orgId of orgIds.has(null) ? [null] : orgIds) await directory.recompile(orgId);
    if (changes.some(({ kind }) => !harmless.has(kind))) await this.recheckAgents();
  }

  /**
   * Agents of the application under a name that is not (any more) its own are closed, whether the directory learned of that here or by a
   * registration that was faster; so is whoever else has a name that became the application's, and that lease ends.
   */
  private closeStrangers(appId: string): void {
    const { leases, life, directory } = this.deps;
    for (const lease of [...leases.all()]) {
      const isOwn = lease.appId === appId;
      if (isOwn === (directory.ownerOf(lease.name) === appId)) continue;
      for (const agent of lease.agents.values()) life.closeAgent(lease, agent, "application_changed");
      if (!isOwn) life.end(lease, "application_changed");
    }
  }

  /** Every busy agent is judged again: its credential, and the ranges from which it may connect. */
  private async recheckAgents(): Promise<void> {
    const { leases, life, nowMs } = this.deps;
    const judge = this.createJudge();
    for (const lease of [...leases.all()]) {
      // Away, too: a ticket that is still out brings the agent back.
      if (lease.state === "kept") continue;
      const allow = new Set<string>();
      let isCurrent = false;
      for (const agent of [...lease.agents.values()]) {
        if (agent.ending || !isBusy(agent, nowMs())) continue;
        const judged = await judge(agent.credential);
        // Registered anew while the database was asked: that registration has read what is in force, and sent it.
        isCurrent = lease.agents.get(agent.agentId) === agent;
        if (!isCurrent) break;
        if (judged === null) life.closeAgent(lease, agent, "credential_revoked");
        else {
          agent.credential = judged.credential;
          for (const range of judged.ranges) allow.add(range);
        }
      }
      const ranges = [...allow].sort();
      if (!isCurrent || Bun.deepEquals(lease.allow, ranges)) continue;
      lease.allow = ranges;
      life.send(lease, { type: "agent-allow", tunnelId: lease.tunnelId, allow: ranges });
    }
  }

  /** Asks once per credential and once per set of lists. */
  private createJudge() {
    const { db, agentWhitelist, nowMs } = this.deps;
    const credentials = new Map<string, TunnelCredential | null>();
    const lists = new Map<string, string[]>();
    return async (old: TunnelCredential) => {
      const key = `${old.tokenHash} ${old.orgId} ${old.appId}`;
      const credential = credentials.has(key)
        ? (credentials.get(key) ?? null)
        : await refreshCredential(db, old, nowMs());
      credentials.set(key, credential);
      if (credential === null) return null;
      const listsKey = `${credential.accountId} ${credential.orgId} ${credential.appId}`;
      const ranges = lists.get(listsKey) ?? (await agentRanges(db, credential, agentWhitelist));
      lists.set(listsKey, ranges);
      return { credential, ranges };
    };
  }
}

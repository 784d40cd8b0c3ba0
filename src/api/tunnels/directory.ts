// What every shard knows by name: entries of applications and leased names, compiled here and pushed where they belong.

import { type ApplicationName, findApplicationName, listApplicationNames } from "../../db/credentials.ts";
import type { Queryable } from "../../db/database.ts";
import type { NameOwner } from "../../db/policies.ts";
import { createLanes } from "../../lib/lanes.ts";
import type { NameEntry } from "../../link/messages.ts";
import type { ShardLink } from "../../link/shard-link.ts";
import { shardOf } from "../../link/shard-of.ts";
import type { CompiledPolicy } from "../../policy/types.ts";
import type { Lease } from "./lease.ts";

/** Compiles the policies of names; what is wrong with them denies everybody. All throw StorageFailure when the database can't be read now. */
export interface PolicyCompiler {
  compileForName(name: string): Promise<CompiledPolicy>;
  compileForOwner(owner: NameOwner): Promise<CompiledPolicy>;
  /** The names of all applications at once. */
  compileForApplications(): Promise<ReadonlyMap<string, CompiledPolicy>>;
}

export interface DirectoryDeps {
  db: Queryable;
  link: ShardLink;
  policies: PolicyCompiler;
}

export class NameDirectory {
  private readonly entries = new Map<string, NameEntry>();
  private readonly applications = new Map<string, ApplicationName>();
  /** What is read of applications is entered in the order of its reading: who waits is the feed of changes, or a registration each. */
  private readonly inTurn = createLanes(1);

  constructor(private readonly deps: DirectoryDeps) {}

  /** Reads every application. Call it before shards ask. */
  load(): Promise<void> {
    return this.inTurn(async () => {
      const policies = await this.deps.policies.compileForApplications();
      for (const application of await listApplicationNames(this.deps.db)) {
        const policy = policies.get(application.subdomain);
        if (policy === undefined) await this.enter(application);
        else this.setApplication(application, policy);
      }
    });
  }

  isApplication(name: string): boolean {
    return this.ownerOf(name) !== null;
  }

  /** The application whose name this is; null when it is nobody's. */
  ownerOf(name: string): string | null {
    return this.entries.get(name)?.appId ?? null;
  }

  /** Sends a fresh shard everything that it owns. */
  snapshot(shard: number): void {
    const set = [...this.entries.values()].filter(({ name }) => shardOf(name, this.deps.link.shards) === shard);
    this.deps.link.send(shard, { type: "names", snapshot: true, set, remove: [] });
  }

  /**
   * A name is leased: its entry must be at the shard before the ticket is. An application's entry is never replaced. `isHeld` is asked
   * when the policy has been read: an ended lease has no entry.
   */
  async lease({ name, appId, orgId }: Pick<Lease, "name" | "appId" | "orgId">, isHeld = () => true): Promise<void> {
    if (appId !== null) {
      // Made a moment ago: its agent is faster than the feed of changes.
      if (this.ownerOf(name) !== appId) await this.refreshApplication(appId);
      return;
    }
    if (this.isApplication(name)) return;
    const policy = await this.deps.policies.compileForOwner({
      name,
      appId: null,
      orgId,
      authMode: null,
      isActive: true,
    });
    if (this.isApplication(name) || !isHeld()) return;
    this.set({ name, appId: null, orgId, policy, heldUntilMs: this.entries.get(name)?.heldUntilMs ?? 0 });
  }

  /** Visitors of a name wait for its agent until then. */
  hold(name: string, untilMs: number): void {
    const entry = this.entries.get(name);
    if (entry !== undefined) this.set({ ...entry, heldUntilMs: untilMs });
  }

  /** A leased name is free again; an application's stays known. */
  release(name: string): void {
    const entry = this.entries.get(name);
    if (entry === undefined) return;
    if (entry.appId === null) this.remove(name);
    else if (entry.heldUntilMs !== 0) this.set({ ...entry, heldUntilMs: 0 });
  }

  /** An application was made, changed or deleted; a name that it had before is its own no longer. */
  refreshApplication(id: string): Promise<void> {
    return this.inTurn(() => this.readApplication(id));
  }

  /** Policies changed: of one organization, or (null) of any. Throws when some could not be read: these names deny everybody until it is called again. */
  recompile(orgId: string | null): Promise<void> {
    return this.inTurn(async () => {
      const failures: unknown[] = [];
      for (const { name, orgId: owner } of [...this.entries.values()])
        if (orgId === null || owner === orgId) await this.recompileName(name).catch((error) => failures.push(error));
      if (failures.length > 0) throw failures[0];
    });
  }

  private async readApplication(id: string): Promise<void> {
    const before = this.applications.get(id);
    const now = await findApplicationName(this.deps.db, id);
    if (before !== undefined && before.subdomain !== now?.subdomain) {
      this.applications.delete(id);
      if (this.ownerOf(before.subdomain) === id) this.remove(before.subdomain);
    }
    if (now !== null) await this.enter(now);
  }

  private async recompileName(name: string): Promise<void> {
    for (;;) {
      const entry = this.entries.get(name);
      if (entry === undefined) return;
      const { policy, failure } = await this.compile(name);
      // Entered anew meanwhile: what was read may be its predecessor's.
      if (this.entries.get(name) !== entry) continue;
      if (!Bun.deepEquals(entry.policy, policy)) this.set({ ...entry, policy });
      if (failure !== null) throw failure;
      return;
    }
  }

  private async enter(application: ApplicationName): Promise<void> {
    const { policy, failure } = await this.compile(application.subdomain);
    this.setApplication(application, policy);
    if (failure !== null) throw failure;
  }

  private setApplication(application: ApplicationName, policy: CompiledPolicy): void {
    const { id, orgId, subdomain: name } = application;
    this.applications.set(id, application);
    this.set({ name, appId: id, orgId, policy, heldUntilMs: this.entries.get(name)?.heldUntilMs ?? 0 });
  }

  /** What can't be read now lets nobody in; `failure` says that it is worth another try. */
  private async compile(name: string): Promise<{ policy: CompiledPolicy; failure: Error | null }> {
    try {
      return { policy: await this.deps.policies.compileForName(name), failure: null };
    } catch (error) {
      const failure = error instanceof Error ? error : new Error(String(error));
      return { policy: { kind: "deny" }, failure };
    }
  }

  private set(entry: NameEntry): void {
    this.entries.set(entry.name, entry);
    this.deps.link.send(shardOf(entry.name, this.deps.link.shards), {
      type: "names",
      snapshot: false,
      set: [entry],
      remove: [],
    });
  }

  private remove(name: string): void {
    if (!this.entries.delete(name)) return;
    this.deps.link.send(shardOf(name, this.deps.link.shards), {
      type: "names",
      snapshot: false,
      set: [],
      remove: [name],
    });
  }
}

// The registry of tunnels on a real database, with fake shards and a clock of the test's own, and tenants made by hand.

import { createSealer } from "../../src/auth/sealing.ts";
import { createToken, hashToken } from "../../src/auth/tokens.ts";
import { createPoliciesInForce } from "../../src/api/policies/in-force.ts";
import type { PolicyCompiler } from "../../src/api/tunnels/directory.ts";
import type { RegisterBody } from "../../src/api/tunnels/permit.ts";
import type { Registered } from "../../src/api/tunnels/register.ts";
import { TunnelRegistry } from "../../src/api/tunnels/registry.ts";
import { loadConfig } from "../../src/config/load.ts";
import { insertAccount } from "../../src/db/accounts.ts";
import { insertApiKey, type ApiKeyRow } from "../../src/db/api-keys.ts";
import { insertApplication } from "../../src/db/applications.ts";
import type { ChangeKind } from "../../src/db/changes.ts";
import type { Trx } from "../../src/db/database.ts";
import { insertOrganization } from "../../src/db/organizations.ts";
import { insertWhitelistEntry } from "../../src/db/whitelist-entries.ts";
import { AppError, type ErrorCode } from "../../src/lib/errors.ts";
import { newId } from "../../src/lib/ids.ts";
import { createLogger } from "../../src/lib/log.ts";
import type { AuditEntry } from "../../src/observe/audit.ts";
import type { TestDatabase } from "./databases.ts";
import { FakeShards } from "./fake-shards.ts";
import { fakeAudit } from "./fake-audit.ts";

export interface Credential {
  id: string;
  token: string;
  orgId: string | null;
}

export type Wish = Partial<RegisterBody> & { address?: string };

/** One life of a server's registry. `await using` ends it; the database stays. */
export interface TestRegistry extends AsyncDisposable {
  registry: TunnelRegistry;
  /** What the registry compiles with. */
  policies: PolicyCompiler;
  shards: FakeShards;
  clock: { nowMs: number };
  audited: AuditEntry[];
  /** Registers; the answer or the refusal. */
  register(credential: Credential | string | null, wish?: Wish): Promise<Registered | AppError>;
  /** Registers, and throws when refused. */
  mustRegister(credential: Credential | string, wish?: Wish): Promise<Registered>;
  /** Registers and opens the first session. */
  serve(credential: Credential, wish?: Wish): Promise<Registered>;
  /** The code of the refusal; null when granted. */
  refusal(credential: Credential | string | null, wish?: Wish): Promise<ErrorCode | null>;
  /** Stores a change of the test's own with its row of the feed. */
  change(kind: ChangeKind, refId: string, orgId: string | null, work: (trx: Trx) => Promise<unknown>): Promise<void>;
  /** Resolves when all changes so far are applied, however long that takes; `registry.caughtUp` gives up after a second. */
  applied(): Promise<void>;
}

const defaultAgent = "agent-one";

export async function openTestRegistry(
  { db }: TestDatabase,
  options: {
    env?: Record<string, string>;
    clock?: { nowMs: number };
    /** 10 unless given. */
    sweepMs?: number;
    /** Waited for when the policy of an ad-hoc name is compiled: in the middle of its registration. */
    duringRegistration?: (name: string) => Promise<void>;
    /** Asked before each query of a policy: what it throws is the query's failure. */
    beforePolicyQuery?: () => void;
  } = {},
): Promise<TestRegistry> {
  const clock = options.clock ?? { nowMs: Date.UTC(2030, 0, 1) };
  const nowMs = () => clock.nowMs;
  const config = loadConfig({
    env: { DOMAIN: "tunnel.test", AGENT_WHITELIST: "127.0.0.0/8", ...options.env },
    file: null,
  });
  const log = createLogger({ level: "error", format: "json" });
  const shards = new FakeShards(3, nowMs);
  const audited: AuditEntry[] = [];
  const usualLimiter = { maxAttempts: 10, windowMs: 60_000, blockMs: 60_000 };
  const inForce = createPoliciesInForce({
    kysely: db.kysely.withPlugin({
      transformQuery({ node }) {
        options.beforePolicyQuery?.();
        return node;
      },
      transformResult: async ({ result }) => result,
    }),
    sealer: createSealer(["k".repeat(32)]),
    ...{ log, usualLimiter },
  });
  const policies: PolicyCompiler = {
    compileForName: inForce.compileForName,
    compileForApplications: inForce.compileForApplications,
    async compileForOwner(owner) {
      const policy = await inForce.compileForOwner(owner);
      await options.duringRegistration?.(owner.name);
      return policy;
    },
  };
  const audit = fakeAudit(audited, nowMs);
  const { sweepMs = 10 } = options;
  const registry = new TunnelRegistry({ db, audit, config, link: shards, policies, log, nowMs, sweepMs });
  shards.hear = (shard, events) => registry.onEvents(shard, events);
  await db.changes.start();
  await registry.start();

  const self: TestRegistry = {
    ...{ registry, shards, clock, audited, policies },
    register(credential, { address = "127.0.0.1", ...wish } = {}) {
      const bearer = typeof credential === "string" || credential === null ? credential : credential.token;
      const body = { agentId: defaultAgent, generation: 1, version: "1.0.0", connections: 1, ...wish };
      return registry.register({ bearer, body, address, requestId: "req_1", isCounted: true });
    },
    async mustRegister(credential, wish) {
      const result = await self.register(credential, wish);
      if (result instanceof AppError) throw result;
      return result;
    },
    async serve(credential, wish) {
      const result = await self.mustRegister(credential, wish);
      if (!shards.open(result.ticket, wish?.address)) throw new Error("the shard refused the ticket");
      return result;
    },
    async refusal(credential, wish) {
      const result = await self.register(credential, wish);
      return result instanceof AppError ? result.code : null;
    },
    async change(kind, refId, orgId, work) {
      await db.transaction(async (trx) => {
        await work(trx);
        await db.changes.record(trx, { kind, refId, orgId, action: "updated" });
      });
    },
    async applied() {
      await db.changes.caughtUp();
      await registry["news"].inTurn(() => Promise.resolve());
    },
    async [Symbol.asyncDispose]() {
      await registry.stop();
      await db.changes.stop();
    },
  };
  return self;
}

export async function addOrganization({ db }: TestDatabase, name: string): Promise<string> {
  const id = newId("org");
  await insertOrganization(db.kysely, { id, name, name_key: name, require_totp: 0, created_at: 0 });
  return id;
}

export async function addAccount({ db }: TestDatabase, name: string, orgId: string | null = null): Promise<Credential> {
  const [id, token] = [newId("acc"), createToken("dlt")];
  const flags = { passwordHash: null, isAdmin: false, isOrgAdmin: false, createdAtMs: 0 };
  await db.transaction((trx) =>
    insertAccount(trx, { id, username: name, usernameKey: name, tokenHash: hashToken(token), orgId, ...flags }),
  );
  return { id, token, orgId };
}

export async function addKey(
  { db }: TestDatabase,
  orgId: string,
  options: Partial<Pick<ApiKeyRow, "app_id" | "scope" | "expires_at">> = {},
): Promise<Credential> {
  const [id, token] = [newId("key"), createToken("dlk")];
  await db.transaction((trx) =>
    insertApiKey(trx, {
      ...{ id, org_id: orgId, app_id: null, key_hash: hashToken(token), prefix: "dlk_", description: "a key" },
      ...{ scope: "tunnel", created_by: null, created_at: 0, expires_at: null, last_used_at: 0 },
      ...options,
    }),
  );
  return { id, token, orgId };
}

/** An application with its row of the feed. */
export async function addApplication({ db }: TestDatabase, orgId: string, subdomain: string): Promise<string> {
  const id = newId("app");
  await db.transaction(async (trx) => {
    await insertApplication(trx, {
      ...{ id, org_id: orgId, subdomain, name: subdomain, auth_mode: "inherit", is_active: 1 },
      ...{ total_connections: 0, bytes_sent: 0, bytes_received: 0, request_count: 0, created_at: 0 },
    });
    await db.changes.record(trx, { kind: "application", refId: id, orgId, action: "created" });
  });
  return id;
}

/** An entry of a list: the system's, or that of an organization, application or account. */
export async function allow(
  { db }: TestDatabase,
  cidr: string,
  owner: { orgId?: string; appId?: string; accountId?: string } = {},
): Promise<string> {
  const id = newId("wl");
  const { orgId = null, appId = null, accountId = null } = owner;
  const level = appId ? "application" : accountId ? "account" : orgId ? "organization" : "system";
  await db.transaction((trx) =>
    insertWhitelistEntry(trx, {
      ...{ id, level, owner_id: appId ?? accountId ?? orgId ?? "", org_id: orgId, app_id: appId },
      ...{ account_id: accountId, cidr, description: "", created_by: null, created_at: 0 },
    }),
  );
  return id;
}

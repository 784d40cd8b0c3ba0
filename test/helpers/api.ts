// The API on a fresh database with a clock of the test's own, called without a socket; remembers what it was told to do.

import { createSessionTokens } from "../../src/auth/jwt.ts";
import { createLimiter } from "../../src/auth/limiter.ts";
import { createPasswords, type PasswordHasher } from "../../src/auth/passwords.ts";
import { createSealer } from "../../src/auth/sealing.ts";
import { createApi, type Feature } from "../../src/api/app.ts";
import type { ApiDeps, ApiSettings, TunnelSelector } from "../../src/api/deps.ts";
import { failuresKeptMs } from "../../src/api/settings.ts";
import { createLimiterStore } from "../../src/db/limiter.ts";
import { AppError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/lib/log.ts";
import type { AuditEntry } from "../../src/observe/audit.ts";
import type { TestDatabase } from "./databases.ts";
import { handleDescribed } from "./described-answers.ts";
import { fakeAudit } from "./fake-audit.ts";

export interface TestAnswer {
  status: number;
  headers: Headers;
  text: string;
  /** The parsed body. */
  body: Record<string, unknown>;
  /** Cookies that were set, by name. */
  cookies: Record<string, string>;
}

/** The code of the error that an answer says; undefined when it says none. */
export function codeOf({ body }: Pick<TestAnswer, "body">): string | undefined {
  return (body["error"] as { code?: string } | undefined)?.code;
}

export interface TestApi {
  deps: ApiDeps;
  clock: { nowMs: number };
  /** Everything audited, in order. */
  audited: AuditEntry[];
  /** What was told to close. */
  closed: (TunnelSelector & { reason: string })[];
  logs: string[];
  /** Milliseconds of each wait that an attempt was slowed by. */
  delays: number[];
  /** Slow hash operations so far. */
  hashes: { hash: number; verify: number };
  /** Every route, those that the document doesn't show as well. */
  routes: { method: string; path: string }[];
  call(method: string, path: string, options?: CallOptions): Promise<TestAnswer>;
  /** As `call`, for answers that are streams. */
  open(method: string, path: string, options?: CallOptions): Promise<Response>;
}

export interface CallOptions {
  body?: unknown;
  headers?: Record<string, string>;
  /** Sent as the session cookie, with the Origin a browser would send. */
  session?: string;
  cookies?: Record<string, string>;
  address?: string;
}

/** Header of a request whose address is a trusted proxy's own, as the ingress marks it. */
export const unnamed = { "x-digit-link-network": "-" };

export const testEncryptionKey = "test encryption key of 32 bytes and more";

const settings: ApiSettings = {
  domain: "tunnel.test",
  dashboardDomain: "tunnel.test",
  scheme: "https",
  serverUrl: "https://tunnel.test",
  visitorRedirectUri: "https://tunnel.test/auth/visitor/callback",
  sessionTtlMs: 24 * 3_600_000,
  pendingLoginTtlMs: 5 * 60_000,
  adminApiTokens: true,
  room: { applications: 1_000, api_keys: 1_000, accounts: 1_000 },
  loginLimit: { maxAttempts: 10, windowMs: 15 * 60_000, blockMs: 30 * 60_000 },
  totpLimit: { maxAttempts: 5, windowMs: 15 * 60_000, blockMs: 15 * 60_000 },
  totpDayLimit: { maxAttempts: 20, windowMs: 24 * 3_600_000, blockMs: 24 * 3_600_000 },
};

/** Creates the API; `auditFails` makes the audit log unwritable. The caller disposes of the database. */
export function createTestApi(
  database: TestDatabase,
  options: {
    settings?: Partial<ApiSettings>;
    auditFails?: () => boolean;
    encryptionKeys?: string[];
    /** What a change waits for before it is answered. */
    caughtUp?: () => Promise<void>;
    /** More features, made from what the API itself has. */
    features?: (deps: ApiDeps) => readonly Feature[];
  } = {},
): TestApi {
  const clock = { nowMs: Date.UTC(2030, 0, 1) };
  const audited: AuditEntry[] = [];
  const closed: TestApi["closed"] = [];
  const logs: string[] = [];
  const delays: number[] = [];
  const hashes = { hash: 0, verify: 0 };
  const hasher: PasswordHasher = {
    async hash(password, cost) {
      hashes.hash += 1;
      return Bun.password.hash(password, { algorithm: "bcrypt", cost });
    },
    async verify(password, hash) {
      hashes.verify += 1;
      return Bun.password.verify(password, hash, "bcrypt");
    },
  };
  const nowMs = () => clock.nowMs;
  const domain = options.settings?.domain ?? settings.domain;
  const set: ApiSettings = { ...settings, dashboardDomain: domain, ...options.settings };
  const store = createLimiterStore(database.db.kysely, failuresKeptMs(set));
  const deps: ApiDeps = {
    db: database.db,
    settings: set,
    passwords: createPasswords({ cost: 4, hasher }),
    sealer: createSealer(options.encryptionKeys ?? [testEncryptionKey]),
    sessionTokens: createSessionTokens({ secret: "x".repeat(32), issuer: "https://tunnel.test", nowMs }),
    limiter: createLimiter({ store, nowMs }),
    audit: {
      ...fakeAudit(audited, nowMs),
      async within(_trx, ...entries) {
        if (options.auditFails?.() === true) throw new AppError("audit_unavailable");
        audited.push(...entries);
      },
    },
    tunnels: {
      async disconnect(what, reason) {
        closed.push({ ...what, reason });
      },
      count: () => 3,
      caughtUp: options.caughtUp ?? (() => Promise.resolve()),
    },
    log: createLogger({ level: "debug", format: "json", write: (line) => void logs.push(line) }),
    nowMs,
    isServing: () => true,
    delay: async (ms) => void delays.push(ms),
  };
  const app = createApi(deps, options.features?.(deps));
  const handle = handleDescribed(app);

  async function open(method: string, path: string, { body, headers, session, cookies, address }: CallOptions = {}) {
    const jar = { ...cookies, ...(session === undefined ? {} : { "__Host-dl_session": session }) };
    const cookie = Object.entries(jar)
      .map(([name, value]) => `${name}=${value}`)
      .join("; ");
    return await handle(
      new Request(`http://localhost${path}`, {
        method,
        headers: {
          "x-digit-link-address": address ?? "203.0.113.7",
          "x-digit-link-host": "tunnel.test",
          "x-digit-link-scheme": "https",
          "x-digit-link-request-id": "req-1",
          ...(cookie === "" ? {} : { cookie, origin: "https://tunnel.test", "sec-fetch-site": "same-origin" }),
          ...(body === undefined ? {} : { "content-type": "application/json" }),
          ...headers,
        },
        ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
      }),
    );
  }
  const call = async (method: string, path: string, more?: CallOptions) => readAnswer(await open(method, path, more));
  const routes = app.routes.map(({ method, path }) => ({ method, path }));
  return { deps, clock, audited, closed, logs, delays, hashes, routes, call, open };
}

async function readAnswer(response: Response): Promise<TestAnswer> {
  const text = await response.text();
  const isJson = /^application\/json\b/.test(response.headers.get("content-type") ?? "");
  const cookies = response.headers.getSetCookie().map((line) => {
    const pair = line.slice(0, line.indexOf(";"));
    return [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)];
  });
  return {
    status: response.status,
    headers: response.headers,
    text,
    body: isJson && text !== "" ? (JSON.parse(text) as Record<string, unknown>) : {},
    cookies: Object.fromEntries(cookies) as Record<string, string>,
  };
}

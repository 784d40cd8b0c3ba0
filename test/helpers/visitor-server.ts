// Visitors' logins on a fresh database, called as the ingress would call them, with a browser that keeps cookies per host.

import { createLimiter } from "../../src/auth/limiter.ts";
import { createOidcClient } from "../../src/auth/oidc.ts";
import { createOutboundFetch, type OutboundOptions } from "../../src/auth/outbound.ts";
import { createPasswords } from "../../src/auth/passwords.ts";
import { createSealer } from "../../src/auth/sealing.ts";
import { createPoliciesInForce } from "../../src/api/policies/in-force.ts";
import type { PolicyBody } from "../../src/api/policies/model.ts";
import { createPolicies } from "../../src/api/policies/service.ts";
import { createVisitorAuth } from "../../src/api/visitor/answers.ts";
import { redirectUri, type VisitorBlock, type VisitorDeps, type VisitorSettings } from "../../src/api/visitor/deps.ts";
import { createVisitorRoutes } from "../../src/api/visitor/routes.ts";
import { createApi } from "../../src/api/app.ts";
import { createLimiterStore } from "../../src/db/limiter.ts";
import { AppError } from "../../src/lib/errors.ts";
import { createLogger } from "../../src/lib/log.ts";
import type { AuditEntry } from "../../src/observe/audit.ts";
import { createTestApi } from "./api.ts";
import { openTestSqlite, type TestDatabase } from "./databases.ts";
import { handleDescribed } from "./described-answers.ts";
import { fakeAudit } from "./fake-audit.ts";

export const orgId = "org_a";
const domain = "tunnel.localhost";

export type VisitorServer = Awaited<ReturnType<typeof startVisitorServer>>;

/** Creates the parts with two organizations; `apps` are subdomains of the first one. */
export async function startVisitorServer(
  options: {
    apps?: string[];
    outbound?: Partial<OutboundOptions>;
    settings?: Partial<VisitorSettings>;
    openDatabase?: () => Promise<TestDatabase>;
  } = {},
) {
  const database = await (options.openDatabase ?? openTestSqlite)();
  const { db } = database;
  const settings: VisitorSettings = {
    domain,
    scheme: "http",
    publicPort: 80,
    oidcStateTtlMs: 600_000,
    oidcCodeTtlMs: 60_000,
    ...options.settings,
  };
  const clock = { offsetMs: 0 };
  const nowMs = () => Date.now() + clock.offsetMs;
  const audited: AuditEntry[] = [];
  const logs: string[] = [];
  const blocks: VisitorBlock[] = [];
  const log = createLogger({ level: "debug", format: "json", write: (line) => void logs.push(line) });
  const usualLimiter = { maxAttempts: 10, windowMs: 900_000, blockMs: 1_800_000 };
  const isDevelopment = settings.scheme === "http";
  const fetch = createOutboundFetch({ allowPrivate: [], allowLoopback: isDevelopment, ...options.outbound });
  const sealer = createSealer(["test encryption key of 32 bytes and more"]);
  const passwords = createPasswords({ cost: 4 });
  const inForce = createPoliciesInForce({ kysely: db.kysely, sealer, log, usualLimiter });
  const oidc = createOidcClient({ fetch, allowHttp: isDevelopment });
  const audit = {
    ...fakeAudit(audited, nowMs),
    within: async (_trx: unknown, ...entries: AuditEntry[]) => {
      if (server.failAudit) throw new AppError("audit_unavailable");
      audited.push(...entries);
    },
  };
  const limiter = createLimiter({ store: createLimiterStore(db.kysely, 24 * 3_600_000), nowMs });
  const onBlock = (block: VisitorBlock) => void blocks.push(block);
  const deps: VisitorDeps = {
    db,
    settings,
    policies: inForce,
    passwords,
    sealer,
    limiter,
    oidc,
    audit,
    log,
    nowMs,
    onBlock,
  };
  const policies = createPolicies({
    db,
    passwords,
    sealer,
    oidc,
    audit,
    nowMs,
    allowHttp: isDevelopment,
    redirectUri: redirectUri(settings),
    usualLimiter,
  });
  const test = createTestApi(database, { settings: { domain, scheme: settings.scheme } });
  const handle = handleDescribed(createApi(test.deps, [() => createVisitorRoutes(deps)]));
  const now = Date.now();

  async function addApplication(
    subdomain: string,
    org: string,
    authMode: "custom" | "inherit" | "disabled" = "custom",
    id = `app_${subdomain}`,
  ) {
    const totals = { total_connections: 0, bytes_sent: 0, bytes_received: 0, request_count: 0 };
    await db.kysely
      .insertInto("applications")
      .values({
        id,
        org_id: org,
        subdomain,
        name: subdomain,
        auth_mode: authMode,
        is_active: 1,
        created_at: now,
        ...totals,
      })
      .execute();
  }

  const server = {
    /** Makes every change's audit row fail from now on. */
    failAudit: false,
    db,
    deps,
    clock,
    audited,
    logs,
    blocks,
    policies,
    inForce,
    auth: createVisitorAuth(deps),
    redirectUri: redirectUri(settings),
    addApplication,
    /** Sets the policy of an application by its subdomain. */
    setPolicy: (subdomain: string, body: PolicyBody) =>
      policies.putPolicy({ orgId, appId: `app_${subdomain}` }, body, { actorId: "acc_admin", actorName: "admin" }),
    browser: (address = "127.0.0.1") => createBrowser(handle, settings, address),
    sessions: () => db.kysely.selectFrom("visitor_sessions").selectAll().execute(),
    [Symbol.asyncDispose]: () => database[Symbol.asyncDispose](),
  };
  for (const id of [orgId, "org_b"]) {
    await db.kysely
      .insertInto("organizations")
      .values({ id, name: id, name_key: id, require_totp: 0, created_at: now })
      .execute();
  }
  for (const name of options.apps ?? ["app"]) await addApplication(name, orgId);
  return server;
}

export type Browser = ReturnType<typeof createBrowser>;

/** Sends requests with the cookies of their host, as a browser does; follows nothing by itself. */
function createBrowser(handle: (request: Request) => Promise<Response>, settings: VisitorSettings, address: string) {
  const jars = new Map<string, Map<string, string>>();
  const jarOf = (host: string): Map<string, string> => {
    const jar = jars.get(host) ?? new Map<string, string>();
    jars.set(host, jar);
    return jar;
  };

  async function send(
    url: string | URL,
    init: { method?: string; form?: Record<string, string>; headers?: Record<string, string> } = {},
  ) {
    const { host, hostname, pathname, search } = new URL(url);
    const jar = jarOf(hostname);
    const cookie = [...jar].map(([name, value]) => `${name}=${value}`).join("; ");
    const method = init.method ?? (init.form === undefined ? "GET" : "POST");
    const response = await handle(
      new Request(`http://localhost${pathname}${search}`, {
        method,
        headers: {
          "x-digit-link-address": address,
          "x-digit-link-host": host,
          "x-digit-link-scheme": settings.scheme,
          "x-digit-link-request-id": "req-1",
          ...(cookie === "" ? {} : { cookie }),
          ...(method === "POST" ? { origin: `${settings.scheme}://${host}`, "sec-fetch-site": "same-origin" } : {}),
          ...(init.form === undefined ? {} : { "content-type": "application/x-www-form-urlencoded" }),
          ...init.headers,
        },
        ...(init.form === undefined ? {} : { body: new URLSearchParams(init.form).toString() }),
      }),
    );
    for (const line of response.headers.getSetCookie()) {
      const pair = line.split(";", 1)[0] ?? "";
      const name = pair.slice(0, pair.indexOf("="));
      if (line.includes("Max-Age=0")) jar.delete(name);
      else jar.set(name, pair.slice(name.length + 1));
    }
    return {
      status: response.status,
      headers: response.headers,
      location: response.headers.get("location"),
      text: await response.text(),
    };
  }

  return { send, cookies: (host: string) => Object.fromEntries(jarOf(host)) };
}

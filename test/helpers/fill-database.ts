// A large installation, written into a database at once: organizations, accounts, applications, keys, lists, audit rows.

import { SQL } from "bun";
import { Database } from "bun:sqlite";
import { closeSync, fsyncSync, openSync } from "node:fs";

export interface FillSizes {
  accounts: number;
  applications: number;
  auditRows: number;
}

/** An SQLite file, or a PostgreSQL database. */
export type FillTarget = { path: string } | { url: string };

/** Organizations of a filled database: `org_0` … `org_99`, which own applications `app_0` … and accounts `acc_0` … in turn. */
const filledOrganizations = 100;
const auditRowsAtOnce = 500_000;
const start = Date.UTC(2026, 0, 1);

/** Fills a migrated, empty database; its server must not run. Audit rows have no valid hashes: this is for measuring lists. */
export async function fillDatabase(target: FillTarget, sizes: FillSizes): Promise<void> {
  await using db = "path" in target ? openSqlite(target.path) : openPostgres(target.url);
  const rows = (count: number, from = 0): string =>
    `with recursive n(i) as (select ${from} union all select i + 1 from n where i + 1 < ${from + count})`;
  const org = `'org_' || (i % ${filledOrganizations})`;
  const flag = (condition: string): string => `cast(${condition} as integer)`;
  await db.run(
    `insert into organizations (id, name, name_key, require_totp, created_at) ${rows(filledOrganizations)}
     select 'org_' || i, 'Organization ' || i, 'organization ' || i, 0, ${start} + i from n`,
  );
  await db.run(
    `insert into accounts (id, username, username_key, token_hash, is_admin, is_org_admin, org_id, active, created_at, last_used_at)
     ${rows(sizes.accounts)}
     select 'acc_' || i, 'user-' || i, 'user-' || i, 'hash-' || i, 0, ${flag("i % 50 = 0")}, ${org}, ${flag("i % 10 > 0")},
       ${start} + i * 1000, ${start} + (i * 7919 % 1000003) from n`,
  );
  await db.run(
    `insert into applications (id, org_id, subdomain, name, auth_mode, is_active, created_at) ${rows(sizes.applications)}
     select 'app_' || i, ${org}, 'name-' || i, 'Name ' || (i * 7919 % 100003), 'inherit', 1, ${start} + i * 1000 from n`,
  );
  await db.run(
    `insert into api_keys (id, org_id, app_id, key_hash, prefix, description, scope, created_at, expires_at, last_used_at)
     ${rows(sizes.applications)}
     select 'key_' || i, ${org}, case when i % 2 = 0 then 'app_' || i end, 'hash-' || i, 'dlk_', 'key', 'both',
       ${start} + i, case i % 3 when 0 then ${start} + i when 1 then ${Date.UTC(2100, 0, 1)} end,
       ${start} + (i * 7919 % 100003) from n`,
  );
  const address = `'10.' || (i / 65536 % 256) || '.' || (i / 256 % 256) || '.' || (i % 256)`;
  for (const [level, owner, orgId, appId, accountId] of [
    ["system", "''", "null", "null", "null"],
    ["organization", org, org, "null", "null"],
    ["application", "'app_' || i", org, "'app_' || i", "null"],
    ["account", "'acc_' || i", org, "null", "'acc_' || i"],
  ] as const) {
    const count = level === "account" ? Math.min(sizes.accounts, sizes.applications) : sizes.applications;
    await db.run(
      `insert into whitelist_entries (id, level, owner_id, org_id, app_id, account_id, cidr, description, created_at) ${rows(count)}
       select 'wle_${level}_' || i, '${level}', ${owner}, ${orgId}, ${appId}, ${accountId}, ${address}, '', ${start} + i from n`,
    );
  }
  // Within the last day, so that they are listed as offline.
  await db.run(
    `insert into tunnels (id, name, kind, org_id, app_id, agent_id, agent_version, address, opened_at, closed_at, close_reason)
     ${rows(sizes.applications)}
     select 'tun_' || i, 'name-' || i, 'http', ${org}, 'app_' || i, 'agt', '1.0.0', '127.0.0.1',
       ${Date.now() - 86_000_000} + i, ${Date.now() - 80_000_000} + i * 1000, 'agent_left' from n`,
  );
  for (let from = 0; from < sizes.auditRows; from += auditRowsAtOnce) {
    await db.run(
      `insert into audit_log (seq, id, at, org_id, app_id, actor_id, actor_name, action, success, address, prev_hash, hash)
       ${rows(Math.min(auditRowsAtOnce, sizes.auditRows - from), from + 1)}
       select i, 'aud_' || i, ${start} + i * 10, case when i % 5 > 0 then ${org} end,
         case when i % 3 = 0 then 'app_' || (i % ${sizes.applications}) end,
         case when i % 4 = 0 then 'acc_' || (i % ${sizes.accounts}) end, case when i % 4 = 0 then 'user-' || (i % ${sizes.accounts}) end,
         case i % 8 when 0 then 'account.created' when 1 then 'login.password' when 2 then 'policy.updated' when 3 then 'tunnel.opened'
           when 4 then 'tunnel.closed' when 5 then 'visitor.refused' when 6 then 'visitor.admitted' else 'admin.token' end,
         ${flag("i % 7 > 0")}, '127.0.0.1', 'x', 'x' from n`,
    );
  }
  await db.run(`update audit_chain set head_seq = ${sizes.auditRows}, head_hash = 'x' where id = 1`);
  await db.settle();
}

interface Filling extends AsyncDisposable {
  run(statement: string): Promise<void>;
  /** Statistics for the planner, and nothing left to be written. */
  settle(): Promise<void>;
}

function openSqlite(path: string): Filling {
  const db = new Database(path);
  for (const pragma of ["foreign_keys = off", "synchronous = off", "cache_size = -262144"]) db.run(`pragma ${pragma}`);
  return {
    run: async (statement) => void db.transaction(() => db.run(statement))(),
    async settle() {
      db.run("analyze");
      db.run("pragma wal_checkpoint(truncate)");
      // Gigabytes that the system still holds would make whoever writes next wait for the disk.
      const file = openSync(path, "r+");
      fsyncSync(file);
      closeSync(file);
    },
    [Symbol.asyncDispose]: async () => db.close(),
  };
}

function openPostgres(url: string): Filling {
  const sql = new SQL(url, { max: 1 });
  return {
    run: async (statement) => void (await sql.unsafe(statement)),
    settle: async () => void (await sql.unsafe("vacuum analyze")),
    [Symbol.asyncDispose]: () => sql.close(),
  };
}

/** The time of the audit row with this number. */
export function filledAuditTime(seq: number): string {
  return new Date(start + seq * 10).toISOString();
}

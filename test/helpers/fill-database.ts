// A large installation, written into an SQLite file at once: organizations, accounts, applications, keys, lists, audit rows.

import { Database } from "bun:sqlite";

export interface FillSizes {
  accounts: number;
  applications: number;
  auditRows: number;
}

/** Organizations of a filled database: `org_0` … `org_99`, which own applications `app_0` … and accounts `acc_0` … in turn. */
const filledOrganizations = 100;
const auditRowsAtOnce = 500_000;
const start = Date.UTC(2026, 0, 1);

/** Fills a migrated, empty database. Audit rows have no valid hashes: this is for measuring lists. */
export function fillDatabase(path: string, sizes: FillSizes): void {
  using db = new Database(path);
  for (const pragma of ["foreign_keys = off", "synchronous = off", "cache_size = -262144"]) db.run(`pragma ${pragma}`);
  const rows = (count: number, from = 0): string =>
    `with recursive n(i) as (select ${from} union all select i + 1 from n where i + 1 < ${from + count})`;
  const org = `'org_' || (i % ${filledOrganizations})`;
  const fill = (statement: string): void => void db.transaction(() => db.run(statement))();
  fill(
    `insert into organizations (id, name, name_key, require_totp, created_at) ${rows(filledOrganizations)}
     select 'org_' || i, 'Organization ' || i, 'organization ' || i, 0, ${start} + i from n`,
  );
  fill(
    `insert into accounts (id, username, username_key, token_hash, is_admin, is_org_admin, org_id, active, created_at, last_used_at)
     ${rows(sizes.accounts)}
     select 'acc_' || i, 'user-' || i, 'user-' || i, 'hash-' || i, 0, i % 50 = 0, ${org}, i % 10 > 0,
       ${start} + i * 1000, ${start} + (i * 7919 % 1000003) from n`,
  );
  fill(
    `insert into applications (id, org_id, subdomain, name, auth_mode, is_active, created_at) ${rows(sizes.applications)}
     select 'app_' || i, ${org}, 'name-' || i, 'Name ' || (i * 7919 % 100003), 'inherit', 1, ${start} + i * 1000 from n`,
  );
  fill(
    `insert into api_keys (id, org_id, app_id, key_hash, prefix, description, scope, created_at, last_used_at)
     ${rows(sizes.applications)}
     select 'key_' || i, ${org}, case when i % 2 = 0 then 'app_' || i end, 'hash-' || i, 'dlk_', 'key', 'both',
       ${start} + i, ${start} + (i * 7919 % 100003) from n`,
  );
  const address = `'10.' || (i / 65536 % 256) || '.' || (i / 256 % 256) || '.' || (i % 256) || '/32'`;
  for (const [level, owner, orgId, appId] of [
    ["system", "'system'", "null", "null"],
    ["organization", org, org, "null"],
    ["application", "'app_' || i", org, "'app_' || i"],
  ] as const) {
    fill(
      `insert into whitelist_entries (id, level, owner_id, org_id, app_id, cidr, description, created_at) ${rows(sizes.applications)}
       select 'wle_${level}_' || i, '${level}', ${owner}, ${orgId}, ${appId}, ${address}, '', ${start} + i from n`,
    );
  }
  for (let from = 0; from < sizes.auditRows; from += auditRowsAtOnce) {
    fill(
      `insert into audit_log (seq, id, at, org_id, app_id, actor_id, actor_name, action, success, address, prev_hash, hash)
       ${rows(Math.min(auditRowsAtOnce, sizes.auditRows - from), from + 1)}
       select i, 'aud_' || i, ${start} + i * 10, case when i % 5 > 0 then ${org} end,
         case when i % 3 = 0 then 'app_' || (i % ${sizes.applications}) end,
         case when i % 4 = 0 then 'acc_' || (i % ${sizes.accounts}) end, case when i % 4 = 0 then 'user-' || (i % ${sizes.accounts}) end,
         case i % 8 when 0 then 'account.created' when 1 then 'login.password' when 2 then 'policy.updated' when 3 then 'tunnel.opened'
           when 4 then 'tunnel.closed' when 5 then 'visitor.refused' when 6 then 'visitor.admitted' else 'admin.token' end,
         i % 7 > 0, '127.0.0.1', 'x', 'x' from n`,
    );
  }
  db.run("update audit_chain set head_seq = ?, head_hash = 'x' where id = 1", [sizes.auditRows]);
  db.run("analyze");
  db.run("pragma wal_checkpoint(truncate)");
}

/** The time of the audit row with this number. */
export function filledAuditTime(seq: number): string {
  return new Date(start + seq * 10).toISOString();
}

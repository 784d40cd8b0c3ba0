// Failure limiters of organizations: the table takes an owner, as that of policies does.

import type { ColumnTypes } from "../migrate.ts";

/** The statements of this migration, in order. A released migration never changes: write the next one. */
export function organizationLimits({ text, int, big, strict }: ColumnTypes): string[] {
  return [
    `alter table rate_limits rename to rate_limits_of_applications`,
    `create table rate_limits (
      owner_id ${text} primary key, org_id ${text} not null references organizations (id) on delete cascade,
      app_id ${text} references applications (id) on delete cascade, enabled ${int} not null,
      max_attempts ${int} not null, window_seconds ${int} not null, block_seconds ${int} not null,
      updated_at ${big} not null)${strict}`,
    `insert into rate_limits
      (owner_id, org_id, app_id, enabled, max_attempts, window_seconds, block_seconds, updated_at)
      select r.app_id, a.org_id, r.app_id, r.enabled, r.max_attempts, r.window_seconds, r.block_seconds, r.updated_at
      from rate_limits_of_applications r join applications a on a.id = r.app_id`,
    `drop table rate_limits_of_applications`,
    `create index ix_rate_limits__org on rate_limits (org_id)`,
    `create index ix_rate_limits__app on rate_limits (app_id)`,
  ];
}

// More orders of lists: whitelists by range, keys of an application and accounts of a state by last use, login sessions.

/** The statements of this migration, in order. A released migration never changes: write the next one. */
export function listOrders(): string[] {
  return [
    `create index ix_whitelist__level_cidr on whitelist_entries (level, cidr, id)`,
    `create index ix_whitelist__org_level_cidr on whitelist_entries (org_id, level, cidr, id)`,
    `create index ix_api_keys__app_last_used on api_keys (app_id, last_used_at, id)`,
    `create index ix_accounts__active_last_used on accounts (active, last_used_at, id)`,
    `create index ix_dashboard_sessions__last_seen on dashboard_sessions (account_id, last_seen_at, id)`,
    `create index ix_dashboard_sessions__ends on dashboard_sessions (account_id, expires_at, id)`,
  ];
}

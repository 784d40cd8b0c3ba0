// Members of an organization are counted on an index of nothing else. Two columns that nobody read: wrong codes are
// counted by the limiter.

/** The statements of this migration, in order. A released migration never changes: write the next one. */
export function memberCounts(): string[] {
  return [
    `create index ix_accounts__org on accounts (org_id)`,
    `alter table pending_logins drop column failures`,
    `alter table pending_logins drop column address`,
  ];
}

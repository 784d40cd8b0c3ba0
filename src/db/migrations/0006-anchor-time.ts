// One column that nobody read: when the audit log was last pruned stands in its entry `audit.pruned`.

/** The statements of this migration, in order. A released migration never changes: write the next one. */
export function anchorTime(): string[] {
  return [`alter table audit_chain drop column anchored_at`];
}

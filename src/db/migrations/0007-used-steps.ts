// One index that nothing reads, and each code that is used had to write.

/** The statements of this migration, in order. A released migration never changes: write the next one. */
export function usedSteps(): string[] {
  return [`drop index ix_totp_used_steps__used`];
}

// How many requests of each organization are in flight on this shard, so that one tenant can't take all of it.

export class OrganizationLoad {
  private readonly counts = new Map<string, number>();

  constructor(private readonly most: number) {}

  /** Names without an organization are bounded by the limits of their tunnels. */
  isFull(orgId: string | null): boolean {
    return orgId !== null && (this.counts.get(orgId) ?? 0) >= this.most;
  }

  add(orgId: string | null, change: 1 | -1): void {
    if (orgId === null) return;
    const count = (this.counts.get(orgId) ?? 0) + change;
    if (count > 0) this.counts.set(orgId, count);
    else this.counts.delete(orgId);
  }
}

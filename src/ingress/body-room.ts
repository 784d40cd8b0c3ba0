// How much of unfinished requests the control plane may hold, over all of them: it collects a body before it judges it.

/** Logins and registrations are shorter: they take no room, whatever strangers fill it with. */
export const freeBodyBytes = 4 * 1024;

/** One request whose body is collected. */
export interface Collected {
  /** Others need its room: it ends now. */
  makeRoom(): void;
}

/** Of one thread. Who sends a body in one go needs its room for a moment; who holds one back is the first to lose it. */
export class BodyRoom {
  /** The one that began longest ago comes first. */
  private readonly held = new Map<Collected, number>();
  private bytes = 0;

  constructor(private readonly mostBytes: number) {}

  /** So much more of a body came, beyond `freeBodyBytes`. Ends the oldest ones (at last this one) when that is too much. */
  add(body: Collected, bytes: number): void {
    this.held.set(body, (this.held.get(body) ?? 0) + bytes);
    this.bytes += bytes;
    for (const oldest of this.held.keys()) {
      if (this.bytes <= this.mostBytes) return;
      this.remove(oldest);
      oldest.makeRoom();
    }
  }

  /** It is over; nothing when it took no room. */
  remove(body: Collected): void {
    this.bytes -= this.held.get(body) ?? 0;
    this.held.delete(body);
  }
}

// Looking again at sockets whose events do not tell all: what they take by now, and whether their peers are still there.

/** Something that is looked at now and then while it waits. */
export interface Waiting {
  lookAgain(): void;
}

const everyMs = 250;

/**
 * Calls `lookAgain` four times a second between `add` and `delete`. The kernel says `drain` when a third of its buffer is free, which a slow
 * reader may need minutes for, and nobody says that the peer of a paused pair has gone.
 */
export class Lookout {
  private readonly members = new Set<Waiting>();
  private timer: Timer | undefined;

  get size(): number {
    return this.members.size;
  }

  add(one: Waiting): void {
    this.members.add(one);
    this.timer ??= setInterval(() => {
      for (const each of this.members) each.lookAgain();
    }, everyMs);
  }

  delete(one: Waiting): void {
    if (!this.members.delete(one) || this.members.size > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

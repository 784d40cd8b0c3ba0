// Failures of one subject in a sliding window: a count per slot of time, old slots forgotten.

/** The failures of one slot, as they are stored. */
export interface SlotCount {
  /** Start of the slot. */
  slotAtMs: number;
  failures: number;
}

const slotsPerWindow = 15;

/** For how long the start of a slot matters to a window. */
export function slotLifeMs(windowMs: number): number {
  return windowMs + slotMsOf(windowMs);
}

/** One subject's failures; holds at most `slotsPerWindow` counts and one more once it was read. */
export class FailureWindow {
  /** Failures by the start of their slot, oldest first. */
  readonly #slots = new Map<number, number>();

  /** `windowMs` may be changed by whoever knows the rule of the moment. */
  constructor(public windowMs: number) {}

  /** Counts one failure; the slot as it is to be stored. */
  add(nowMs: number): SlotCount {
    const slotAtMs = this.#slotStart(nowMs);
    const failures = (this.#slots.get(slotAtMs) ?? 0) + 1;
    this.#slots.set(slotAtMs, failures);
    return { slotAtMs, failures };
  }

  /** Failures inside the window; a slot counts until all of it has left, and is forgotten then. One that a clock ahead began begins now. */
  recent(nowMs: number): number {
    const oldest = this.#slotStart(nowMs - this.windowMs);
    let sum = 0;
    let ahead = 0;
    for (const [slotAtMs, failures] of this.#slots) {
      if (slotAtMs > nowMs) ahead += failures;
      else if (slotAtMs >= oldest) sum += failures;
      if (slotAtMs > nowMs || slotAtMs < oldest) this.#slots.delete(slotAtMs);
    }
    // Not in its slot: until the rule is known those are of any length.
    if (ahead > 0) this.#slots.set(nowMs, (this.#slots.get(nowMs) ?? 0) + ahead);
    return sum + ahead;
  }

  /** Takes `slots`, which were counted here too, out again; what changed, as it is to be stored. */
  takeBack(slots: readonly SlotCount[]): SlotCount[] {
    const changed: SlotCount[] = [];
    for (const { slotAtMs, failures } of slots) {
      const known = this.#slots.get(slotAtMs);
      if (known === undefined) continue;
      const left = Math.max(0, known - failures);
      if (left === 0) this.#slots.delete(slotAtMs);
      else this.#slots.set(slotAtMs, left);
      changed.push({ slotAtMs, failures: left });
    }
    return changed;
  }

  /** Puts a stored slot back. */
  put({ slotAtMs, failures }: SlotCount): void {
    if (failures > 0) this.#slots.set(slotAtMs, failures);
  }

  counts(): SlotCount[] {
    return [...this.#slots].map(([slotAtMs, failures]) => ({ slotAtMs, failures }));
  }

  clear(): void {
    this.#slots.clear();
  }

  #slotStart(atMs: number): number {
    const slotMs = slotMsOf(this.windowMs);
    return Math.floor(atMs / slotMs) * slotMs;
  }
}

function slotMsOf(windowMs: number): number {
  return Math.max(1_000, Math.ceil(windowMs / slotsPerWindow));
}

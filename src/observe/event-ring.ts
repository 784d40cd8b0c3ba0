// The last events of the live stream, bounded in number and bytes, so that a reader can resume where it broke off.

/** One event, ready to be written to any reader that may see it. */
export interface LiveEvent {
  /** Rising within one ring. */
  seq: number;
  /** Null: only system admins see it. */
  orgId: string | null;
  /** The whole text of the event, its id included. */
  text: string;
}

/** Why a reader can't go on where it broke off. */
export type Gap = "unknown" | "too_old";

export class EventRing {
  readonly #epoch: string;
  #events: LiveEvent[] = [];
  #bytes = 0;
  #seq = 0;
  /** Everything up to here is forgotten. */
  #forgotten = 0;

  /** `epoch` marks the ids of this ring: those of an earlier life mean nothing here. */
  constructor(
    private readonly most: { events: number; bytes: number },
    epoch: string = crypto.randomUUID().slice(0, 8),
  ) {
    this.#epoch = epoch;
  }

  /** Adds an event; `data` is JSON text. */
  push(type: string, orgId: string | null, data: string): LiveEvent {
    const seq = ++this.#seq;
    const event = { seq, orgId, text: `id: ${this.lastId}\nevent: ${type}\ndata: ${data}\n\n` };
    this.#events.push(event);
    this.#bytes += event.text.length;
    let drop = 0;
    while (this.#events.length - drop > this.most.events || this.#bytes > this.most.bytes) {
      this.#bytes -= this.#events[drop]!.text.length;
      this.#forgotten = this.#events[drop++]!.seq;
    }
    if (drop > 0) this.#events.splice(0, drop);
    return event;
  }

  /** The id of the newest event: who has heard this one has missed nothing. */
  get lastId(): string {
    return `${this.#epoch}-${this.#seq}`;
  }

  /** All that came after the event with this id, or why that can't be said. */
  after(lastEventId: string): LiveEvent[] | Gap {
    const cut = lastEventId.lastIndexOf("-");
    const seq = Number(lastEventId.slice(cut + 1));
    const isOurs = lastEventId.slice(0, cut) === this.#epoch && Number.isSafeInteger(seq) && seq <= this.#seq;
    if (!isOurs) return "unknown";
    return seq < this.#forgotten ? "too_old" : this.#events.filter((event) => event.seq > seq);
  }

  /** Forgets everything. What happens from now until the next `push` is not noted: no older id can be resumed. */
  clear(): void {
    this.#events = [];
    this.#bytes = 0;
    this.#forgotten = ++this.#seq;
  }
}

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

export class EventRing {
  readonly #epoch: string;
  #events: LiveEvent[] = [];
  #bytes = 0;
  #seq = 0;

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
    const event = { seq, orgId, text: `id: ${this.#epoch}-${seq}\nevent: ${type}\ndata: ${data}\n\n` };
    this.#events.push(event);
    this.#bytes += event.text.length;
    let drop = 0;
    while (this.#events.length - drop > this.most.events || this.#bytes > this.most.bytes) {
      this.#bytes -= this.#events[drop++]!.text.length;
    }
    if (drop > 0) this.#events.splice(0, drop);
    return event;
  }

  /** What came after the event with this id, as far as it is kept; nothing when the id is not of this ring. */
  after(lastEventId: string): LiveEvent[] {
    const cut = lastEventId.lastIndexOf("-");
    const seq = Number(lastEventId.slice(cut + 1));
    if (lastEventId.slice(0, cut) !== this.#epoch || !Number.isSafeInteger(seq)) return [];
    return this.#events.filter((event) => event.seq > seq);
  }

  clear(): void {
    this.#events = [];
    this.#bytes = 0;
  }
}

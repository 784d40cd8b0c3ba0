// The exchanges that passed through this agent lately, with their bodies, as far as there is memory for them.

import { type Keeper, Recording, type RequestHead, type Source } from "./recording.ts";

const mostRecordings = 200;
const mostBytes = 64 * 1024 * 1024;
/** Questions that wait for news: of the six connections that a browser has for all of its windows two stay free. */
const mostWaiting = 4;
/** What somebody has open, and what it is compared with, in a few windows. */
const mostLooked = 8;

/** Keeps the newest recordings: at most 200, at most 64 MiB in all, 1 MiB of each body. */
export class Recorder implements Keeper {
  /** Rises with every change. */
  version = 0;
  private readonly kept = new Map<number, Recording>();
  /** Ids, the last looked at at the end. */
  private readonly looked = new Set<number>();
  private bytes = 0;
  private lastId = 0;
  /** Called at the next change. */
  private readonly waiting = new Set<() => void>();

  constructor(private readonly maxBytes = mostBytes) {}

  /** Begins one, as a stream begins with its OPEN frame. */
  begin(source: Source, open: RequestHead, repeats: Recording["repeats"] = null): Recording {
    const id = ++this.lastId;
    const recording = new Recording(id, source, open, repeats, this);
    this.kept.set(id, recording);
    if (this.kept.size > mostRecordings) this.forgetOldest();
    this.grew(recording, recording.size);
    this.changed();
    return recording;
  }

  /** Of what is looked at the last few stay, whatever else comes. */
  look(id: number): Recording | undefined {
    const recording = this.kept.get(id);
    if (recording === undefined) return undefined;
    this.looked.delete(id);
    this.looked.add(id);
    if (this.looked.size > mostLooked) this.looked.delete(this.looked.values().next().value!);
    return recording;
  }

  /** The newest first. */
  all(): Recording[] {
    return [...this.kept.values()].reverse();
  }

  clear(): void {
    this.looked.clear();
    while (this.kept.size > 0) this.forgetOldest();
    this.changed();
  }

  /** Resolves when the version is another than `version`, after `mostMs`, or when it has waited longest and others want to. */
  async newerThan(version: number, mostMs: number): Promise<void> {
    if (this.version !== version) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, mostMs);
    this.waiting.add(resolve);
    if (this.waiting.size > mostWaiting) {
      const [longest] = this.waiting;
      this.waiting.delete(longest!);
      longest!();
    }
    await promise;
    this.waiting.delete(resolve);
    clearTimeout(timer);
  }

  // Keeper

  grew(recording: Recording, bytes: number): void {
    if (!this.kept.has(recording.id)) return;
    this.bytes += bytes;
    while (this.bytes > this.maxBytes && this.kept.size > this.looked.size + 1) this.forgetOldest();
  }

  changed(): void {
    this.version++;
    for (const tell of this.waiting) tell();
  }

  private forgetOldest(): void {
    for (const [id, recording] of this.kept) {
      if (this.looked.has(id)) continue;
      this.kept.delete(id);
      this.bytes -= recording.size;
      return recording.forget();
    }
  }
}

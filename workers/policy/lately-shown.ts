// What visitors showed lately, so that it is read once and not with each of their requests.

import type { Head } from "../../src/http1/head.ts";
import { isShown, nothingShown, Shown } from "./shown.ts";

/** A power of two. */
const defaultPlaces = 1_024;
/** Longer ones are read each time. */
const maxKeptBytes = 1_024;

/**
 * One per shard, for all connections: proxies pool theirs, so that the next request may be anybody's. Whose place is taken by another is
 * read once more, which is all that a flood of made-up credentials can do.
 */
export class LatelyShown {
  private readonly places: (Shown | null)[];

  constructor(places = defaultPlaces) {
    this.places = Array.from({ length: places }, () => null);
  }

  /** What `head` shows; the same object as long as it is remembered. */
  of(head: Head): Shown {
    const { bytes } = head;
    let hash = 0;
    let shownBytes = 0;
    for (let i = 0; i < head.count; i++) {
      if (isShown[head.id[i]!] === 0) continue;
      const start = head.nameStart[i]!;
      const end = head.valueEnd[i]!;
      shownBytes += end - start;
      if (shownBytes > maxKeptBytes) return new Shown(head);
      for (let at = start; at < end; at++) hash = Math.imul(hash, 33) ^ bytes[at]!;
    }
    if (shownBytes === 0) return nothingShown;
    const place = (hash ^ (hash >>> 12)) & (this.places.length - 1);
    const known = this.places[place]!;
    if (known !== null && known.isOf(head)) return known;
    return (this.places[place] = new Shown(head));
  }
}

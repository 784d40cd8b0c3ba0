// A live list that does not move under the reader: values change in place, rows come and go only while it may move.

import { createEffect, createMemo, createSignal, on, untrack, type Accessor } from "solid-js";

export interface HeldList<T> {
  rows: Accessor<T[]>;
  /** Rows that came into what is shown and the reader does not see yet; not those that moved up from the next page. */
  waiting: Accessor<number>;
  /** All that the server listed wait, so there may be more of them than are known. */
  allWait: Accessor<boolean>;
  /** Rows that are shown and not listed any more. One that may only have been pushed to the next page is not gone. */
  isGone: (id: string) => boolean;
  /** When the server last listed a row, by this browser's clock. */
  lastListedMs: (id: string) => number;
  /** Shows what waits. */
  catchUp: () => void;
  /** Takes a row out of this reader's view; what the server has stays. */
  hide: (id: string) => void;
}

interface Held<T> {
  /** What the server has now; undefined until known. */
  latest: Accessor<readonly T[] | undefined>;
  /** Once both the list and its rows may be others: after the reader's filter, page or change. */
  key?: Accessor<string>;
  /** An answer is under way: what is there yet is not what `key` asks for. */
  isAsking?: Accessor<boolean>;
  /** The list has a next page. */
  hasMore?: Accessor<boolean>;
  mayMove: Accessor<boolean>;
}

/**
 * How many of those `listed` came into a page that shows others. `hadMore`: it had a next page, so what stands behind the last that
 * is shown only moved up from there.
 */
export function countNew(listed: readonly string[], shown: readonly string[], hadMore: boolean): number {
  const known = new Set(shown);
  const last = listed.findLastIndex((id) => known.has(id));
  return listed.slice(0, hadMore && last >= 0 ? last : listed.length).filter((id) => !known.has(id)).length;
}

/** Notes which are listed at `nowMs`, and forgets those that are neither listed nor shown: a page may be open for days. */
export function noteListed(
  listedMs: Map<string, number>,
  listed: readonly string[],
  shown: readonly string[],
  nowMs: number,
): void {
  for (const id of listed) listedMs.set(id, nowMs);
  const known = new Set([...listed, ...shown]);
  for (const id of listedMs.keys()) if (!known.has(id)) listedMs.delete(id);
}

export function createHeldList<T extends { id: string }>({
  latest,
  key = () => "",
  isAsking = () => false,
  hasMore = () => false,
  mayMove,
}: Held<T>): HeldList<T> {
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set());
  const [order, setOrder] = createSignal<string[] | null>(null);
  /** What is shown had a next page. */
  const [hadMore, setHadMore] = createSignal(false);
  const known = new Map<string, T>();
  const listedMs = new Map<string, number>();
  const catchUp = () => {
    const listed = latest();
    if (listed === undefined) return;
    const ids = new Set(listed.map(({ id }) => id));
    for (const id of known.keys()) if (!ids.has(id)) known.delete(id);
    setHidden((all) => (all.size === 0 ? all : new Set([...all].filter((id) => ids.has(id)))));
    setHadMore(hasMore());
    setOrder([...ids]);
  };
  /** Another list was asked for: the rows of the one before stay until it is there. */
  let isOther = true;
  createEffect(on(createMemo(key), () => (isOther = true)));
  createEffect(() => {
    // What the reader sees is no reason to look again: only new data and the leave to move are.
    const listed = latest();
    const may = mayMove();
    if (listed === undefined) return;
    const ids = listed.map(({ id }) => id);
    noteListed(listedMs, ids, untrack(order) ?? [], Date.now());
    if (may || isOther || untrack(order)?.length === 0) untrack(catchUp);
    if (!untrack(isAsking)) isOther = false;
  });
  const byId = createMemo(() => new Map((latest() ?? []).map((row) => [row.id, row])));
  const shownIds = createMemo(() => order() ?? [...byId().keys()]);
  const rows = createMemo(() =>
    shownIds().flatMap((id) => {
      const row = byId().get(id) ?? known.get(id);
      if (row === undefined || hidden().has(id)) return [];
      known.set(id, row);
      return [row];
    }),
  );
  const gone = createMemo((): ReadonlySet<string> => {
    if (latest() === undefined) return new Set();
    const ids = shownIds();
    const end = hasMore() ? ids.findLastIndex((id) => byId().has(id)) : ids.length;
    return new Set(ids.slice(0, end).filter((id) => !byId().has(id)));
  });
  const waiting = createMemo(() => countNew([...byId().keys()], shownIds(), hadMore()));
  return {
    rows,
    waiting,
    allWait: () => waiting() > 0 && waiting() === byId().size,
    isGone: (id) => gone().has(id),
    lastListedMs: (id) => listedMs.get(id) ?? Date.now(),
    catchUp,
    hide: (id) => setHidden((all) => new Set([...all, id])),
  };
}

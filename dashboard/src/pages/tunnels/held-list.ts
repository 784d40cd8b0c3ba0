// A live list that does not move under the reader: values change in place, rows come and go only when following.

import { createEffect, createMemo, createSignal, on, untrack, type Accessor } from "solid-js";

export interface HeldList<T> {
  rows: Accessor<T[]>;
  /** Rows that the server has and the reader does not see yet. */
  waiting: Accessor<number>;
  /** Rows that are shown and gone on the server. */
  isGone: (id: string) => boolean;
  /** When the server last listed a row, by this browser's clock. */
  lastListedMs: (id: string) => number;
  following: Accessor<boolean>;
  setFollowing: (on: boolean) => void;
  catchUp: () => void;
  /** Takes a row out of this reader's view; what the server has stays. */
  hide: (id: string) => void;
}

/** `latest` is what the server has now (undefined until known); `key` starts afresh when it changes (filter, page). */
export function createHeldList<T extends { id: string }>(
  latest: Accessor<T[] | undefined>,
  key: Accessor<string>,
): HeldList<T> {
  const [following, setFollowing] = createSignal(false);
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set());
  const [order, setOrder] = createSignal<string[] | null>(null);
  const known = new Map<string, T>();
  const listedMs = new Map<string, number>();
  const catchUp = () => {
    const rows = latest();
    if (rows !== undefined) setOrder(rows.map((row) => row.id));
  };
  createEffect(on(key, () => setOrder(null), { defer: true }));
  createEffect(() => {
    // What the reader sees is not a reason to look again: only new data and the wish to follow are.
    const listed = latest();
    if (listed === undefined) return;
    for (const { id } of listed) listedMs.set(id, Date.now());
    const mayMove = following();
    const shown = untrack(order);
    if (mayMove || shown === null || shown.length === 0) catchUp();
  });
  const byId = createMemo(() => new Map((latest() ?? []).map((row) => [row.id, row])));
  const rows = createMemo(() => {
    const ids = order() ?? (latest() ?? []).map((row) => row.id);
    return ids.flatMap((id) => {
      const row = byId().get(id) ?? known.get(id);
      if (row === undefined || hidden().has(id)) return [];
      known.set(id, row);
      return [row];
    });
  });
  return {
    rows,
    waiting: () => (order() === null ? 0 : [...byId().keys()].filter((id) => !order()?.includes(id)).length),
    isGone: (id) => latest() !== undefined && !byId().has(id),
    lastListedMs: (id) => listedMs.get(id) ?? Date.now(),
    following,
    setFollowing: (on) => {
      setFollowing(on);
      if (on) catchUp();
    },
    catchUp,
    hide: (id) => setHidden((all) => new Set([...all, id])),
  };
}

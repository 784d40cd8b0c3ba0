// A live list that does not move under the reader: values change in place, rows come and go only while it may move.

import { createEffect, createMemo, createSignal, on, untrack, type Accessor } from "solid-js";
import type { ListQuery } from "./table.tsx";

export interface HeldList<T> {
  rows: Accessor<T[]>;
  /** Rows that the server has and the reader does not see yet. */
  waiting: Accessor<number>;
  /** Rows that are shown and gone on the server. */
  isGone: (id: string) => boolean;
  /** When the server last listed a row, by this browser's clock. */
  lastListedMs: (id: string) => number;
  /** Shows what waits. */
  catchUp: () => void;
  /** Takes a row out of this reader's view; what the server has stays. */
  hide: (id: string) => void;
}

/**
 * `latest` is what the server has now (undefined until known); `key` starts afresh when it changes (filter, page).
 * `mayMove` is a Follow's.
 */
export function createHeldList<T extends { id: string }>(
  latest: Accessor<readonly T[] | undefined>,
  key: Accessor<string>,
  mayMove: Accessor<boolean>,
): HeldList<T> {
  const [hidden, setHidden] = createSignal<ReadonlySet<string>>(new Set());
  const [order, setOrder] = createSignal<string[] | null>(null);
  const known = new Map<string, T>();
  const listedMs = new Map<string, number>();
  const catchUp = () => {
    const listed = latest();
    if (listed === undefined) return;
    const ids = new Set(listed.map(({ id }) => id));
    for (const map of [known, listedMs]) for (const id of map.keys()) if (!ids.has(id)) map.delete(id);
    setHidden((all) => (all.size === 0 ? all : new Set([...all].filter((id) => ids.has(id)))));
    setOrder([...ids]);
  };
  /** Another list was asked for: the rows of the one before stay until it is there. */
  let isOther = true;
  createEffect(on(key, () => (isOther = true)));
  createEffect(() => {
    // What the reader sees is no reason to look again: only new data and the leave to move are.
    const listed = latest();
    const may = mayMove();
    if (listed === undefined) return;
    for (const { id } of listed) listedMs.set(id, Date.now());
    if (may || isOther || untrack(order)?.length === 0) untrack(catchUp);
    isOther = false;
  });
  const byId = createMemo(() => new Map((latest() ?? []).map((row) => [row.id, row])));
  const rows = createMemo(() => {
    const ids = order() ?? (latest() ?? []).map(({ id }) => id);
    return ids.flatMap((id) => {
      const row = byId().get(id) ?? known.get(id);
      if (row === undefined || hidden().has(id)) return [];
      known.set(id, row);
      return [row];
    });
  });
  const waiting = () => {
    const shown = new Set(order() ?? byId().keys());
    return [...byId().keys()].filter((id) => !shown.has(id)).length;
  };
  return {
    rows,
    waiting,
    isGone: (id) => latest() !== undefined && !byId().has(id),
    lastListedMs: (id) => listedMs.get(id) ?? Date.now(),
    catchUp,
    hide: (id) => setHidden((all) => new Set([...all, id])),
  };
}

/** The query as a table shows it, with the rows that are held. */
export function withRows<T>(query: ListQuery<T>, rows: Accessor<T[]>): ListQuery<T> {
  return {
    get isPending() {
      return query.isPending;
    },
    get isError() {
      return query.isError;
    },
    get isPlaceholderData() {
      return query.isPlaceholderData;
    },
    get error() {
      return query.error;
    },
    get data() {
      return query.data === undefined ? undefined : { ...query.data, items: rows() };
    },
    refetch: () => query.refetch(),
  };
}

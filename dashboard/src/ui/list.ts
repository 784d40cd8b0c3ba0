// A list of the server as a table shows it: whoever had it fetched again, it does not move under the reader.

import type { DefaultError, QueryKey, QueryObserverOptions } from "@tanstack/solid-query";
import { createEffect } from "solid-js";
import { ApiError, type Page } from "../api/client.ts";
import { changesOf } from "../api/query-client.ts";
import { useQuery } from "../api/use-query.ts";
import type { Follow } from "./follow.tsx";
import { createHeldList, type HeldList } from "./held-list.ts";
import type { ListState } from "./list-state.ts";
import { createReading } from "./reading.ts";

/** A query whose `data` holds the rows that the reader sees. */
export interface List<T, P extends Page<T> = Page<T>> extends HeldList<T> {
  readonly isPending: boolean;
  readonly isError: boolean;
  readonly isPlaceholderData: boolean;
  readonly error: unknown;
  readonly data: P | undefined;
  /** What waits may be known from another page: the order goes by something that changes. */
  readonly othersWait: boolean;
  refetch: () => unknown;
  /** Takes the element around the rows: who is in there reads. */
  watch: (element: HTMLElement) => void;
  /** The page's, for a list that changes while one looks; others are fetched again only when one comes back to them. */
  follow: Follow | undefined;
}

/** Orders by what changes by itself: their rows go from page to page. */
const changingOrders = /^-?(?:requests|lastUsed|lastSeen)$/;

interface ListOptions<T> {
  follow?: Follow;
  /** The order that rows are in where they change after the server has sorted them; else the rows as they came. */
  arrange?: (rows: readonly T[]) => readonly T[];
}

/**
 * Follows a page of a list. Values change in place; rows come, go and change places only while nobody reads them and its
 * `follow` is on, after another page or filter was asked for, and after a change that the reader made.
 */
export function useList<T extends { id: string }, P extends Page<T>, K extends QueryKey>(
  options: () => QueryObserverOptions<P & Page<T>, DefaultError, P & Page<T>, P & Page<T>, K>,
  state: ListState,
  { follow, arrange = (rows) => rows }: ListOptions<T> = {},
): List<T, P> {
  const query = useQuery(options);
  /** What the address asks for and the list does not have: a link from elsewhere, typed or out of date. */
  const refused = () => {
    const { error } = query;
    const field =
      error instanceof ApiError && (error.field === "sort" || error.field === "cursor") ? error.field : null;
    return field !== null && state.value(field) !== "" ? field : null;
  };
  createEffect(() => {
    const field = refused();
    if (field !== null) state.drop(field);
  });
  const { reading, watch } = createReading();
  const held = createHeldList<T>({
    // Rows change in place: only the time of the answer tells that there was one.
    latest: () =>
      query.dataUpdatedAt === 0 || query.isPending || query.isPlaceholderData || query.data === undefined
        ? undefined
        : arrange(query.data.items),
    key: () => JSON.stringify([state.query(), changesOf(String(options().queryKey?.[0]))]),
    isAsking: () => query.isFetching,
    hasMore: () => Boolean(query.data?.nextCursor),
    mayMove: () => (follow?.following() ?? true) && !reading(),
  });
  /** Among rows that change places by themselves one may be on another page, wherever it stood. */
  const isRearranged = () => Boolean(query.data?.nextCursor) && arrange(query.data!.items) !== query.data!.items;
  return {
    ...held,
    isGone: (id) => held.isGone(id) && !isRearranged(),
    get isPending() {
      return query.isPending || refused() !== null;
    },
    get isError() {
      return query.isError && refused() === null;
    },
    get isPlaceholderData() {
      return query.isPlaceholderData;
    },
    get error() {
      return query.error;
    },
    get data() {
      return query.data === undefined ? undefined : { ...query.data, items: held.rows() };
    },
    get othersWait() {
      const isPaged = state.cursor() !== "" || Boolean(query.data?.nextCursor);
      return isPaged && changingOrders.test(state.sort());
    },
    refetch: () => query.refetch(),
    watch,
    follow,
  };
}

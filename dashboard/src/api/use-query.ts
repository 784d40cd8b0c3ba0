// Reading for components: what the cache knows of a query, followed for as long as the component lives.

import {
  QueryObserver,
  type DefaultError,
  type QueryKey,
  type QueryObserverOptions,
  type QueryObserverResult,
} from "@tanstack/solid-query";
import { createComputed, createMemo, on, onCleanup } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import { queryClient } from "./query-client.ts";

/**
 * Follows a query; reading any part of the result follows that part. Unlike solid-query's own it never suspends: there a
 * page on screen leaves the document whenever what is in the cache is fetched again, and with it go the focus and
 * modality of its dialogs. Rows keep their identity (by `id`), and with it their elements.
 */
export function useQuery<T, K extends QueryKey = QueryKey>(
  options: () => QueryObserverOptions<T, DefaultError, T, T, K>,
): QueryObserverResult<T> {
  const defaulted = createMemo(() => ({ ...queryClient.defaultQueryOptions(options()), structuralSharing: false }));
  const observer = new QueryObserver(queryClient, defaulted());
  const first = observer.getOptimisticResult(defaulted());
  let shown = first.data;
  // The store changes what it holds, and the cache's own must stay as it came.
  const [result, setResult] = createStore({ ...first, data: structuredClone(shown) } as QueryObserverResult<T>);
  const show = (next: QueryObserverResult<T>): void => {
    const isNew = next.data !== shown;
    shown = next.data;
    setResult((before) => {
      const data = isNew ? reconcile(structuredClone(next.data), { key: "id" })(before.data) : before.data;
      return { ...next, data } as QueryObserverResult<T>;
    });
  };
  createComputed(
    on(
      defaulted,
      (next) => {
        observer.setOptions(next);
        show(observer.getOptimisticResult(next));
      },
      { defer: true },
    ),
  );
  onCleanup(observer.subscribe(show));
  return result;
}

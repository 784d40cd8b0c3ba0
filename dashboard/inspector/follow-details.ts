// All of the chosen exchange as it is now: asked for again when it has changed, and while it runs.

import { createEffect, createMemo, createResource, onCleanup, type Signal } from "solid-js";
import { createStore, reconcile } from "solid-js/store";
import type { ExchangeDetails, ExchangeSummary } from "../../cli/inspector/types.ts";
import * as api from "./api.ts";

/** So often is asked what an answer that goes on has brought. */
const growMs = 1_000;

export interface Followed {
  /** Undefined: not had yet. What has been had stays, when more of it can't be. */
  shown: () => ExchangeDetails | undefined;
  error: () => Error | undefined;
}

export function followDetails(exchange: () => ExchangeSummary, withSecrets: () => boolean): Followed {
  const id = createMemo(() => exchange().id);
  const isRunning = createMemo(() => exchange().totalMs === null);
  // What is shown of it changes with its head and its end.
  const [details, { refetch }] = createResource(
    () => [id(), withSecrets(), exchange().status, isRunning()] as const,
    ([wanted, secrets]) => api.details(wanted, secrets),
    { storage: inPlace },
  );
  createEffect(() => {
    if (!isRunning()) return;
    const timer = setInterval(() => document.hidden || void refetch(), growMs);
    onCleanup(() => clearInterval(timer));
  });
  const error = () => details.error as Error | undefined;
  const shown = createMemo<ExchangeDetails | undefined>((last) => {
    const one = error() === undefined ? details.latest : last;
    return one?.id === id() ? one : undefined;
  });
  return { shown, error };
}

/** What stays the same stays in place: a value that was opened, a place that was scrolled to. */
function inPlace<T>(first: T): Signal<T> {
  const [state, setState] = createStore({ value: first });
  const set = (next: () => T): T => {
    setState("value", reconcile(next()));
    return state.value;
  };
  // A resource sets it by functions only.
  return [() => state.value, set as Signal<T>[1]];
}

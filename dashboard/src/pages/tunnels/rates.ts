// Requests per second of each tunnel, from two readings of its counter.

import { createEffect, createSignal, type Accessor } from "solid-js";

interface Reading {
  atMs: number;
  requests: number;
  rate: number | null;
}

/** Returns the rate of a tunnel by id; null until there are two readings. */
export function createRates(
  rows: Accessor<{ id: string; requests: number }[] | undefined>,
  readAtMs: Accessor<number>,
): (id: string) => number | null {
  const [readings, setReadings] = createSignal(new Map<string, Reading>());
  createEffect((lastMs: number) => {
    const atMs = readAtMs();
    const current = rows();
    if (current === undefined || atMs === lastMs) return lastMs;
    setReadings((old) => {
      const next = new Map<string, Reading>();
      for (const { id, requests } of current) {
        const before = old.get(id);
        const seconds = before ? (atMs - before.atMs) / 1000 : 0;
        next.set(id, {
          atMs,
          requests,
          rate: before && seconds > 0 ? Math.max(0, requests - before.requests) / seconds : null,
        });
      }
      return next;
    });
    return atMs;
  }, 0);
  return (id) => readings().get(id)?.rate ?? null;
}

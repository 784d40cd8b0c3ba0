// The cache of answers: when something is asked again, and how changed data reaches what is on screen.

import { QueryClient, type InvalidateQueryFilters } from "@tanstack/solid-query";
import { createSignal } from "solid-js";
import { ApiError } from "./client.ts";

export const queryClient = new QueryClient({
  defaultOptions: {
    queries: {
      staleTime: 5_000,
      gcTime: 60_000,
      refetchOnWindowFocus: true,
      retry: (count, error) => error instanceof ApiError && (error.status === 0 || error.status === 503) && count < 2,
      retryDelay: (count) => 400 * 2 ** count,
      networkMode: "always",
    },
    mutations: { networkMode: "always" },
  },
});

/** Fetch again what is on screen and could not be fetched last time. */
export async function refetchFailed(): Promise<void> {
  await queryClient.refetchQueries({ type: "active", predicate: ({ state }) => state.status === "error" });
}

/** For `meta`: the answer is chosen from, and is fetched again only by whoever asked for it. */
export const still = { isStill: true };

const showing = (resources: string[]): InvalidateQueryFilters => ({
  predicate: ({ queryKey, meta }) => resources.includes(String(queryKey[0])) && meta !== still,
});

/** Fetch again whatever shows these resources (the first part of the key). */
export async function refresh(...resources: string[]): Promise<void> {
  await queryClient.invalidateQueries(showing(resources));
}

/** The same, but what is being fetched is waited for. */
export async function refreshIdle(...resources: string[]): Promise<void> {
  await queryClient.invalidateQueries(showing(resources), { cancelRefetch: false });
}

const [changes, setChanges] = createSignal<Readonly<Record<string, number>>>({});
/** How often the reader has changed this resource: what comes of that is shown at once, even in a list that stands still. */
export const changesOf = (resource: string): number => changes()[resource] ?? 0;

/** After a change that the reader made. */
export async function refreshChanged(...resources: string[]): Promise<void> {
  setChanges((before) => ({ ...before, ...Object.fromEntries(resources.map((one) => [one, (before[one] ?? 0) + 1])) }));
  await refresh(...resources);
}

// The cache of answers: when something is asked again, and how changed data reaches what is on screen.

import { QueryClient } from "@tanstack/solid-query";
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

/** Fetch again whatever shows these resources (the part of the key after the portal's prefix). */
export async function refresh(...resources: string[]): Promise<void> {
  await queryClient.invalidateQueries({ predicate: (query) => resources.includes(String(query.queryKey[0])) });
}

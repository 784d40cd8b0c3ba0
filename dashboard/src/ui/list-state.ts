// What a list shows, kept in the address: search, filters, sort and page survive reload, back and a shared link.

import { useSearchParams } from "@solidjs/router";
import type { Query } from "../api/client.ts";

export interface ListState {
  /** One filter's value, or "". */
  value: (name: string) => string;
  /** Sets filters; the list starts at its first page again. */
  set: (values: Record<string, string>, options?: { replace?: boolean }) => void;
  /** `column` or `-column` (descending); "" for the server's own order. */
  sort: () => string;
  setSort: (sort: string) => void;
  cursor: () => string;
  toPage: (cursor: string | null) => void;
  /** Everything the API is asked with. */
  query: () => Query;
  /** Some filter is on, so an empty list does not mean that there is nothing. */
  filtered: () => boolean;
  clear: () => void;
}

/** `prefix` keeps two lists of one page apart. `fixed` is sent along and never shown in the address. */
export function createListState(
  filters: readonly string[],
  options: { prefix?: string; fixed?: () => Query } = {},
): ListState {
  const [params, setParams] = useSearchParams<Record<string, string>>();
  const name = (key: string) => (options.prefix ?? "") + key;
  const read = (key: string): string => {
    const value = params[name(key)];
    return typeof value === "string" ? value : "";
  };
  // A search has the order of its own index.
  const sort = () => (read("q") === "" ? read("sort") : "");
  const write = (values: Record<string, string>, replace = false) =>
    setParams(Object.fromEntries(Object.entries(values).map(([key, value]) => [name(key), value])), { replace });

  return {
    value: read,
    set: (values, setOptions) => write({ ...values, cursor: "" }, setOptions?.replace ?? false),
    sort,
    setSort: (sort) => write({ sort, cursor: "" }),
    cursor: () => read("cursor"),
    toPage: (cursor) => write({ cursor: cursor ?? "" }),
    query: () => ({
      ...options.fixed?.(),
      ...Object.fromEntries(filters.map((filter) => [filter, read(filter)])),
      sort: sort(),
      cursor: read("cursor"),
    }),
    filtered: () => filters.some((filter) => read(filter) !== ""),
    clear: () => write(Object.fromEntries([...filters, "cursor"].map((filter) => [filter, ""]))),
  };
}

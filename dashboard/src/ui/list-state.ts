// What a list shows, kept in the address: search, filters, sort and page survive reload, back and a shared link.

import { useLocation, useSearchParams } from "@solidjs/router";
import type { Query } from "../api/client.ts";

export interface ListState {
  /** One filter's value, or "". `!` in front of it: everything but that. */
  value: (name: string) => string;
  /** Sets filters; the list starts at its first page again. */
  set: (values: Record<string, string>, options?: { replace?: boolean }) => void;
  /** The order that the list really has: `column` or `-column` (descending). */
  sort: () => string;
  setSort: (sort: string) => void;
  /** Why the list can't be sorted by this column now; null when it can. */
  fixedOrder: (column: string) => string | null;
  cursor: () => string;
  toPage: (cursor: string | null) => void;
  /** Takes an order or page that the list does not have out of the address. */
  drop: (name: "sort" | "cursor") => void;
  /** The page was turned to from the one before it: the browser's back leads there, and not away from here. */
  isTurned: () => boolean;
  /** Everything the API is asked with. */
  query: () => Query;
  /** Some filter is on, so an empty list does not mean that there is nothing. */
  filtered: () => boolean;
  clear: () => void;
}

interface ListOptions {
  /** The server's own order. */
  sort?: string;
  /** A search by the beginning of a text is in the order of that text: the columns that `q` may be sorted by, and why. */
  searched?: { by: readonly string[]; why: string };
  /** Keeps two lists of one page apart. */
  prefix?: string;
  /** Sent along and never shown in the address. */
  fixed?: () => Query;
}

/** Whether a filter leaves out what it names. */
const isNot = (value: string): boolean => /^(?:[!-]|NOT(?:\s|$))/.test(value);

export function createListState(filters: readonly string[], options: ListOptions = {}): ListState {
  const [params, setParams] = useSearchParams<Record<string, string>>();
  const location = useLocation<{ turned?: boolean }>();
  const name = (key: string) => (options.prefix ?? "") + key;
  const read = (key: string): string => {
    const value = params[name(key)];
    return typeof value === "string" ? value : "";
  };
  const searched = () => (read("q") === "" || isNot(read("q")) ? undefined : options.searched);
  const fixedOrder = (column: string): string | null => {
    const search = searched();
    return search === undefined || search.by.includes(column.replace(/^-/, "")) ? null : search.why;
  };
  const sort = () => {
    const asked = read("sort") || (options.sort ?? "");
    return fixedOrder(asked) === null ? asked : (searched()?.by[0] ?? asked);
  };
  const write = (values: Record<string, string>, how: { replace?: boolean; state?: { turned: boolean } } = {}) =>
    setParams(Object.fromEntries(Object.entries(values).map(([key, value]) => [name(key), value])), how);

  return {
    value: read,
    set: (values, setOptions) => write({ ...values, cursor: "" }, setOptions),
    sort,
    setSort: (sort) => write({ sort, cursor: "" }),
    fixedOrder,
    cursor: () => read("cursor"),
    toPage: (cursor) => write({ cursor: cursor ?? "" }, { state: { turned: cursor !== null } }),
    drop: (name) => write({ [name]: "", cursor: "" }, { replace: true }),
    isTurned: () => read("cursor") !== "" && location.state?.turned === true,
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

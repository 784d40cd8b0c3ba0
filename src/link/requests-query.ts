// What main asks a shard for when somebody looks at captured requests, and the order that both keep.

import type { CapturedRequest } from "./messages.ts";

/** One condition on a request. Texts are in lower case. */
export type RequestTerm = { not: boolean } & (
  | { field: "time" | "status" | "duration" | "in" | "out"; min: number; max: number }
  /** The method is this; of the others it is found in them. `any`: in what a row of the list shows. */
  | { field: "method" | "path" | "tunnel" | "address" | "user" | "id" | "error" | "any"; text: string }
  /** `cut`: it ended before the visitor had the whole answer. */
  | { field: "state"; is: "running" | "cut" }
);

export type RequestOrder = "time" | "status" | "duration" | "size";

/** Where a request stands in an order. */
export interface RequestPlace {
  value: number;
  id: string;
}

/** Which captured requests: the first `limit` that meet every term, in this order, after this place. */
export interface RequestsQuery {
  tunnelIds: string[];
  requestId: string | null;
  terms: RequestTerm[];
  order: RequestOrder;
  descending: boolean;
  after: RequestPlace | null;
  limit: number;
}

type Ordered = Pick<CapturedRequest, "startedAtMs" | "status" | "totalMs" | "bytesOut">;

const values: Record<RequestOrder, (request: Ordered) => number> = {
  time: ({ startedAtMs }) => startedAtMs,
  status: ({ status }) => status,
  // Cursors are whole numbers.
  duration: ({ totalMs }) => Math.round(totalMs * 100),
  size: ({ bytesOut }) => bytesOut,
};

/** What a request is sorted by: a whole number. */
export const orderValue = (order: RequestOrder, request: Ordered): number => values[order](request);

/** Compares places in the order of a query, for `sort`. */
export function comparePlaces(descending: boolean): (a: RequestPlace, b: RequestPlace) => number {
  const sign = descending ? -1 : 1;
  return (a, b) => {
    if (a.value !== b.value) return a.value < b.value ? -sign : sign;
    return a.id < b.id ? -sign : a.id > b.id ? sign : 0;
  };
}

// Looking through captured requests: over all that is kept, a few at a time, so that visitors' bytes have their turns in between.

import { createTurns } from "../src/lib/turns.ts";
import type { CapturedRequest } from "../src/link/messages.ts";
import { comparePlaces, orderValue, type RequestsQuery, type RequestTerm } from "../src/link/requests-query.ts";

type Line = Pick<CapturedRequest, "method" | "path">;

/** What the terms look at, but for the request line, which has to be read from a head. */
type Searched = Pick<
  CapturedRequest,
  | "id"
  | "startedAtMs"
  | "running"
  | "status"
  | "bytesIn"
  | "bytesOut"
  | "totalMs"
  | "name"
  | "address"
  | "principal"
  | "error"
>;

/** So many are looked at in one turn of the event loop: a quarter of a millisecond, one with a text to find. */
const perTurn = 400;
/** One for all searches of a thread: many of them take longer, not more of a turn. */
const turns = createTurns();

class Place<R extends Searched> {
  constructor(
    readonly row: R,
    readonly value: number,
  ) {}

  /** Only ties need it, and it costs more than all else. */
  get id(): string {
    return this.row.id;
  }
}

/**
 * The first `query.limit` of `rings` that it asks for, sorted. `lineOf` reads the request line as it may be shown: what is
 * hidden is not found either. Costs time in proportion to what is kept, and memory for two pages.
 */
export async function searchCaptures<R extends Searched>(
  rings: Iterable<readonly R[]>,
  query: RequestsQuery,
  lineOf: (row: R) => Line,
): Promise<R[]> {
  const { order, after, limit, requestId } = query;
  const compare = comparePlaces(query.descending);
  let found: Place<R>[] = [];
  /** The last that still has a place on the page. */
  let last: Place<R> | null = null;
  const cut = (): void => {
    found = found.sort(compare).slice(0, limit);
    if (found.length === limit) last = found.at(-1)!;
  };
  let looked = 0;
  for (const ring of rings) {
    for (const row of ring) {
      if (++looked % perTurn === 0) await turns();
      if (requestId !== null && row.id !== requestId) continue;
      const place = new Place(row, orderValue(order, row));
      if (after !== null && compare(place, after) <= 0) continue;
      if (last !== null && compare(place, last) > 0) continue;
      if (!meets(query.terms, row, () => lineOf(row))) continue;
      if (found.push(place) >= 2 * limit) cut();
    }
  }
  cut();
  return found.map(({ row }) => row);
}

/** Whether a request meets every term; its line is read only when the terms before leave it in. */
export function meets(terms: readonly RequestTerm[], row: Searched, line: () => Line): boolean {
  return terms.every((term) => holds(term, row, line) !== term.not);
}

const numbers: Record<Extract<RequestTerm, { min: number }>["field"], (row: Searched) => number> = {
  time: (row) => row.startedAtMs,
  status: (row) => row.status,
  duration: (row) => row.totalMs,
  in: (row) => row.bytesIn,
  out: (row) => row.bytesOut,
};

const texts: Record<Extract<RequestTerm, { text: string }>["field"], (row: Searched, line: () => Line) => string> = {
  method: (_row, line) => line().method,
  path: (_row, line) => line().path,
  tunnel: (row) => row.name,
  address: (row) => row.address,
  user: (row) => row.principal ?? "",
  id: (row) => row.id,
  error: (row) => row.error ?? "",
  any(row, line) {
    const { method, path } = line();
    return `${method} ${path} ${row.status} ${row.name} ${row.address} ${row.principal ?? ""}`;
  },
};

function holds(term: RequestTerm, row: Searched, line: () => Line): boolean {
  if (term.field === "state")
    return term.is === "running" ? row.running : !row.running && (row.error !== null || row.status === 0);
  if ("min" in term) {
    const value = numbers[term.field](row);
    return value >= term.min && value <= term.max;
  }
  const text = texts[term.field](row, line).toLowerCase();
  return term.field === "method" ? text === term.text : text.includes(term.text);
}

// The requests on screen: what the server remembers, then what the stream brings, drawn a few times a second.

import { createSignal, onCleanup, type Accessor } from "solid-js";
import { listen } from "../../api/live.ts";
import type { CapturedRequest } from "../../api/types.ts";

/** So many are listed; older ones leave the list, unless somebody asked for older ones. */
const listedRequests = 500;
/** With older ones that were asked for. */
export const mostListed = 2_000;
const mostGaps = 20;
const drawEveryMs = 250;

export interface RequestFeed {
  /** Newest first, by the time they began. */
  rows: Accessor<CapturedRequest[]>;
  /** New ones that wait until the list may move. */
  waiting: Accessor<number>;
  /** How many have left the list for newer ones. */
  dropped: Accessor<number>;
  /** How many passed too fast to be told one by one. */
  skipped: Accessor<number>;
  /** Times after which some may be missing: the stream broke off there, and could not go on from there. */
  gaps: Accessor<readonly string[]>;
  /** Shows what waits, although the reader is in the list. */
  catchUp: () => void;
  /** Takes the newest that the server remembers. */
  seed: (requests: CapturedRequest[]) => void;
  /** Takes older ones; the list grows by them. Returns how many it did not have. */
  addOlder: (requests: CapturedRequest[]) => number;
  clear: () => void;
}

/**
 * `wanted` decides by tunnel and application; the text filter is applied to what is listed. Unless `mayMove` nothing moves:
 * the row under a pointer stays there.
 */
export function createRequestFeed(
  wanted: (request: Pick<CapturedRequest, "tunnelId" | "appId">) => boolean,
  mayMove: Accessor<boolean>,
): RequestFeed {
  const [rows, setRows] = createSignal<CapturedRequest[]>([]);
  const [waiting, setWaiting] = createSignal(0);
  const [dropped, setDropped] = createSignal(0);
  const [skipped, setSkipped] = createSignal(0);
  const [gaps, setGaps] = createSignal<readonly string[]>([]);
  let most = listedRequests;
  let buffer: CapturedRequest[] = [];
  /** When the newest began that was known as the stream broke off. */
  let heardUntil: string | undefined;
  let isLost = false;

  const draw = () => {
    if (buffer.length === 0) return;
    if (mayMove() || rows().length === 0) catchUp();
    else setWaiting(buffer.length);
  };
  const catchUp = () => {
    const fresh = buffer;
    buffer = [];
    setWaiting(0);
    add(fresh);
  };
  const unknown = (requests: CapturedRequest[]) => {
    const known = new Set([...rows(), ...buffer].map(({ id }) => id));
    return requests.filter(({ id }) => !known.has(id));
  };
  const add = (fresh: CapturedRequest[]) => {
    const merged = [...fresh, ...rows()].sort(newestFirst);
    if (merged.length > most) setDropped((count) => count + merged.length - most);
    setRows(merged.slice(0, most));
  };

  const timer = setInterval(draw, drawEveryMs);
  onCleanup(() => clearInterval(timer));
  listen((event) => {
    // By the time that the gap is told the newest may have been fetched already.
    if (event.type === "lost" && !isLost) heardUntil = [...buffer, ...rows()].sort(newestFirst)[0]?.time;
    isLost = event.type === "lost";
    if (event.type === "gap") {
      const until = heardUntil;
      if (until !== undefined) setGaps((all) => [until, ...all].slice(0, mostGaps));
    } else if (event.type !== "lost" && event.type !== "connected") heardUntil = undefined;
    if (event.type === "request.skipped") {
      const { count, ...of } = event.data as Pick<CapturedRequest, "tunnelId" | "appId"> & { count: number };
      if (wanted(of)) setSkipped((all) => all + count);
    }
    if (event.type !== "request") return;
    buffer.push(...unknown((event.data as CapturedRequest[]).filter(wanted)));
    if (buffer.length > most) {
      setDropped((count) => count + buffer.length - most);
      buffer = buffer.slice(-most);
    }
  });

  return {
    rows,
    waiting,
    dropped,
    skipped,
    gaps,
    catchUp,
    seed: (requests) => {
      const oldest = rows().at(-1);
      const fresh = unknown(requests);
      // What goes below everything moves nothing.
      const below = fresh.filter((request) => oldest === undefined || newestFirst(request, oldest) > 0);
      add(below);
      buffer.push(...fresh.filter((request) => !below.includes(request)));
      draw();
    },
    addOlder: (requests) => {
      const fresh = unknown(requests);
      most = Math.min(mostListed, Math.max(most, rows().length + fresh.length));
      add(fresh);
      return fresh.length;
    },
    clear: () => {
      buffer = [];
      most = listedRequests;
      setWaiting(0);
      setDropped(0);
      setSkipped(0);
      setGaps([]);
      setRows([]);
    },
  };
}

/** The server's own order. */
function newestFirst(a: CapturedRequest, b: CapturedRequest): number {
  if (a.time !== b.time) return a.time < b.time ? 1 : -1;
  return a.id < b.id ? 1 : a.id > b.id ? -1 : 0;
}

/** The rows above which a gap is told: the newest ones that were known when the stream broke off. */
export function rowsBelowGaps(rows: readonly CapturedRequest[], gaps: readonly string[]): ReadonlySet<string> {
  return new Set(gaps.flatMap((time) => rows.find((row) => row.time <= time)?.id ?? []));
}

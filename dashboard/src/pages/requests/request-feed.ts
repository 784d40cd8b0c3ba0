// The requests on screen: what the server remembers, then what the stream brings, at most 500, drawn a few times a second.

import { createSignal, onCleanup, type Accessor } from "solid-js";
import { listen } from "../../api/live.ts";
import type { CapturedRequest } from "../../api/types.ts";

/** As many as are kept; older ones fall out, and the page says so. */
export const keptRequests = 500;
const drawEveryMs = 250;

export interface RequestFeed {
  /** Newest first; stands still while paused, and while the reader is in the list. */
  rows: Accessor<CapturedRequest[]>;
  /** New ones that wait meanwhile. */
  waiting: Accessor<number>;
  /** How many of all seen have fallen out of the list. */
  dropped: Accessor<number>;
  paused: Accessor<boolean>;
  setPaused: (on: boolean) => void;
  /** Shows what waits, although the reader is in the list. */
  catchUp: () => void;
  /** Takes what the server remembered, behind what the stream already brought. */
  seed: (requests: CapturedRequest[]) => void;
  clear: () => void;
}

/**
 * `wanted` decides by tunnel and application; the text filter is applied to what is kept. While `reading` says so nothing
 * moves: the row under a pointer stays there.
 */
export function createRequestFeed(
  wanted: (request: CapturedRequest) => boolean,
  reading: Accessor<boolean>,
): RequestFeed {
  const [rows, setRows] = createSignal<CapturedRequest[]>([]);
  const [waiting, setWaiting] = createSignal(0);
  const [dropped, setDropped] = createSignal(0);
  const [paused, setPausedSignal] = createSignal(false);
  let buffer: CapturedRequest[] = [];

  const draw = () => {
    if (buffer.length === 0) return;
    if (paused() || (reading() && rows().length > 0)) setWaiting(buffer.length);
    else catchUp();
  };
  const catchUp = () => {
    const fresh = buffer.toReversed();
    buffer = [];
    setWaiting(0);
    add(fresh);
  };
  const add = (fresh: CapturedRequest[]) => {
    const known = new Set(rows().map((row) => row.id));
    const merged = [...fresh.filter((request) => !known.has(request.id)), ...rows()];
    if (merged.length > keptRequests) setDropped((count) => count + merged.length - keptRequests);
    setRows(merged.slice(0, keptRequests));
  };

  const timer = setInterval(draw, drawEveryMs);
  onCleanup(() => clearInterval(timer));
  listen((event) => {
    if (event.type !== "request") return;
    // The server may bundle several in one event.
    const all = (Array.isArray(event.data) ? event.data : [event.data]) as CapturedRequest[];
    for (const request of all) if (wanted(request)) buffer.push(request);
    if (buffer.length > keptRequests) {
      setDropped((count) => count + buffer.length - keptRequests);
      buffer = buffer.slice(-keptRequests);
    }
  });

  return {
    rows,
    waiting,
    dropped,
    paused,
    setPaused: (on) => {
      setPausedSignal(on);
      draw();
    },
    catchUp,
    seed: (requests) => {
      const known = new Set(rows().map((row) => row.id));
      setRows([...rows(), ...requests.filter((request) => !known.has(request.id))].slice(0, keptRequests));
    },
    clear: () => {
      buffer = [];
      setWaiting(0);
      setDropped(0);
      setRows([]);
    },
  };
}

// The one live stream of this page: opened while somebody on screen listens, resumed where it broke, closed when hidden.

import { createEffect, createRoot, createSignal, on, onCleanup } from "solid-js";
import { readError } from "./client.ts";
import { createEventParser } from "./event-stream.ts";
import { base, expired } from "./session.ts";

/** `loggedOut`: tried again as well, but only a log-in helps. */
export type LiveState = "off" | "connecting" | "live" | "waiting" | "loggedOut";
/** One of the server's (see `GET /admin/events`), or `connected`: everything from now on is told; or `lost`: nothing is. */
export interface LiveEvent {
  type: string;
  data: unknown;
}
type Listener = (event: LiveEvent) => void;

const listeners = new Set<Listener>();
const observers = new Set<Listener>();
const [state, setState] = createSignal<LiveState>("off");
const [lostAtMs, setLostAtMs] = createSignal<number | null>(null);
/** Whether what is on screen is being kept up to date. */
export const liveState = state;
/** Since when nothing is heard although somebody listens; null while all is well. */
export { lostAtMs };

let lastEventId = "";
let abort: AbortController | null = null;
let retryTimer: ReturnType<typeof setTimeout> | undefined;
let failures = 0;
let loggedOut = false;

/** No byte for this long means that the connection is dead: the server sends `stats` each second. */
const silenceMs = 20_000;
/** How long the stream goes on in a tab that nobody sees: switching to and fro is no reason to begin anew. */
const hiddenMs = 10_000;

function emit(event: LiveEvent): void {
  for (const listener of [...observers, ...listeners]) listener(event);
}

async function connect(): Promise<void> {
  const controller = new AbortController();
  abort = controller;
  setState("connecting");
  let silence: ReturnType<typeof setTimeout> | undefined;
  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(() => controller.abort(), silenceMs);
  };
  heard();
  try {
    const response = await fetch(`${base()}/events`, {
      headers: { accept: "text/event-stream", ...(lastEventId === "" ? {} : { "last-event-id": lastEventId }) },
      credentials: "same-origin",
      cache: "no-store",
      signal: controller.signal,
    });
    // Whether to log in again is asked by the next call of a person; the stream alone never interrupts.
    loggedOut = response.status === 401;
    if (!response.ok || response.body === null) throw readError(response, await response.text());
    failures = 0;
    heard();
    emit({ type: "connected", data: null });
    setState("live");
    setLostAtMs(null);
    const parse = createEventParser((event) => {
      if (event.id !== "") lastEventId = event.id;
      emit({ type: event.type, data: JSON.parse(event.data) as unknown });
    });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      heard();
      parse(value);
    }
  } catch {
    // Every cause ends the same way: wait, then resume after the last event; `liveState` tells the reader meanwhile.
    failures++;
  } finally {
    clearTimeout(silence);
    emit({ type: "lost", data: null });
    if (abort === controller) {
      abort = null;
      schedule();
    }
  }
}

const wanted = (): boolean => listeners.size > 0 && !document.hidden;

function schedule(): void {
  clearTimeout(retryTimer);
  if (!wanted()) {
    turnOff();
    return;
  }
  setLostAtMs((before) => before ?? Date.now());
  setState(loggedOut ? "loggedOut" : "waiting");
  const limitMs = Math.min(15_000, 500 * 2 ** failures);
  retryTimer = setTimeout(() => void connect(), 250 + Math.random() * limitMs);
}

function turnOff(): void {
  setState("off");
  setLostAtMs(null);
}

function update(): void {
  if (wanted()) {
    if (abort === null) connectNow();
    return;
  }
  clearTimeout(retryTimer);
  const current = abort;
  abort = null;
  current?.abort();
  turnOff();
}

/** Does not wait for the next try. */
export function connectNow(): void {
  clearTimeout(retryTimer);
  if (state() !== "live" && wanted()) {
    const current = abort;
    void connect();
    current?.abort();
  }
}

let hideTimer: ReturnType<typeof setTimeout> | undefined;
document.addEventListener("visibilitychange", () => {
  clearTimeout(hideTimer);
  if (document.hidden) hideTimer = setTimeout(update, hiddenMs);
  else update();
});
// After somebody logged in again nobody wants to wait for the next try.
createRoot(() => createEffect(on(expired, (isExpired) => !isExpired && update(), { defer: true })));

/** Calls `listener` for every event, whenever somebody else listens. For the life of the page. */
export function observe(listener: Listener): void {
  observers.add(listener);
}

/** Calls `listener` for every event while the calling component is on screen. */
export function listen(listener: Listener): void {
  listeners.add(listener);
  update();
  onCleanup(() => {
    listeners.delete(listener);
    // The next page may listen as well: don't drop the connection in between.
    setTimeout(update, 100);
  });
}

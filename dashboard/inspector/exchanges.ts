// The list as it is now: asked for again as soon as it has changed, for as long as the page is looked at.

import { createSignal, onCleanup } from "solid-js";
import type { BegunExchange, ExchangeSummary } from "../../cli/inspector/types.ts";
import { InspectorError, list } from "./api.ts";

const pauseMs = 2_000;
/** Other windows have their turn to wait meanwhile. */
const turnMs = 1_000;

export interface Exchanges {
  /** The newest first; null: not heard yet. */
  items: () => ExchangeSummary[] | null;
  /** Why the list can't be had; null: it can. */
  trouble: () => InspectorError | null;
  /** One that this page has begun itself, of which the list may tell later. */
  add: (one: BegunExchange) => void;
}

/**
 * A question waits for news on a connection, of which a browser has six for all tabs together. One that is hidden therefore asks for nothing; it
 * misses nothing by that, as an answer is the whole list.
 */
export function followExchanges(): Exchanges {
  const [items, setItems] = createSignal<ExchangeSummary[] | null>(null);
  const [trouble, setTrouble] = createSignal<InspectorError | null>(null);
  /** Begun by this page after the list that is shown was given, the newest first. */
  let begun: BegunExchange[] = [];
  let over = false;
  let asking = new AbortController();
  const look = (): void => {
    if (document.hidden) asking.abort();
  };
  document.addEventListener("visibilitychange", look);
  onCleanup(() => {
    over = true;
    document.removeEventListener("visibilitychange", look);
    asking.abort();
  });
  void (async () => {
    let version = -1;
    while (!over) {
      await untilShown();
      asking = new AbortController();
      const { signal } = asking;
      try {
        const next = await list(version, signal);
        if (next.version !== version) {
          begun = begun.filter((one) => one.version > next.version);
          setItems([...begun, ...next.exchanges]);
        }
        setTrouble(null);
        if (next.version === version) await sleep(turnMs);
        version = next.version;
      } catch (error) {
        if (signal.aborted) continue;
        setTrouble(error instanceof InspectorError ? error : new InspectorError(0, String(error)));
        // A new agent has versions of its own, and a new key.
        version = -1;
        begun = [];
        await sleep(pauseMs);
      }
    }
  })();
  const add = (one: BegunExchange): void => {
    if (items()?.some(({ id }) => id === one.id)) return;
    begun = [one, ...begun];
    setItems((all) => [one, ...(all ?? [])]);
  };
  return { items, trouble, add };
}

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

async function untilShown(): Promise<void> {
  while (document.hidden)
    await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

// The foot of the requests: how many are listed, the way back to older ones, and why it ends.

import { createEffect, createSignal, on, Show, type Accessor, type JSX } from "solid-js";
import { queryClient } from "../../api/query-client.ts";
import * as resources from "../../api/resources.ts";
import { Button } from "../../ui/button.tsx";
import { formatCount } from "../../ui/format.ts";
import { attempt } from "../../ui/toast.tsx";
import { mostListed, type RequestFeed } from "./request-feed.ts";

export const pageSize = 200;

export interface Older {
  /** The server may have some that are not listed. */
  more: Accessor<boolean>;
  setMore: (more: boolean) => void;
  loading: Accessor<boolean>;
  load: () => void;
}

/** Pages go by the time of the last row, whichever way it came into the list. */
export function createOlder(feed: RequestFeed, scope: Accessor<{ app?: string; tunnel?: string }>): Older {
  const [more, setMore] = createSignal(false);
  const [loading, setLoading] = createSignal(false);
  createEffect(on(feed.dropped, (dropped) => dropped > 0 && setMore(true)));

  async function load(): Promise<void> {
    const { app, tunnel } = scope();
    let cursor: string | null | undefined;
    let added = 0;
    do {
      const query = { app, tunnel, limit: pageSize, to: feed.rows().at(-1)?.time, cursor };
      const page = await queryClient.fetchQuery({ ...resources.requests(query), staleTime: 0 });
      if (app !== scope().app || tunnel !== scope().tunnel) return;
      cursor = page.nextCursor;
      added = feed.addOlder(page.items);
    } while (added === 0 && cursor !== null);
    setMore(cursor !== null);
  }

  return {
    more,
    setMore,
    loading,
    load() {
      setLoading(true);
      void attempt(load).finally(() => setLoading(false));
    },
  };
}

/** `kept`: how many of each tunnel the server keeps, once it is known. */
export function RequestsFoot(props: {
  shown: number;
  feed: RequestFeed;
  older: Older;
  kept: number | null;
  following: boolean;
}): JSX.Element {
  const listed = () => props.feed.rows().length;
  const isFull = () => listed() >= mostListed;
  const end = () => {
    if (isFull()) return `No more than ${formatCount(mostListed)} are listed: narrow by tunnel to see older ones.`;
    return props.kept === null
      ? ""
      : `Nothing older is kept: only the last ${formatCount(props.kept)} of each tunnel, fewer when they fill the memory for them.`;
  };
  const standing = () => {
    if (!props.following) return "Standing still";
    return props.feed.waiting() > 0 ? "Standing still while you are in the list" : "Following";
  };
  return (
    <div class="table-foot" role="status">
      <span>
        {formatCount(props.shown)} of {formatCount(listed())} shown
        {props.feed.dropped() > 0 ? ` · ${formatCount(props.feed.dropped())} older ones left the list` : ""}
        {props.feed.skipped() > 0 ? ` · ${formatCount(props.feed.skipped())} passed too fast to be listed` : ""}
      </span>
      <Show when={props.older.more() && !isFull()} fallback={<span>{end()}</span>}>
        <Button small disabled={props.older.loading()} onClick={props.older.load}>
          Load older
        </Button>
      </Show>
      <span>{standing()}</span>
    </div>
  );
}

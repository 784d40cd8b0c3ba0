// Whether what is on screen is kept up to date: the word in the frame, and the bar that says what is stale, since when, and why.

import { createMemo, createSignal, onCleanup, Show, type JSX } from "solid-js";
import { messageOf } from "../api/client.ts";
import { connectNow, liveState, lostAtMs, type LiveState } from "../api/live.ts";
import { queryClient } from "../api/query-client.ts";
import { ensureSession } from "../api/session.ts";
import { Button } from "../ui/button.tsx";
import { Icon } from "../ui/icon.tsx";
import { Dot } from "../ui/state.tsx";
import { Ago, now } from "../ui/time.tsx";
import { attempt } from "../ui/toast.tsx";

const words: Record<LiveState, string> = {
  live: "Live",
  connecting: "Connecting…",
  waiting: "Connection lost, trying again",
  loggedOut: "Logged out",
  off: "",
};

export function LiveNote(): JSX.Element {
  return (
    <Show when={liveState() !== "off"}>
      <p class="live-note" role="status">
        <Dot tone={liveState() === "live" ? "good" : "warn"} />
        <span>{words[liveState()]}</span>
        <Show when={liveState() === "loggedOut"}>
          <button type="button" class="more" onClick={() => void attempt(ensureSession)}>
            Log in again
          </button>
        </Show>
      </p>
    </Show>
  );
}

/** A break that is over before anybody could read of it is no news. */
const noticedMs = 3_000;

interface Stale {
  sinceMs: number;
  why: string;
}

/** Data on screen that could not be fetched again; null when there is none. */
function failedQueries(): Stale | null {
  const failed = queryClient
    .getQueryCache()
    .getAll()
    .filter((query) => query.isActive() && query.state.status === "error" && query.state.data !== undefined);
  const [first] = failed;
  if (first === undefined) return null;
  return { sinceMs: Math.min(...failed.map(({ state }) => state.dataUpdatedAt)), why: messageOf(first.state.error) };
}

/** Stands at the bottom, so that nothing moves when it comes and goes. */
export function NotUpToDate(): JSX.Element {
  const [failed, setFailed] = createSignal<Stale | null>(null);
  onCleanup(queryClient.getQueryCache().subscribe(() => queueMicrotask(() => setFailed(failedQueries()))));
  const stale = createMemo((): Stale | null => {
    const lostMs = lostAtMs();
    const lost: Stale | null =
      lostMs === null || now() - lostMs < noticedMs
        ? null
        : {
            sinceMs: lostMs,
            why: "The connection for live updates is lost; lists are fetched every few seconds instead.",
          };
    return failed() ?? lost;
  });
  const tryAgain = () => {
    connectNow();
    void queryClient.refetchQueries({ type: "active", predicate: ({ state }) => state.status === "error" });
  };
  return (
    <Show when={stale()}>
      {(what) => (
        <div class="stale" role="status">
          <Icon name="warn" />
          <p class="grow">
            <strong>
              {failed() === null ? "Not live since " : "Not up to date: as of "}
              <Ago time={what().sinceMs} />.
            </strong>{" "}
            {what().why}
          </p>
          <Button small icon="refresh" onClick={tryAgain}>
            Try again
          </Button>
        </div>
      )}
    </Show>
  );
}

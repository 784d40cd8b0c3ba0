// Whether what is on screen is kept up to date: the word in the frame, and the bar that says what is stale, since when, and why.

import { createMemo, createSignal, onCleanup, Show, type JSX } from "solid-js";
import { ApiError, messageOf } from "../api/client.ts";
import { connectNow, liveState, lostAtMs, type LiveState } from "../api/live.ts";
import { queryClient, refetchFailed } from "../api/query-client.ts";
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

const logInAgain = (): void =>
  void attempt(async () => {
    await ensureSession();
    connectNow();
    await refetchFailed();
  });

export function LiveNote(): JSX.Element {
  return (
    <Show when={liveState() !== "off"}>
      <p class="live-note" role="status">
        <Dot tone={liveState() === "live" ? "good" : "warn"} />
        <span>{words[liveState()]}</span>
        <Show when={liveState() === "loggedOut"}>
          <button type="button" class="more" onClick={logInAgain}>
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
  /** The session is over: trying again without a log-in helps nothing. */
  isLoggedOut: boolean;
}

/** Data on screen that could not be fetched again; null when there is none. */
function failedQueries(): Stale | null {
  const failed = queryClient
    .getQueryCache()
    .getAll()
    .filter((query) => query.isActive() && query.state.status === "error" && query.state.data !== undefined);
  const [first] = failed;
  if (first === undefined) return null;
  const isLoggedOut = failed.some(({ state }) => state.error instanceof ApiError && state.error.status === 401);
  const why = isLoggedOut ? "Your session ended. What you typed on this page is kept." : messageOf(first.state.error);
  return { sinceMs: Math.min(...failed.map(({ state }) => state.dataUpdatedAt)), why, isLoggedOut };
}

/** Stands at the bottom, so that nothing moves when it comes and goes. */
export function NotUpToDate(): JSX.Element {
  const [failed, setFailed] = createSignal<Stale | null>(null);
  onCleanup(queryClient.getQueryCache().subscribe(() => queueMicrotask(() => setFailed(failedQueries()))));
  const stale = createMemo((): Stale | null => {
    const lostMs = lostAtMs();
    const lost: Stale | null =
      // Whoever is logged out reads so beside, and is told here what could not be fetched since.
      lostMs === null || liveState() === "loggedOut" || now() - lostMs < noticedMs
        ? null
        : {
            sinceMs: lostMs,
            why: "The connection for live updates is lost; lists are fetched every few seconds instead.",
            isLoggedOut: false,
          };
    return failed() ?? lost;
  });
  const tryAgain = () => {
    connectNow();
    void refetchFailed();
  };
  return (
    <Show when={stale()}>
      {(what) => (
        <div class="stale" role="status">
          <Icon name="warn" />
          <p class="grow">
            <strong>
              {failed() === null ? "Last live " : "Not up to date: last fetched "}
              {/* Else it would be read out each second. */}
              <span role="timer">
                <Ago time={what().sinceMs} />
              </span>
              .
            </strong>{" "}
            {what().why}
          </p>
          <Show
            when={what().isLoggedOut}
            fallback={
              <Button small icon="refresh" onClick={tryAgain}>
                Try again
              </Button>
            }
          >
            <Button small onClick={logInAgain}>
              Log in again
            </Button>
          </Show>
        </div>
      )}
    </Show>
  );
}

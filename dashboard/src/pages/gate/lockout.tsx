// Too many failures: says until when, counting down, and what still works.

import { Show, type JSX } from "solid-js";
import { formatClock, formatDuration } from "../../ui/format.ts";
import { Note } from "../../ui/note.tsx";
import { now } from "../../ui/time.tsx";

/** `codesOnly`: it is codes of the authenticator that are refused here, not everything from this address. */
export function Lockout(props: { untilMs: number; codesOnly?: boolean }): JSX.Element {
  const leftMs = () => props.untilMs - now();
  return (
    <Show when={leftMs() > 0}>
      <Note tone="warn" alert title="Too many failed attempts">
        <p>
          Try again in {/* An alert is read out again whenever it changes; a timer is not. */}
          <strong class="num" role="timer">
            {formatDuration(Math.ceil(leftMs() / 1000) * 1000)}
          </strong>
          , at {formatClock(props.untilMs)}. Sessions that are already logged in go on working
          <Show when={props.codesOnly === true}>
            , and so do recovery codes, and logging in from where you lately did
          </Show>
          .
        </p>
      </Note>
    </Show>
  );
}

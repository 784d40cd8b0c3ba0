// Times: how long ago, with the exact moment on hover; one shared tick for the whole page.

import { createSignal, Show, type JSX } from "solid-js";
import { formatAbsolute, formatAgo, formatClock } from "./format.ts";

const [now, setNow] = createSignal(Date.now());
setInterval(() => {
  if (!document.hidden) setNow(Date.now());
}, 1_000);

/** The current time, followed once a second. */
export { now };

type Instant = string | number | null | undefined;

const toMs = (value: Exclude<Instant, null | undefined>): number =>
  typeof value === "number" ? value : Date.parse(value);

/** "3 min ago"; `never` stands in when there is no time. */
export function Ago(props: { time: Instant; never?: string }): JSX.Element {
  return (
    <Show
      when={props.time !== null && props.time !== undefined}
      fallback={<span class="muted">{props.never ?? "never"}</span>}
    >
      <time dateTime={new Date(toMs(props.time!)).toISOString()} title={formatAbsolute(toMs(props.time!))} class="num">
        {formatAgo(toMs(props.time!), now())}
      </time>
    </Show>
  );
}

/** The exact moment; `clock` leaves the date to the title. */
export function Moment(props: { time: Exclude<Instant, null | undefined>; clock?: boolean }): JSX.Element {
  const ms = () => toMs(props.time);
  return (
    <time
      dateTime={new Date(ms()).toISOString()}
      title={`${formatAbsolute(ms())} (${formatAgo(ms(), now())})`}
      class="num"
    >
      {props.clock ? formatClock(ms()) : formatAbsolute(ms())}
    </time>
  );
}

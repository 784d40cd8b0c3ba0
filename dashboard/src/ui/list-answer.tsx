// What came of a search, filter, order or page, for whoever does not see the list change.

import { createEffect, createSignal, onCleanup, untrack, type JSX } from "solid-js";
import { plural } from "./format.ts";
import type { List } from "./list.ts";
import type { ListState } from "./list-state.ts";

/** A screen reader tells the letters that are typed first. */
const pauseMs = 500;

/** Tells how much is listed each time the reader asked for something else; what comes and goes by itself is not told. */
export function ListAnswer<T>(props: { query: List<T>; state: ListState }): JSX.Element {
  const asked = () => JSON.stringify(props.state.query());
  const [said, setSaid] = createSignal("");
  let told = untrack(asked);
  let timer: ReturnType<typeof setTimeout> | undefined;
  onCleanup(() => clearTimeout(timer));
  const say = () => {
    const { data } = props.query;
    if (props.query.isError || data === undefined) return;
    const rows = data.items.length === 0 ? "nothing" : plural(data.items.length, "row");
    setSaid(`Listed now: ${rows}${data.nextCursor ? ", and more on the next page" : ""}.`);
  };
  createEffect(() => {
    const now = asked();
    const isAnswered = !props.query.isPending && !props.query.isPlaceholderData;
    if (now === told) return;
    clearTimeout(timer);
    setSaid("");
    if (!isAnswered) return;
    told = now;
    timer = setTimeout(say, pauseMs);
  });
  return (
    <p class="visually-hidden" role="status">
      {said()}
    </p>
  );
}

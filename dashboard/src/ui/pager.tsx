// Below a list: how much of it is shown, what waits to be shown, and the way to the next page.

import { Show, type JSX } from "solid-js";
import { Button } from "./button.tsx";
import { plural } from "./format.ts";
import type { ListState } from "./list-state.ts";
import type { List } from "./list.ts";

/** "51 shown" and the way to the next page. Keyset paging: back is the browser's back where it leads to the page before, or the first page. */
export function Pager<T>(props: { query: List<T>; state: ListState | undefined; count: number }): JSX.Element {
  const next = () => props.query.data?.nextCursor ?? null;
  const isPaged = () => props.state !== undefined && (next() !== null || props.state.cursor() !== "");
  /** A page with a Follow has a place for them in its toolbar. */
  const waiting = () => (props.query.follow === undefined ? props.query.waiting() : 0);
  let foot!: HTMLDivElement;
  /** Another page is read from its beginning; the buttons stand at the end of this one. */
  const turn = (cursor: string | null) => {
    props.state?.toPage(cursor);
    foot.parentElement?.querySelector("thead")?.scrollIntoView({ block: "nearest" });
  };
  return (
    <Show when={isPaged() || waiting() > 0}>
      <div class="table-foot" ref={foot}>
        <span class="num">
          {props.count} on this page{isPaged() && next() === null ? ", the last one" : ""}
        </span>
        <span class="row">
          <Show when={waiting() > 0}>
            <Button small icon="up" onClick={props.query.catchUp}>
              {`Show ${plural(waiting(), props.query.othersWait ? "other row" : "new row")}`}
            </Button>
          </Show>
          <Show when={props.state?.isTurned()}>
            <Button small onClick={() => history.back()}>
              Back
            </Button>
          </Show>
          <Show when={props.state?.cursor()}>
            <Button small onClick={() => turn(null)}>
              First page
            </Button>
          </Show>
          <Show when={isPaged()}>
            <Button small disabled={next() === null} onClick={() => turn(next())}>
              Next page
            </Button>
          </Show>
        </span>
      </div>
    </Show>
  );
}

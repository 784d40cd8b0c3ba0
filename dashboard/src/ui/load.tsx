// One thing from the server: skeleton while it loads, failure with a retry, then the content.

import { Match, Switch, type Accessor, type JSX } from "solid-js";
import { Problem } from "./note.tsx";
import { Bar } from "./skeleton.tsx";

interface OneQuery<T> {
  isPending: boolean;
  isError: boolean;
  error: unknown;
  data: T | undefined;
  refetch: () => unknown;
}

/** Renders `children` with the data once it is there; data on screen stays when a later fetch fails. */
export function Load<T>(props: {
  query: OneQuery<T>;
  lines?: number;
  /** Where the thing would be listed: the way on when there is no such thing. */
  list?: { href: string; label: string };
  children: (data: Accessor<T>) => JSX.Element;
}): JSX.Element {
  return (
    <Switch>
      <Match when={props.query.isPending}>
        <div class="stack" role="status" aria-label="Loading">
          {Array.from({ length: props.lines ?? 4 }, (_, line) => (
            <Bar width={["70%", "55%", "82%", "46%"][line % 4] ?? "60%"} />
          ))}
        </div>
      </Match>
      <Match when={props.query.isError && props.query.data === undefined}>
        <Problem error={props.query.error} list={props.list} onRetry={() => void props.query.refetch()} />
      </Match>
      <Match when={true}>{props.children(() => props.query.data as T)}</Match>
    </Switch>
  );
}

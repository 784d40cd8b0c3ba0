// The order of a list where the head of its table is not seen.

import { Show, type JSX } from "solid-js";
import { Select } from "./field.tsx";
import type { ListState } from "./list-state.ts";

/** Every order that the columns offer now. */
export function OrderSelect(props: { columns: { title: string; sort?: string }[]; state: ListState }): JSX.Element {
  const options = () =>
    props.columns.flatMap(({ title, sort }) =>
      sort === undefined || props.state.fixedOrder(sort) !== null
        ? []
        : [
            { value: sort, label: `${title}, ascending` },
            { value: `-${sort}`, label: `${title}, descending` },
          ],
    );
  return (
    <Show when={options().length > 0}>
      <div class="table-order">
        <Select label="Order" value={props.state.sort()} onValue={props.state.setSort} options={options()} />
      </div>
    </Show>
  );
}

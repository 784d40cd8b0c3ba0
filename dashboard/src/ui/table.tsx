// A list from the server: skeleton, rows, sort, pages, empty and failed states, all in one place.

import { For, Match, Show, Switch, type JSX } from "solid-js";
import { ApiError } from "../api/client.ts";
import { Button } from "./button.tsx";
import { Icon } from "./icon.tsx";
import { ListAnswer } from "./list-answer.tsx";
import type { List } from "./list.ts";
import type { ListState } from "./list-state.ts";
import { Empty, Problem } from "./note.tsx";
import { OrderSelect } from "./order-select.tsx";
import { Pager } from "./pager.tsx";
import { SkeletonTable } from "./skeleton.tsx";

export interface Column<T> {
  /** What the column is called; "" for actions. */
  title: string;
  cell: (row: T) => JSX.Element;
  /** The API sorts by this name. */
  sort?: string;
  /** Numbers stand at the end, so that digits line up. */
  end?: boolean;
  /** Takes a whole line of the card on a phone. */
  wide?: boolean;
  shrink?: boolean;
}

interface TableProps<T> {
  /** What the table holds, for screen readers. */
  label: string;
  columns: Column<T>[];
  query: List<T>;
  state?: ListState;
  /** Nothing there yet, and no filter set: why, and what to do next. */
  empty: JSX.Element;
  dim?: (row: T) => boolean;
  class?: string;
  /** A click anywhere in a row does what one of its buttons does. */
  onOpen?: (row: T) => void;
}

const gone = "No longer on this page of the list";

/** A table over one page of a list. */
export function DataTable<T extends { id: string }>(props: TableProps<T>): JSX.Element {
  const rows = () => props.query.data?.items ?? [];
  /** A link from elsewhere may hold a filter that this list does not know. */
  const refusesFilters = () => {
    const { error } = props.query;
    return error instanceof ApiError && error.code === "validation" && props.state?.filtered();
  };
  const orderNote = () =>
    props.columns
      .map(({ sort }) => (sort === undefined ? null : (props.state?.fixedOrder(sort) ?? null)))
      .find(Boolean);
  return (
    <>
      <Show when={props.state}>{(state) => <ListAnswer query={props.query} state={state()} />}</Show>
      <Switch>
        <Match when={props.query.isPending}>
          <SkeletonTable columns={props.columns.map((column) => column.title)} label={props.label} />
        </Match>
        <Match when={props.query.isError && props.query.data === undefined}>
          <Problem
            error={props.query.error}
            onRetry={() => void props.query.refetch()}
            onClear={refusesFilters() ? props.state?.clear : undefined}
          />
        </Match>
        <Match when={rows().length === 0 && props.query.data?.nextCursor}>
          {(next) => (
            <Empty
              icon="filter"
              title="Nothing found so far"
              text="The filters match rarely, so the server looked through only a part of the list."
            >
              <Button kind="primary" onClick={() => props.state?.toPage(next())}>
                Look further
              </Button>
              <Button onClick={() => props.state?.clear()}>Clear the filters</Button>
            </Empty>
          )}
        </Match>
        <Match when={rows().length === 0}>
          <Show when={props.state?.filtered() || props.state?.cursor()} fallback={props.empty}>
            <NoRows state={props.state} />
          </Show>
        </Match>
        <Match when={true}>
          <div ref={props.query.watch}>
            <Show when={orderNote()}>{(why) => <p class="table-note">{why()}</p>}</Show>
            <Show when={props.state}>{(state) => <OrderSelect columns={props.columns} state={state()} />}</Show>
            <div class="table-wrap">
              <table
                class={`table table-cards ${props.class ?? ""}`}
                aria-label={props.label}
                aria-busy={props.query.isPlaceholderData}
              >
                <thead>
                  <tr>
                    <For each={props.columns}>{(column) => <HeadCell column={column} state={props.state} />}</For>
                  </tr>
                </thead>
                <tbody classList={{ "table-stale": props.query.isPlaceholderData }}>
                  <For each={rows()}>
                    {(row) => (
                      <tr
                        classList={{
                          "row-off": props.query.isGone(row.id) || (props.dim?.(row) ?? false),
                          "row-gone": props.query.isGone(row.id),
                        }}
                        title={props.query.isGone(row.id) ? gone : undefined}
                        onClick={() => props.onOpen?.(row)}
                      >
                        <For each={props.columns}>
                          {(column, index) => (
                            <td
                              data-label={column.title === "" ? undefined : column.title}
                              classList={{
                                "align-end": column.end ?? false,
                                wide: column.wide ?? false,
                                shrink: column.shrink ?? false,
                              }}
                            >
                              {column.cell(row)}
                              <Show when={index() === 0 && props.query.isGone(row.id)}>
                                <span class="visually-hidden">{gone}</span>
                              </Show>
                            </td>
                          )}
                        </For>
                      </tr>
                    )}
                  </For>
                </tbody>
              </table>
            </div>
            <Pager query={props.query} state={props.state} count={rows().length} />
          </div>
        </Match>
      </Switch>
    </>
  );
}

function HeadCell<T>(props: { column: Column<T>; state: ListState | undefined }): JSX.Element {
  const direction = () => {
    const sort = props.state?.sort() ?? "";
    if (props.column.sort === undefined) return undefined;
    if (sort === props.column.sort) return "ascending";
    return sort === `-${props.column.sort}` ? "descending" : undefined;
  };
  const sortable = () => props.column.sort !== undefined && props.state?.fixedOrder(props.column.sort) === null;
  const next = () => (direction() === "ascending" ? `-${props.column.sort}` : (props.column.sort ?? ""));
  return (
    <th scope="col" aria-sort={direction()} classList={{ "align-end": props.column.end ?? false }}>
      <Show
        when={sortable() && props.state}
        fallback={props.column.title === "" ? <span class="visually-hidden">Actions</span> : props.column.title}
      >
        {(state) => (
          <button type="button" class="table-sort" onClick={() => state().setSort(next())}>
            {props.column.title}
            <Show when={direction()}>
              <Icon name={direction() === "ascending" ? "up" : "down"} small />
            </Show>
          </button>
        )}
      </Show>
    </th>
  );
}

/** Filters that nothing passes, or a page beyond the last entry. */
function NoRows(props: { state: ListState | undefined }): JSX.Element {
  return (
    <Show
      when={props.state?.filtered()}
      fallback={
        <Empty icon="filter" title="No more entries" text="The list ends before this page.">
          <Button onClick={() => props.state?.toPage(null)}>First page</Button>
        </Empty>
      }
    >
      <Empty
        icon="filter"
        title="Nothing matches"
        text="There may be entries, but none passes the filters that are set."
      >
        <Button onClick={() => props.state?.clear()}>Clear the filters</Button>
      </Empty>
    </Show>
  );
}

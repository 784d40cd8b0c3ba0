// A list from the server: skeleton, rows, sort, pages, empty and failed states, all in one place.

import { For, Match, Show, Switch, type JSX } from "solid-js";
import type { Page } from "../api/client.ts";
import { Button } from "./button.tsx";
import { Icon } from "./icon.tsx";
import type { ListState } from "./list-state.ts";
import { Empty, Problem } from "./note.tsx";

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
  /** Left out where there is little room; what it says must be found elsewhere, too. */
  roomy?: boolean;
}

export interface ListQuery<T> {
  isPending: boolean;
  isError: boolean;
  isPlaceholderData: boolean;
  error: unknown;
  data: Page<T> | undefined;
  refetch: () => unknown;
}

interface TableProps<T> {
  /** What the table holds, for screen readers. */
  label: string;
  columns: Column<T>[];
  query: ListQuery<T>;
  state?: ListState;
  empty: JSX.Element;
  dim?: (row: T) => boolean;
}

/** A table over one page of a list. */
export function DataTable<T extends { id: string }>(props: TableProps<T>): JSX.Element {
  const rows = () => props.query.data?.items ?? [];
  return (
    <Switch>
      <Match when={props.query.isPending}>
        <SkeletonTable columns={props.columns.map((column) => column.title)} label={props.label} />
      </Match>
      <Match when={props.query.isError && props.query.data === undefined}>
        <Problem error={props.query.error} onRetry={() => void props.query.refetch()} />
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
          <Empty icon="filter" title="Nothing matches" text="No entry passes the filters that are set.">
            <Button onClick={() => props.state?.clear()}>Clear the filters</Button>
          </Empty>
        </Show>
      </Match>
      <Match when={true}>
        <div class="table-wrap">
          <table class="table table-cards" aria-label={props.label} aria-busy={props.query.isPlaceholderData}>
            <thead>
              <tr>
                <For each={props.columns}>{(column) => <HeadCell column={column} state={props.state} />}</For>
              </tr>
            </thead>
            <tbody classList={{ "table-stale": props.query.isPlaceholderData }}>
              <For each={rows()}>
                {(row) => (
                  <tr classList={{ "row-off": props.dim?.(row) ?? false }}>
                    <For each={props.columns}>
                      {(column) => (
                        <td
                          data-label={column.title === "" ? undefined : column.title}
                          classList={{
                            "align-end": column.end ?? false,
                            wide: column.wide ?? false,
                            shrink: column.shrink ?? false,
                            roomy: column.roomy ?? false,
                          }}
                        >
                          {column.cell(row)}
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
      </Match>
    </Switch>
  );
}

function HeadCell<T>(props: { column: Column<T>; state: ListState | undefined }): JSX.Element {
  const direction = () => {
    const sort = props.state?.sort() ?? "";
    if (props.column.sort === undefined) return undefined;
    if (sort === props.column.sort) return "ascending";
    return sort === `-${props.column.sort}` ? "descending" : undefined;
  };
  const next = () => (direction() === "ascending" ? `-${props.column.sort}` : (props.column.sort ?? ""));
  return (
    <th
      scope="col"
      aria-sort={direction()}
      classList={{ "align-end": props.column.end ?? false, roomy: props.column.roomy ?? false }}
    >
      <Show
        when={props.column.sort !== undefined && props.state}
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

/** "51 shown" and the way to the next page. Keyset paging: back is the browser's back, or the first page. */
function Pager<T>(props: { query: ListQuery<T>; state: ListState | undefined; count: number }): JSX.Element {
  const next = () => props.query.data?.nextCursor ?? null;
  return (
    <Show when={props.state && (next() !== null || props.state.cursor() !== "")}>
      <div class="table-foot">
        <span class="num">
          {props.count} on this page{next() === null ? ", the last one" : ""}
        </span>
        <span class="row">
          <Show when={props.state?.cursor()}>
            <Button small onClick={() => history.back()}>
              Back
            </Button>
            <Button small onClick={() => props.state?.toPage(null)}>
              First page
            </Button>
          </Show>
          <Button small disabled={next() === null} onClick={() => props.state?.toPage(next())}>
            Next page
          </Button>
        </span>
      </div>
    </Show>
  );
}

const barWidths = ["62%", "48%", "75%", "40%", "56%"];

function SkeletonTable(props: { columns: string[]; label: string }): JSX.Element {
  return (
    <div class="table-wrap" role="status" aria-label={`Loading: ${props.label}`}>
      <table class="table" aria-hidden="true">
        <thead>
          <tr>
            <For each={props.columns}>{(title) => <th>{title}</th>}</For>
          </tr>
        </thead>
        <tbody>
          <For each={[0, 1, 2, 3, 4]}>
            {(row) => (
              <tr>
                <For each={props.columns}>
                  {(_, column) => (
                    <td>
                      <Bar width={barWidths[(row + column()) % 5] ?? "50%"} />
                    </td>
                  )}
                </For>
              </tr>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}

/** A bar where text will stand. The width is set by script: the CSP forbids style attributes in markup. */
export function Bar(props: { width: string }): JSX.Element {
  return <span class="skeleton" ref={(element) => element.style.setProperty("width", props.width)} />;
}

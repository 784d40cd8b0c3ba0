// Bars where text will stand: while a list, one thing, or the whole frame is on its way.

import { For, type JSX } from "solid-js";

const barWidths = ["62%", "48%", "75%", "40%", "56%"];

export function SkeletonTable(props: { columns: string[]; label: string }): JSX.Element {
  return (
    <div class="table-wrap" role="status" aria-label={`Loading: ${props.label}`}>
      <table class="table table-cards" aria-hidden="true">
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

/** A page before its own script or the answer about who is logged in is there. */
export function SkeletonPage(): JSX.Element {
  return (
    <div class="page" role="status" aria-label="Loading the page">
      <h1 class="visually-hidden">Loading the page</h1>
      <div class="stack">
        <Bar width="12rem" />
        <Bar width="24rem" />
      </div>
      <div class="card">
        <div class="card-body stack">
          <For each={barWidths}>{(width) => <Bar width={width} />}</For>
        </div>
      </div>
    </div>
  );
}

// The rows of the requests page.

import { For, Show, type JSX } from "solid-js";
import type { CapturedRequest } from "../../api/types.ts";
import { Clip } from "../../ui/clip.tsx";
import { formatBytes, formatDuration } from "../../ui/format.ts";
import { Moment } from "../../ui/time.tsx";
import { statusTone } from "./request-details.tsx";

export const requestColumns = ["Time", "Status", "Method", "Path", "Duration", "Size", "Tunnel", "Visitor"];

/** Characters of a path in its row; the request opened shows all of it. */
const shownPath = 120;

/** Newest first, as given; a click anywhere in a row opens it. Above rows that are `belowGap` some may be missing. */
export function RequestTable(props: {
  rows: CapturedRequest[];
  belowGap: ReadonlySet<string>;
  onOpen: (request: CapturedRequest) => void;
}): JSX.Element {
  return (
    <div class="table-wrap">
      <table class="table table-cards requests" aria-label="Requests, newest first">
        <thead>
          <tr>
            <For each={requestColumns}>
              {(title) => (
                <th scope="col" class={title === "Duration" || title === "Size" ? "align-end" : undefined}>
                  {title}
                </th>
              )}
            </For>
          </tr>
        </thead>
        <tbody>
          <For each={props.rows}>
            {(request) => (
              <>
                <Show when={props.belowGap.has(request.id)}>
                  <tr class="gap-row">
                    <td colspan={requestColumns.length}>
                      Some requests may be missing here: the connection was lost for longer than the server remembers.
                    </td>
                  </tr>
                </Show>
                <tr onClick={() => props.onOpen(request)}>
                  <td class="req-time muted">
                    <Moment time={request.time} clock />
                  </td>
                  <td class="req-status">
                    <span class="status" data-tone={statusTone(request)}>
                      {request.status === 0 ? "cut" : request.status}
                    </span>
                  </td>
                  <td class="method">{request.method}</td>
                  <td class="req-path">
                    <button type="button" class="req-open">
                      {request.path.slice(0, shownPath)}
                      <Show when={request.path.length > shownPath}>
                        … <span class="muted">+{request.path.length - shownPath} characters</span>
                      </Show>
                    </button>
                  </td>
                  <td class="req-took align-end">{formatDuration(request.totalMs)}</td>
                  <td class="req-size align-end">{formatBytes(request.bytesOut)}</td>
                  <td class="req-tunnel">
                    <Clip text={request.name} />
                  </td>
                  <td class="req-visitor">
                    <Show when={request.principal}>
                      {(principal) => (
                        <>
                          <Clip text={principal()} />{" "}
                        </>
                      )}
                    </Show>
                    <span class="mono muted">{request.address}</span>
                  </td>
                </tr>
              </>
            )}
          </For>
        </tbody>
      </table>
    </div>
  );
}

// What a row of the requests shows.

import { Show } from "solid-js";
import type { CapturedRequest } from "../../api/types.ts";
import { Clip } from "../../ui/clip.tsx";
import { formatBytes, formatDuration } from "../../ui/format.ts";
import type { Column } from "../../ui/table.tsx";
import { Moment } from "../../ui/time.tsx";
import { statusTone } from "./request-details.tsx";

/** Characters of a path in its row; the request opened shows all of it. */
const shownPath = 120;

/** A click anywhere in a row opens it; for the keyboard the path is a button. */
export const requestColumns: Column<CapturedRequest>[] = [
  {
    title: "Time",
    sort: "time",
    shrink: true,
    cell: (request) => (
      <span class="muted">
        <Moment time={request.time} clock />
      </span>
    ),
  },
  {
    title: "Status",
    sort: "status",
    shrink: true,
    cell: (request) => (
      <span class="status" data-tone={statusTone(request)}>
        {request.status === 0 ? (request.running ? "none yet" : "cut") : request.status}
      </span>
    ),
  },
  { title: "Method", shrink: true, cell: (request) => <span class="method">{request.method}</span> },
  {
    title: "Path",
    wide: true,
    cell: (request) => (
      <button type="button" class="req-open">
        {request.path.slice(0, shownPath)}
        <Show when={request.path.length > shownPath}>
          … <span class="muted">+{request.path.length - shownPath} characters</span>
        </Show>
      </button>
    ),
  },
  {
    title: "Duration",
    sort: "duration",
    end: true,
    cell: (request) => (request.running ? <span class="muted">running</span> : formatDuration(request.totalMs)),
  },
  {
    title: "Size",
    sort: "size",
    end: true,
    cell: (request) => (request.running ? <span class="muted">–</span> : formatBytes(request.bytesOut)),
  },
  { title: "Tunnel", cell: (request) => <Clip text={request.name} /> },
  {
    title: "Visitor",
    cell: (request) => (
      <>
        <Show when={request.principal}>
          {(principal) => (
            <>
              <Clip text={principal()} />{" "}
            </>
          )}
        </Show>
        <span class="mono muted">{request.address}</span>
      </>
    ),
  },
];

// The last requests through the tunnels, live: searched and sorted by the server, details on the side.

import { useLocation, useSearchParams } from "@solidjs/router";
import { createEffect, createMemo, createUniqueId, Show, type JSX } from "solid-js";
import { ApiError } from "../../api/client.ts";
import { pollWhileLost, useLive } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import { useQuery } from "../../api/use-query.ts";
import { Button } from "../../ui/button.tsx";
import { FilterSelect } from "../../ui/filter.tsx";
import { createFollow, FollowSwitch, ShowNew } from "../../ui/follow.tsx";
import { formatCount } from "../../ui/format.ts";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { Empty } from "../../ui/note.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { DataTable } from "../../ui/table.tsx";
import { ScopePicker } from "../scope-picker.tsx";
import { requestColumns } from "./request-columns.tsx";
import { RequestDetails } from "./request-details.tsx";

/** So many tunnels can be chosen from a list. */
const listedTunnels = 200;
const searchFields = "status, method, path, address, user, tunnel, ms, size";
const methods = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"];
const statuses = [
  { value: "", label: "Any status" },
  ...["2xx", "3xx", "4xx", "5xx"].map((value) => ({ value, label: value })),
  { value: "cut", label: "Ended early" },
  { value: "running", label: "Running" },
];

export default function Requests(): JSX.Element {
  const [params, setParams] = useSearchParams<{ id: string }>();
  const location = useLocation<{ opened?: boolean }>();
  const hintId = createUniqueId();
  const state = createListState(["q", "status", "method", "tunnel", "app", "org"], { sort: "-time" });
  useLive();
  const follow = createFollow(true, () => {
    if (state.cursor() !== "") return "Only the first page follows";
    return state.sort() === "-time" ? null : "Only the newest first follow";
  });
  const query = useList(
    () => ({ ...resources.requests(state.query()), refetchInterval: pollWhileLost(10_000) }),
    state,
    { follow },
  );
  /** Back to the list, once: what was opened here is an entry of the history of its own, and opens no more by going back. */
  const close = () => {
    const { id } = params;
    if (location.state?.opened !== true) setParams({ id: "" }, { replace: true });
    else if (id !== closing) history.back();
    closing = id;
  };
  let closing: string | undefined;
  createEffect(() => params.id === undefined && (closing = undefined));
  const kept = createMemo((before: number | undefined) => query.data?.keptPerTunnel ?? before, undefined);
  const searchError = () => {
    const { error } = query;
    return query.isError && error instanceof ApiError && error.field === "q" ? error.message : null;
  };

  const tunnels = useQuery(() =>
    resources.tunnels({ app: state.value("app"), org: state.value("org"), limit: listedTunnels }),
  );
  const choices = () => {
    const listed = tunnels.isPending ? [] : (tunnels.data?.items ?? []);
    const options = [
      { value: "", label: "Any tunnel" },
      ...listed.map(({ id, subdomain }) => ({ value: id, label: subdomain })),
    ];
    const chosen = state.value("tunnel").replace(/^!/, "");
    if (chosen === "" || listed.some(({ id }) => id === chosen)) return options;
    // Gone, or beyond the list: what it was called its requests tell.
    const label = query.data?.items.find(({ tunnelId }) => tunnelId === chosen)?.name ?? "One that is not listed";
    return [...options, { value: chosen, label }];
  };
  const hasMoreTunnels = () => !tunnels.isPending && (tunnels.data?.nextCursor ?? null) !== null;

  return (
    <Page
      title="Requests"
      lead={`The last ${kept() === undefined ? "" : `${formatCount(kept()!)} `}requests of each tunnel, fewer when they fill the memory for them: without bodies, and gone with the server. Secrets in headers are masked.`}
    >
      <div class="stack-tight">
        <div class="toolbar">
          <Search
            wide
            label="Search requests"
            placeholder="status:5xx NOT path:/health ms:>200"
            value={state.value("q")}
            onSearch={(q) => state.set({ q }, { replace: true })}
            describedBy={hintId}
            invalid={searchError() !== null}
          />
          <FilterSelect
            label="Status"
            value={state.value("status")}
            onValue={(status) => state.set({ status })}
            options={statuses}
          />
          <FilterSelect
            label="Method"
            value={state.value("method")}
            onValue={(method) => state.set({ method })}
            options={[
              { value: "", label: "Any method" },
              ...methods.map((method) => ({ value: method, label: method })),
            ]}
          />
          <FilterSelect
            label="Tunnel"
            value={state.value("tunnel")}
            onValue={(tunnel) => state.set({ tunnel })}
            options={choices()}
          />
          <Show when={isAdmin()}>
            <ScopePicker kind="organizations" value={state.value("org")} onValue={(org) => state.set({ org })} />
          </Show>
          <ScopePicker kind="applications" value={state.value("app")} onValue={(app) => state.set({ app })} />
          <span class="grow" />
          <ShowNew
            waiting={query.waiting()}
            more={query.allWait() && state.sort() === "-time"}
            one="request"
            onShow={query.catchUp}
          />
          <FollowSwitch follow={follow} />
        </div>
        <p class="field-hint" id={hintId}>
          <Show
            when={searchError()}
            fallback={`Fields of the search: ${searchFields}. NOT or - in front excludes. All terms must hold.${hasMoreTunnels() ? ` The list beside it has the first ${listedTunnels} tunnels only.` : ""}`}
          >
            {(error) => <span class="field-error">{error()}</span>}
          </Show>
        </p>
      </div>
      <Card flush>
        <Show
          when={searchError() === null}
          fallback={
            <Empty icon="filter" title="Nothing was searched" text="What is wrong with the search stands below it.">
              <Button onClick={() => state.set({ q: "" })}>Clear the search</Button>
            </Empty>
          }
        >
          <DataTable
            label="Requests"
            class="requests"
            columns={requestColumns}
            query={query}
            state={state}
            onOpen={(request) => setParams({ id: request.id }, { state: { opened: true } })}
            empty={
              <Empty
                icon="requests"
                title="Waiting for the first request"
                text="Call a tunnel's URL and the request appears here at once."
              />
            }
          />
        </Show>
      </Card>
      <Show when={params.id}>
        {(id) => (
          <RequestDetails id={id()} known={query.data?.items.find((request) => request.id === id())} onClose={close} />
        )}
      </Show>
    </Page>
  );
}

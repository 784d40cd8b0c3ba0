// The last requests through the tunnels, live: filter with NOT, pause, details on the side.

import { useSearchParams } from "@solidjs/router";
import { createEffect, createMemo, createUniqueId, Match, onCleanup, Show, Switch, untrack, type JSX } from "solid-js";
import { filterFields, parseRequestFilter } from "../../api/request-filter.ts";
import * as resources from "../../api/resources.ts";
import { useQuery } from "../../api/use-query.ts";
import { Button } from "../../ui/button.tsx";
import { Select } from "../../ui/field.tsx";
import { formatCount, plural } from "../../ui/format.ts";
import { Empty, Note, Problem } from "../../ui/note.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { createReading } from "../../ui/reading.ts";
import { Search } from "../../ui/search.tsx";
import { RequestDetails } from "./request-details.tsx";
import { createRequestFeed, keptRequests } from "./request-feed.ts";
import { RequestTable } from "./request-table.tsx";

export default function Requests(): JSX.Element {
  const [params, setParams] = useSearchParams<{ app: string; tunnel: string; filter: string; id: string }>();
  const hintId = createUniqueId();
  const list = createReading();
  const feed = createRequestFeed(
    (request) =>
      (params.app === undefined || request.appId === params.app) &&
      (params.tunnel === undefined || request.tunnelId === params.tunnel),
    () => list.reading() || (params.id ?? "") !== "",
  );
  const remembered = useQuery(() => ({
    ...resources.requests({ app: params.app, tunnel: params.tunnel, limit: 200 }),
    staleTime: 0,
    refetchOnWindowFocus: false,
  }));
  const tunnels = useQuery(() => resources.tunnels({ limit: 200 }));
  createEffect(() => {
    if (remembered.isPending || remembered.isPlaceholderData) return;
    const items = remembered.data?.items ?? [];
    untrack(() => feed.seed(items));
  });
  createEffect((before: string | undefined) => {
    const scope = `${params.app ?? ""} ${params.tunnel ?? ""}`;
    if (before !== undefined && before !== scope) untrack(feed.clear);
    return scope;
  }, undefined);

  const parsed = createMemo(() => parseRequestFilter(params.filter ?? ""));
  const filterError = () => {
    const result = parsed();
    return "error" in result ? result.error : null;
  };
  const shown = createMemo(() => {
    const result = parsed();
    return "error" in result ? feed.rows() : feed.rows().filter(result.test);
  });
  const standing = () => {
    if (feed.paused()) return "Paused: the list stands still";
    return feed.waiting() > 0 ? "Standing still while you are in the list" : "Following";
  };
  const opened = () => feed.rows().find((request) => request.id === params.id);

  const onKeyDown = (event: KeyboardEvent) => {
    const busy =
      event.target instanceof HTMLElement && event.target.closest("input, select, textarea, button, a, dialog");
    if (event.key === " " && !busy) {
      event.preventDefault();
      feed.setPaused(!feed.paused());
    }
  };
  document.addEventListener("keydown", onKeyDown);
  onCleanup(() => document.removeEventListener("keydown", onKeyDown));

  return (
    <Page
      title="Requests"
      lead="The last requests of each tunnel, kept in memory only and without bodies. Secrets in headers are masked."
    >
      <div class="stack-tight">
        <div class="toolbar">
          <Search
            wide
            label="Filter requests"
            placeholder="status:5xx NOT path:/health ms:>200"
            value={params.filter ?? ""}
            onSearch={(filter) => setParams({ filter }, { replace: true })}
            describedBy={hintId}
            invalid={filterError() !== null}
          />
          <Select
            label="Tunnel"
            value={params.tunnel ?? ""}
            onValue={(tunnel) => setParams({ tunnel, id: "" })}
            options={[
              { value: "", label: "All tunnels" },
              ...(tunnels.isPending ? [] : (tunnels.data?.items ?? [])).map((tunnel) => ({
                value: tunnel.id,
                label: tunnel.subdomain,
              })),
            ]}
          />
          <Show when={!feed.paused() && feed.waiting() > 0}>
            <Button icon="up" onClick={feed.catchUp}>
              Show {plural(feed.waiting(), "new request")}
            </Button>
          </Show>
          <Button
            icon={feed.paused() ? "play" : "pause"}
            kind={feed.paused() ? "primary" : "default"}
            onClick={() => feed.setPaused(!feed.paused())}
          >
            {feed.paused() ? `Follow (${formatCount(feed.waiting())} new)` : "Pause"}
          </Button>
        </div>
        <p class="field-hint" id={hintId}>
          <Show
            when={filterError()}
            fallback={`Fields: ${filterFields.join(", ")}. NOT or - in front excludes. All terms must hold.`}
          >
            {(error) => <span class="field-error">{error()}</span>}
          </Show>
        </p>
      </div>
      <Show when={params.app}>
        <Note>
          <p>
            Only requests of one application. <a href="/dashboard/requests">Show all</a>
          </p>
        </Note>
      </Show>
      <Card flush>
        <Switch>
          <Match when={remembered.isError && feed.rows().length === 0}>
            <Problem error={remembered.error} onRetry={() => void remembered.refetch()} />
          </Match>
          <Match when={feed.rows().length === 0}>
            <Empty
              icon="requests"
              title={remembered.isPending ? "Looking…" : "Waiting for the first request"}
              text="Call a tunnel's URL and the request appears here at once."
            />
          </Match>
          <Match when={shown().length === 0}>
            <Empty
              icon="filter"
              title="Nothing matches"
              text={`None of ${plural(feed.rows().length, "request")} passes the filter.`}
            >
              <Button onClick={() => setParams({ filter: "" })}>Clear the filter</Button>
            </Empty>
          </Match>
          <Match when={true}>
            <div ref={list.watch}>
              <RequestTable rows={shown()} onOpen={(request) => setParams({ id: request.id })} />
            </div>
          </Match>
        </Switch>
        <Show when={feed.rows().length > 0}>
          <div class="table-foot" role="status">
            <span>
              {formatCount(shown().length)} of {formatCount(feed.rows().length)} shown
              {feed.dropped() > 0
                ? ` · ${formatCount(feed.dropped())} older ones fell out (${keptRequests} are kept)`
                : ""}
            </span>
            <span>{standing()}</span>
          </div>
        </Show>
      </Card>
      <Show when={params.id}>
        {(id) => <RequestDetails id={id()} known={opened()} onClose={() => setParams({ id: "" })} />}
      </Show>
    </Page>
  );
}

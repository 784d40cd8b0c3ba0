// The last requests through the tunnels, live: filter with NOT, pause, details on the side.

import { useSearchParams } from "@solidjs/router";
import { createEffect, createMemo, createUniqueId, Match, Show, Switch, untrack, type JSX } from "solid-js";
import { listen } from "../../api/live.ts";
import { pollWhileLost } from "../../api/live-data.ts";
import { refresh } from "../../api/query-client.ts";
import { filterFields, parseRequestFilter } from "../../api/request-filter.ts";
import * as resources from "../../api/resources.ts";
import { useQuery } from "../../api/use-query.ts";
import { Button } from "../../ui/button.tsx";
import { Select } from "../../ui/field.tsx";
import { createFollow, FollowSwitch, ShowNew } from "../../ui/follow.tsx";
import { formatCount, plural } from "../../ui/format.ts";
import { Empty, Note, Problem } from "../../ui/note.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { createReading } from "../../ui/reading.ts";
import { Search } from "../../ui/search.tsx";
import { SkeletonTable } from "../../ui/skeleton.tsx";
import { createOlder, pageSize, RequestsFoot } from "./older.tsx";
import { RequestDetails } from "./request-details.tsx";
import { createRequestFeed, rowsBelowGaps } from "./request-feed.ts";
import { requestColumns, RequestTable } from "./request-table.tsx";

/** So many tunnels can be chosen from a list. */
const listedTunnels = 200;

export default function Requests(): JSX.Element {
  const [params, setParams] = useSearchParams<{ app: string; tunnel: string; filter: string; id: string }>();
  const hintId = createUniqueId();
  const list = createReading();
  const follow = createFollow();
  const isReading = () => list.reading() || (params.id ?? "") !== "";
  const feed = createRequestFeed(
    (request) =>
      (params.app === undefined || request.appId === params.app) &&
      (params.tunnel === undefined || request.tunnelId === params.tunnel),
    () => follow.following() && !isReading(),
  );
  const older = createOlder(feed, () => params);
  const remembered = useQuery(() => ({
    ...resources.requests({ app: params.app, tunnel: params.tunnel, limit: pageSize }),
    staleTime: 0,
    refetchOnWindowFocus: false,
    refetchInterval: pollWhileLost(10_000),
  }));
  // What passed between the last fetch and now, or was missed for good, only the server's memory can tell.
  listen(({ type }) => void ((type === "connected" || type === "gap") && refresh("requests")));
  const tunnels = useQuery(() => resources.tunnels({ app: params.app, limit: listedTunnels }));
  const choices = () => {
    const listed = tunnels.isPending ? [] : (tunnels.data?.items ?? []);
    const options = [
      { value: "", label: "All tunnels" },
      ...listed.map(({ id, subdomain }) => ({ value: id, label: subdomain })),
    ];
    const { tunnel } = params;
    if (tunnel === undefined || tunnel === "" || listed.some(({ id }) => id === tunnel)) return options;
    // Gone, or beyond the list: what it was called its requests tell.
    const label = feed.rows().find(({ tunnelId }) => tunnelId === tunnel)?.name ?? "One that is not listed";
    return [...options, { value: tunnel, label }];
  };
  const hasMoreTunnels = () => !tunnels.isPending && (tunnels.data?.nextCursor ?? null) !== null;
  const application = useQuery(() => ({ ...resources.application(params.app ?? ""), enabled: Boolean(params.app) }));
  createEffect((before: string | undefined) => {
    const scope = `${params.app ?? ""} ${params.tunnel ?? ""}`;
    if (before !== undefined && before !== scope) untrack(feed.clear);
    return scope;
  }, undefined);
  createEffect(() => {
    if (remembered.dataUpdatedAt === 0 || remembered.isPending || remembered.isPlaceholderData) return;
    const { items, nextCursor } = remembered.data ?? { items: [], nextCursor: null };
    untrack(() => {
      if (feed.rows().length === 0) older.setMore(nextCursor !== null);
      feed.seed(items);
    });
  });

  const parsed = createMemo(() => parseRequestFilter(params.filter ?? ""));
  const filterError = () => {
    const result = parsed();
    return "error" in result ? result.error : null;
  };
  const shown = createMemo(() => {
    const result = parsed();
    return "error" in result ? feed.rows() : feed.rows().filter(result.test);
  });
  const opened = () => feed.rows().find((request) => request.id === params.id);
  const kept = () => (remembered.isPending ? null : (remembered.data?.keptPerTunnel ?? null));

  return (
    <Page
      title="Requests"
      lead={`The last ${kept() === null ? "" : `${formatCount(kept() ?? 0)} `}requests of each tunnel, kept in memory only and without bodies. Secrets in headers are masked.`}
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
            options={choices()}
          />
          <ShowNew waiting={feed.waiting()} one="request" onShow={feed.catchUp} />
          <FollowSwitch follow={follow} />
        </div>
        <p class="field-hint" id={hintId}>
          <Show
            when={filterError()}
            fallback={`Fields: ${filterFields.join(", ")}. NOT or - in front excludes. All terms must hold.${hasMoreTunnels() ? ` The list beside it has the first ${listedTunnels} tunnels only.` : ""}`}
          >
            {(error) => <span class="field-error">{error()}</span>}
          </Show>
        </p>
      </div>
      <Show when={params.app}>
        <Note>
          <p>
            Only requests of{" "}
            {application.isPending || application.data === undefined ? "one application" : application.data.name}.{" "}
            <a href="/dashboard/requests">Show all</a>
          </p>
        </Note>
      </Show>
      <Card flush>
        <Switch>
          <Match when={remembered.isError && feed.rows().length === 0}>
            <Problem error={remembered.error} onRetry={() => void remembered.refetch()} />
          </Match>
          <Match when={feed.rows().length === 0 && remembered.isPending}>
            <SkeletonTable label="requests" columns={requestColumns} />
          </Match>
          <Match when={feed.rows().length === 0}>
            <Empty
              icon="requests"
              title="Waiting for the first request"
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
              <RequestTable
                rows={shown()}
                belowGap={rowsBelowGaps(shown(), feed.gaps())}
                onOpen={(request) => setParams({ id: request.id })}
              />
            </div>
          </Match>
        </Switch>
        <Show when={feed.rows().length > 0}>
          <RequestsFoot shown={shown().length} feed={feed} older={older} kept={kept()} following={follow.following()} />
        </Show>
      </Card>
      <Show when={params.id}>
        {(id) => <RequestDetails id={id()} known={opened()} onClose={() => setParams({ id: "" })} />}
      </Show>
    </Page>
  );
}

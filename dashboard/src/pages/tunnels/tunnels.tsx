// All tunnels, live: state with proof, agent, round trip, rate and bytes; offline ones keep when they were last seen.

import { Show, type JSX } from "solid-js";
import { pollWhileLost, rateOf, useLive } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { canManage, isAdmin, serverUrl } from "../../api/session.ts";
import type { Tunnel } from "../../api/types.ts";
import { Clip } from "../../ui/clip.tsx";
import { Command } from "../../ui/copy.tsx";
import { FilterSelect } from "../../ui/filter.tsx";
import { createFollow, FollowSwitch, ShowNew } from "../../ui/follow.tsx";
import { formatBytes, formatDuration, formatCompact, plural } from "../../ui/format.ts";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { RowMenu } from "../../ui/menu.tsx";
import { Empty } from "../../ui/note.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { Target, TunnelState } from "../../ui/state.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { ScopePicker } from "../scope-picker.tsx";
import { tunnelMenu } from "./tunnel-actions.ts";

/** Which agent it is: from where, whose, for admins of which organization. */
const whoServes = (tunnel: Tunnel): string =>
  [
    `${tunnel.connected ? "" : "last "}from ${tunnel.address ?? "an unknown address"}`,
    tunnel.username,
    isAdmin() ? tunnel.orgName : null,
  ]
    .filter((part) => part)
    .join(" · ");

const withoutScheme = (url: string): string => url.replace(/^\w+:\/\//, "");

/** Counts go on after the server has sorted by them. */
function arranged(tunnels: readonly Tunnel[], sort: string): readonly Tunnel[] {
  if (!sort.endsWith("requests")) return tunnels;
  return [...tunnels].sort((a, b) => (a.requests - b.requests) * (sort.startsWith("-") ? -1 : 1));
}

export default function Tunnels(): JSX.Element {
  const state = createListState(["q", "state", "app", "org"], { sort: "-openedAt" });
  useLive();
  const follow = createFollow();
  const query = useList(() => ({ ...resources.tunnels(state.query()), refetchInterval: pollWhileLost(3_000) }), state, {
    follow,
    arrange: (tunnels) => arranged(tunnels, state.sort()),
  });

  /** What the server no longer lists is offline, whatever its last row said. */
  const shownAs = (tunnel: Tunnel): Tunnel => {
    if (!query.isGone(tunnel.id)) return tunnel;
    const lastSeenAt = tunnel.lastSeenAt ?? new Date(query.lastListedMs(tunnel.id)).toISOString();
    return { ...tunnel, connected: false, lastSeenAt };
  };

  const columns: Column<Tunnel>[] = [
    {
      title: "Tunnel",
      sort: "subdomain",
      wide: true,
      cell: (tunnel) => (
        <span class="cell-main">
          <Show
            when={tunnel.appName !== null}
            fallback={
              <span class="cell-title">
                <Clip text={tunnel.subdomain} />
              </span>
            }
          >
            <Clip text={tunnel.subdomain} href={`/dashboard/applications/${tunnel.appId}`} />
          </Show>
          <span class="cell-sub">
            <Show
              when={tunnel.connected && tunnel.protocol === "http"}
              fallback={<Clip text={withoutScheme(tunnel.url)} />}
            >
              <Clip text={withoutScheme(tunnel.url)} href={tunnel.url} away />
            </Show>
          </span>
        </span>
      ),
    },
    { title: "State", cell: (tunnel) => <TunnelState tunnel={shownAs(tunnel)} /> },
    {
      title: "Leads to",
      cell: (tunnel) => (
        <span class="cell-main">
          <Target target={tunnel.target} />
          <span class="cell-sub">
            <Clip text={whoServes(shownAs(tunnel))} limit={48} />
          </span>
        </span>
      ),
    },
    {
      title: "Round trip",
      end: true,
      cell: (tunnel) => (
        <span class="cell-main">
          {tunnel.rttMs === null ? <span class="muted">–</span> : formatDuration(tunnel.rttMs)}
          <Show when={shownAs(tunnel).connected}>
            <span class="cell-sub">{plural(tunnel.sessions, "session")}</span>
          </Show>
        </span>
      ),
    },
    {
      title: "Requests",
      sort: "requests",
      end: true,
      cell: (tunnel) => (
        <span class="cell-main">
          {formatCompact(tunnel.requests)}
          <span class="cell-sub">
            <Show when={shownAs(tunnel).connected && rateOf(tunnel.id) !== null} fallback="–">
              {formatCompact(rateOf(tunnel.id) ?? 0)}/s
            </Show>
          </span>
        </span>
      ),
    },
    {
      title: "Out / in",
      end: true,
      cell: (tunnel) => (
        <span class="cell-main">
          {formatBytes(tunnel.bytesOut)}
          <span class="cell-sub">{formatBytes(tunnel.bytesIn)}</span>
        </span>
      ),
    },
    { title: "Opened", sort: "openedAt", cell: (tunnel) => <Ago time={tunnel.openedAt} /> },
    {
      title: "",
      shrink: true,
      cell: (tunnel) => (
        <span class="cell-actions">
          <RowMenu
            label={`Actions for ${tunnel.subdomain}`}
            items={tunnelMenu(shownAs(tunnel), {
              mayManage: canManage(),
              onServer: !query.isGone(tunnel.id),
              onHide: () => query.hide(tunnel.id),
            })}
          />
        </span>
      ),
    },
  ];

  return (
    <Page
      title="Tunnels"
      lead="Up means: an agent is connected and its local service has answered. Anything less is said as it is."
    >
      <div class="toolbar">
        <Search
          label="Search tunnels"
          placeholder="Name, target, address, NOT …"
          value={state.value("q")}
          onSearch={(q) => state.set({ q }, { replace: true })}
        />
        <FilterSelect
          label="State"
          value={state.value("state")}
          onValue={(value) => state.set({ state: value })}
          options={[
            { value: "", label: "Any state" },
            { value: "connected", label: "Connected" },
            { value: "offline", label: "Offline" },
          ]}
        />
        <Show when={isAdmin()}>
          <ScopePicker kind="organizations" value={state.value("org")} onValue={(org) => state.set({ org })} />
        </Show>
        <ScopePicker kind="applications" value={state.value("app")} onValue={(app) => state.set({ app })} />
        <span class="grow" />
        <ShowNew waiting={query.waiting()} others={query.othersWait} one="tunnel" onShow={query.catchUp} />
        <FollowSwitch follow={follow} />
      </div>
      <Card flush>
        <DataTable
          label="Tunnels"
          columns={columns}
          query={query}
          state={state}
          dim={(tunnel) => !shownAs(tunnel).connected}
          empty={
            <Empty icon="tunnel" title="No tunnels yet" text="A tunnel shows up here the moment an agent opens it.">
              <Command text={`digit-link http 3000 --server ${serverUrl()}`} />
            </Empty>
          }
        />
      </Card>
    </Page>
  );
}

// Applications as a list: of everything one may see, or of one organization.

import { Show, type JSX } from "solid-js";
import { useLive } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import type { Application } from "../../api/types.ts";
import { Clip } from "../../ui/clip.tsx";
import { createFollow, FollowSwitch, ShowNew } from "../../ui/follow.tsx";
import { formatBytes, formatCompact, formatCount } from "../../ui/format.ts";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { Empty } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { AccessBadge, Dot } from "../../ui/state.tsx";
import { ScopePicker } from "../scope-picker.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";

/** `orgId` narrows to one organization. */
export function ApplicationsTable(props: { orgId?: string; actions?: JSX.Element; create?: JSX.Element }): JSX.Element {
  const state = createListState(props.orgId === undefined ? ["q", "org"] : ["q"], {
    sort: "-createdAt",
    searched: {
      by: ["subdomain", "name"],
      why: "Found by the beginning of the text that the list is in order of: subdomain, or name (where case counts).",
    },
    fixed: () => (props.orgId === undefined ? {} : { org: props.orgId }),
  });
  const follow = createFollow();
  const query = useList(() => resources.applications(state.query()), state, { follow });
  useLive();
  const columns: Column<Application>[] = [
    {
      title: "Application",
      sort: "name",
      wide: true,
      cell: (application) => (
        <span class="cell-main">
          <Clip text={application.name} href={`/dashboard/applications/${application.id}`} />
        </span>
      ),
    },
    {
      title: "Subdomain",
      sort: "subdomain",
      cell: (application) => (
        <code>
          <Clip text={application.subdomain} />
        </code>
      ),
    },
    {
      title: "Agents",
      cell: (application) => (
        <Show when={!query.isGone(application.id)} fallback={<span class="muted">–</span>}>
          <Connected application={application} />
        </Show>
      ),
    },
    { title: "Visitors", cell: (application) => <AccessBadge application={application} /> },
    ...(isAdmin() && props.orgId === undefined
      ? [
          {
            title: "Organization",
            cell: (application: Application) => (
              <Clip text={application.orgName} href={`/dashboard/organizations/${application.orgId}`} />
            ),
          },
        ]
      : []),
    { title: "Requests", end: true, cell: (application) => formatCompact(application.stats.requestCount) },
    {
      title: "Traffic",
      end: true,
      cell: (application) => formatBytes(application.stats.bytesSent + application.stats.bytesReceived),
    },
    { title: "Created", sort: "createdAt", cell: (application) => <Ago time={application.createdAt} /> },
  ];
  return (
    <>
      <div class="toolbar">
        <Search
          label="Search applications"
          placeholder={
            state.sort().endsWith("name") ? "How the name begins, or NOT …" : "How the subdomain begins, or NOT …"
          }
          value={state.value("q")}
          onSearch={(q) => state.set({ q }, { replace: true })}
        />
        <Show when={isAdmin() && props.orgId === undefined}>
          <ScopePicker kind="organizations" value={state.value("org")} onValue={(org) => state.set({ org })} />
        </Show>
        <span class="grow" />
        <ShowNew waiting={query.waiting()} one="application" onShow={query.catchUp} />
        <FollowSwitch follow={follow} />
        {props.actions}
      </div>
      <Card flush>
        <DataTable
          label="Applications"
          class="table-pairs"
          columns={columns}
          query={query}
          state={state}
          empty={
            <Empty
              icon="app"
              title="No applications yet"
              text="An application is a name that belongs to an organization for good, with its own policy, keys and lists."
            >
              {props.create}
            </Empty>
          }
        />
      </Card>
    </>
  );
}

/** Only "connected" can be told from this row; whether the service answers is on the application's page. */
function Connected(props: { application: Application }): JSX.Element {
  return (
    <Show
      when={props.application.activeTunnelCount > 0}
      fallback={
        <span class="state-main muted">
          <Dot tone="idle" /> Offline
        </span>
      }
    >
      <span class="state-main">
        <Dot tone="accent" /> {formatCount(props.application.activeTunnelCount)} connected
      </span>
    </Show>
  );
}

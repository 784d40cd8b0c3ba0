// The whitelists of all levels: who may connect an agent.

import { useParams } from "@solidjs/router";
import { Match, Show, Switch, type JSX } from "solid-js";
import * as resources from "../../api/resources.ts";
import { canManage, isAdmin } from "../../api/session.ts";
import type { WhitelistEntry } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { OnlyFor } from "../../shell/not-found.tsx";
import { createListState } from "../../ui/list-state.ts";
import { Empty } from "../../ui/note.tsx";
import { Card, Page, Tabs } from "../../ui/page.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { RangeCell, WhitelistCard } from "./whitelist-card.tsx";

export default function Whitelists(): JSX.Element {
  const params = useParams<{ level?: string }>();
  const tabs = () => [
    { href: "/dashboard/whitelists", label: isAdmin() ? "System" : "Organization" },
    ...(isAdmin() ? [{ href: "/dashboard/whitelists/organizations", label: "Organizations" }] : []),
    { href: "/dashboard/whitelists/applications", label: "Applications" },
  ];
  return (
    <Page
      title="Agent whitelists"
      lead="An agent may connect when one list that applies to its credential contains its address. When all are empty, nobody may. Visitors are not judged here."
    >
      <Tabs label="Level" tabs={tabs()} />
      <Switch>
        <Match when={params.level === "organizations"}>
          <Show when={isAdmin()} fallback={<OnlyFor who="system admins" />}>
            <LevelTable
              path="/org-whitelists"
              title="Organizations' lists"
              lead="Change them on the organization's page."
              owner={(entry) => ({
                href: `/dashboard/organizations/${entry.ownerId}/whitelist`,
                name: entry.ownerName ?? "",
              })}
            />
          </Show>
        </Match>
        <Match when={params.level === "applications"}>
          <LevelTable
            path={isAdmin() ? "/app-whitelists" : "/app-whitelist"}
            title="Applications' lists"
            lead="They count only for keys that are bound to the application. Change them on the application's page."
            owner={(entry) => ({
              href: `/dashboard/applications/${entry.ownerId}/whitelist`,
              name: entry.ownerName ?? "",
            })}
          />
        </Match>
        <Match when={true}>
          <WhitelistCard
            path="/whitelist"
            title={isAdmin() ? "System" : "Organization"}
            lead={
              isAdmin() ? "Counts for every account and key." : "Counts for every member and key of your organization."
            }
            mayChange={canManage()}
          />
        </Match>
      </Switch>
    </Page>
  );
}

function LevelTable(props: {
  path: string;
  title: string;
  lead: string;
  owner: (entry: WhitelistEntry) => { href: string; name: string };
}): JSX.Element {
  const state = createListState([]);
  const query = useQuery(() => resources.whitelist(props.path, state.query()));
  const columns: Column<WhitelistEntry>[] = [
    {
      title: "Belongs to",
      cell: (entry) => <a href={props.owner(entry).href}>{props.owner(entry).name || entry.ownerId}</a>,
    },
    { title: "Address or range", cell: (entry) => <RangeCell entry={entry} /> },
    {
      title: "Description",
      cell: (entry) => (
        <Show when={entry.description} fallback={<span class="muted">none</span>}>
          <span class="break">{entry.description}</span>
        </Show>
      ),
    },
    { title: "Added", sort: "createdAt", cell: (entry) => <Ago time={entry.createdAt} never="at start" /> },
  ];
  return (
    <Card title={props.title} lead={props.lead} flush>
      <DataTable
        label={props.title}
        columns={columns}
        query={query}
        state={state}
        empty={<Empty icon="shield" title="No entries" text="No list of this level has an entry yet." />}
      />
    </Card>
  );
}

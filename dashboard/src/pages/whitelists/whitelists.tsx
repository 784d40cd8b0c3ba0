// The whitelists of all levels: who may connect an agent.

import { useParams } from "@solidjs/router";
import { Show, type JSX } from "solid-js";
import * as resources from "../../api/resources.ts";
import { canManage, isAdmin } from "../../api/session.ts";
import type { WhitelistEntry } from "../../api/types.ts";
import { OnlyFor } from "../../shell/not-found.tsx";
import { LinkButton } from "../../ui/button.tsx";
import { Clip } from "../../ui/clip.tsx";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { Empty } from "../../ui/note.tsx";
import { Card, Page, Tabs } from "../../ui/page.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { ScopePicker } from "../scope-picker.tsx";
import { DescriptionCell, RangeCell, WhitelistCard, WhitelistSearch } from "./whitelist-card.tsx";

/** Lists of many owners, by their part of the address. */
const levels = {
  organizations: {
    title: "Organizations' lists",
    lead: "Each counts for every member and key of its organization. Change them on the organization's page.",
    path: () => "/org-whitelists",
    owner: (id: string) => `/dashboard/organizations/${id}/whitelist`,
    shown: isAdmin,
    who: "system admins",
  },
  applications: {
    title: "Applications' lists",
    lead: "They count only for keys that are bound to the application. Change them on the application's page.",
    path: () => (isAdmin() ? "/app-whitelists" : "/app-whitelist"),
    owner: (id: string) => `/dashboard/applications/${id}/whitelist`,
    shown: () => true,
    who: "",
  },
  accounts: {
    title: "Accounts' lists",
    lead: "Each counts for the token of its account only. Change them on the account's page.",
    path: () => (isAdmin() ? "/account-whitelists" : "/account-whitelist"),
    owner: (id: string) => `/dashboard/accounts/${id}`,
    shown: canManage,
    who: "admins of the organization",
  },
};
type Level = keyof typeof levels;
const levelNames = Object.keys(levels) as Level[];

export default function Whitelists(): JSX.Element {
  const params = useParams<{ level?: string }>();
  const shown = () => levelNames.filter((level) => levels[level].shown());
  const tabs = () => [
    { href: "/dashboard/whitelists", label: isAdmin() ? "System" : "Organization" },
    ...shown().map((level) => ({
      href: `/dashboard/whitelists/${level}`,
      label: level.replace(/^./, (letter) => letter.toUpperCase()),
    })),
  ];
  return (
    <Page
      title="Agent whitelists"
      lead="An agent may connect when one list that applies to its credential contains its address. When all are empty, nobody may. Visitors are not judged here."
    >
      <Tabs label="Level" tabs={tabs()} />
      <Show
        when={levelNames.find((level) => level === params.level)}
        keyed
        fallback={
          <WhitelistCard
            path="/whitelist"
            title={isAdmin() ? "System" : "Organization"}
            lead={
              isAdmin() ? "Counts for every account and key." : "Counts for every member and key of your organization."
            }
            mayChange={canManage()}
          />
        }
      >
        {(level) => (
          <Show when={levels[level].shown()} fallback={<OnlyFor who={levels[level].who} />}>
            <LevelTable level={level} />
          </Show>
        )}
      </Show>
    </Page>
  );
}

function LevelTable(props: { level: Level }): JSX.Element {
  const { title, lead, path, owner } = levels[props.level];
  const state = createListState(isAdmin() ? ["q", "org"] : ["q"], { sort: "-createdAt" });
  const query = useList(() => resources.whitelist(path(), state.query()), state);
  const columns: Column<WhitelistEntry>[] = [
    {
      title: "Belongs to",
      wide: true,
      cell: (entry) => <Clip text={entry.ownerName ?? entry.ownerId ?? ""} href={owner(entry.ownerId ?? "")} />,
    },
    { title: "Address or range", sort: "ipRange", cell: (entry) => <RangeCell entry={entry} /> },
    { title: "Description", cell: (entry) => <DescriptionCell entry={entry} /> },
    { title: "Added", sort: "createdAt", cell: (entry) => <Ago time={entry.createdAt} never="at start" /> },
  ];
  return (
    <Card title={title} lead={lead} flush>
      <div class="toolbar">
        <WhitelistSearch state={state} />
        <Show when={isAdmin()}>
          <ScopePicker kind="organizations" value={state.value("org")} onValue={(org) => state.set({ org })} />
        </Show>
      </div>
      <DataTable
        label={title}
        columns={columns}
        query={query}
        state={state}
        empty={
          <Empty
            icon="shield"
            title="No entries yet"
            text={`None of the ${props.level} has a list of its own; the lists of the other levels decide. Open one of them to add a range.`}
          >
            <LinkButton href={`/dashboard/${props.level}`}>Go to the {props.level}</LinkButton>
          </Empty>
        }
      />
    </Card>
  );
}

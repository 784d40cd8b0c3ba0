// The audit log: every filter that the API has, following on request, export, details of each change.

import { createEffect, createMemo, createSignal, on, Show, type JSX } from "solid-js";
import { withQuery } from "../../api/client.ts";
import { atMostEvery, liveStats, pollWhileLost, useLive } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { base, ensureSession, isAdmin } from "../../api/session.ts";
import type { AuditEvent } from "../../api/types.ts";
import { Address, Breaks } from "../../ui/breaks.tsx";
import { Button } from "../../ui/button.tsx";
import { Clip } from "../../ui/clip.tsx";
import { FilterSelect } from "../../ui/filter.tsx";
import { createFollow, FollowSwitch, ShowNew } from "../../ui/follow.tsx";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { Menu } from "../../ui/menu.tsx";
import { Empty } from "../../ui/note.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Moment, now } from "../../ui/time.tsx";
import { attempt } from "../../ui/toast.tsx";
import { Icon } from "../../ui/icon.tsx";
import { ScopePicker } from "../scope-picker.tsx";
import { EventDetails, Outcome } from "./event-details.tsx";

/** An answer on its way is waited for: begun anew for each event it would never come on a slow line. */
const fetchAudit = atMostEvery(1_000, "audit");

const filters = ["action", "actor", "outcome", "org", "app", "from", "to"] as const;

export default function Audit(): JSX.Element {
  const state = createListState(filters, { sort: "-time" });
  /** Why what happens now can't come into this list; null when it can. */
  const standsStill = () => {
    if (state.cursor() !== "") return "Only the first page follows";
    if (state.sort() !== "-time") return "Only the newest first follow";
    return Date.parse(state.value("to")) <= now() ? "Nothing new is before “Until”" : null;
  };
  const follow = createFollow(false, standsStill);
  const [opened, setOpened] = createSignal<AuditEvent | null>(null);
  const asked = () => {
    const { from: _from, to: _to, ...rest } = state.query();
    return { ...rest, from: instantOf(state.value("from")), to: instantOf(state.value("to")) };
  };
  const query = useList(
    () => ({
      ...resources.auditEvents(asked()),
      refetchInterval: follow.following() ? pollWhileLost(2_000) : false,
    }),
    state,
    { follow },
  );
  createEffect(() => {
    if (follow.following()) useLive();
  });
  const newest = createMemo(() => (follow.following() ? (liveStats()?.newestAudit ?? null) : undefined));
  createEffect(on(newest, (id) => id !== undefined && fetchAudit(), { defer: true }));
  const download = (format: "csv" | "jsonl") => {
    const { cursor: _cursor, sort: _sort, ...rest } = asked() as Record<string, string>;
    // The browser loads the file itself: an expired session would leave the reader on a page of JSON.
    void attempt(async () => {
      await ensureSession();
      location.assign(withQuery(`${base()}/audit/export`, { ...rest, format }));
    });
  };

  const columns: Column<AuditEvent>[] = [
    { title: "Time", sort: "time", shrink: true, cell: (event) => <Moment time={event.time} /> },
    {
      title: "What happened",
      wide: true,
      cell: (event) => (
        <span class="row">
          <button type="button" class="req-open whole-words" onClick={() => setOpened(event)}>
            <Breaks text={event.action} at={/(?<=\.)/} />
          </button>
          <Show when={event.reason}>
            {(reason) => (
              <span class="cell-sub">
                <Clip text={reason()} limit={48} />
              </span>
            )}
          </Show>
        </span>
      ),
    },
    { title: "Outcome", cell: (event) => <Outcome event={event} /> },
    {
      title: "Who",
      cell: (event) => (
        <Show when={event.actor ?? event.identity} fallback={<span class="muted">nobody</span>}>
          {(who) => <Clip text={who()} />}
        </Show>
      ),
    },
    {
      title: "Where",
      cell: (event) => (
        <span class="cell-main">
          <Show when={event.appName ?? event.orgName} fallback={<span class="muted">server</span>}>
            {(name) => <Clip text={name()} />}
          </Show>
        </span>
      ),
    },
    { title: "From", cell: (event) => <Address address={event.address ?? "–"} /> },
  ];

  return (
    <Page
      title="Audit log"
      lead={
        <>
          Every login, refusal and change. Rows are chained by hash: <code>digit-link audit verify</code> proves that
          none was altered.
        </>
      }
      actions={
        <Menu
          label="Export"
          class="button button-default"
          trigger={
            <>
              <Icon name="download" /> Export
            </>
          }
          items={[
            { label: "As CSV, with these filters", onSelect: () => download("csv") },
            { label: "As JSON lines, with these filters", onSelect: () => download("jsonl") },
          ]}
        />
      }
    >
      <div class="toolbar">
        <Search
          label="Action"
          placeholder="login, NOT visitor NOT tunnel"
          value={state.value("action")}
          onSearch={(action) => state.set({ action }, { replace: true })}
        />
        <ScopePicker
          kind="accounts"
          label="Actor"
          takesTyped
          value={state.value("actor")}
          onValue={(actor) => state.set({ actor })}
        />
        <FilterSelect
          label="Outcome"
          value={state.value("outcome")}
          onValue={(outcome) => state.set({ outcome })}
          options={[
            { value: "", label: "Any outcome" },
            { value: "success", label: "Succeeded" },
            { value: "failure", label: "Refused or failed" },
          ]}
        />
        <Show when={isAdmin()}>
          <ScopePicker kind="organizations" value={state.value("org")} onValue={(org) => state.set({ org })} />
        </Show>
        <ScopePicker kind="applications" value={state.value("app")} onValue={(app) => state.set({ app })} />
        <span class="period">
          <TimeFilter label="From" value={state.value("from")} onValue={(from) => state.set({ from })} />
          <TimeFilter label="Until" value={state.value("to")} onValue={(to) => state.set({ to })} />
        </span>
        <span class="grow" />
        <ShowNew waiting={query.waiting()} more={query.allWait()} one="event" onShow={query.catchUp} />
        <FollowSwitch follow={follow} />
      </div>
      <Card flush>
        <DataTable
          label="Audit events"
          class="audit"
          columns={columns}
          query={query}
          state={state}
          empty={
            <Empty
              icon="audit"
              title="Nothing recorded yet"
              text="Logins, refusals and changes appear here as they happen: follow the log and watch."
            >
              <Button onClick={() => follow.setFollowing(true)}>Follow</Button>
            </Empty>
          }
        />
      </Card>
      <Show when={opened()}>{(event) => <EventDetails event={event()} onClose={() => setOpened(null)} />}</Show>
    </Page>
  );
}

/** An address holds the moment, so that it means the same in every time zone; "" where it holds something else. */
const instantOf = (value: string): string => {
  const ms = Date.parse(value);
  return Number.isNaN(ms) ? "" : new Date(ms).toISOString();
};

/** A moment as the browser's field has it: by the reader's clock, to the minute. */
function toField(value: string): string {
  const ms = Date.parse(value);
  if (Number.isNaN(ms)) return "";
  return new Date(ms - new Date(ms).getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

function TimeFilter(props: { label: string; value: string; onValue: (value: string) => void }): JSX.Element {
  return (
    <label class="inline-field">
      <span>{props.label}</span>
      <input
        class="input"
        type="datetime-local"
        value={toField(props.value)}
        onChange={(event) => {
          const { value } = event.currentTarget;
          // A year that is being typed begins as one of antiquity.
          if (value === "" || Date.parse(value) >= 0) props.onValue(instantOf(value));
        }}
      />
    </label>
  );
}

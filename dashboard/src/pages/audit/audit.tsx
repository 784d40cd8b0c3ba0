// The audit log: every filter that the API has, live tail on request, export, details of each change.

import { createSignal, Show, type JSX } from "solid-js";
import { withQuery } from "../../api/client.ts";
import * as resources from "../../api/resources.ts";
import { base, ensureSession, isAdmin } from "../../api/session.ts";
import type { AuditEvent } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Switch } from "../../ui/choice.tsx";
import { Clip } from "../../ui/clip.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { Select } from "../../ui/field.tsx";
import { createListState } from "../../ui/list-state.ts";
import { Menu } from "../../ui/menu.tsx";
import { Empty } from "../../ui/note.tsx";
import { Card, Fact, Page } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { Badge } from "../../ui/state.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Moment } from "../../ui/time.tsx";
import { attempt } from "../../ui/toast.tsx";
import { Icon } from "../../ui/icon.tsx";
import { ScopePicker } from "../scope-picker.tsx";

const filters = ["action", "actor", "outcome", "org", "app", "from", "to"] as const;

export default function Audit(): JSX.Element {
  const state = createListState(filters);
  const [tail, setTail] = createSignal(false);
  const [opened, setOpened] = createSignal<AuditEvent | null>(null);
  const asked = () => {
    const { from, to, ...rest } = state.query();
    const instant = (local: unknown) =>
      typeof local === "string" && local !== "" ? new Date(local).toISOString() : undefined;
    return { ...rest, from: instant(from), to: instant(to) };
  };
  const query = useQuery(() => ({
    ...resources.auditEvents(asked()),
    refetchInterval: tail() && state.cursor() === "" ? 2_000 : false,
  }));
  const download = (format: "csv" | "jsonl") => {
    const { cursor: _cursor, sort: _sort, ...rest } = asked() as Record<string, string>;
    // The browser loads the file itself: an expired session would leave the reader on a page of JSON.
    void attempt(async () => {
      await ensureSession();
      location.assign(withQuery(`${base()}/audit/export`, { ...rest, format }));
    });
  };

  const columns: Column<AuditEvent>[] = [
    { title: "Time", shrink: true, cell: (event) => <Moment time={event.time} /> },
    {
      title: "What happened",
      wide: true,
      cell: (event) => (
        <span class="row">
          <button type="button" class="req-open" onClick={() => setOpened(event)}>
            {event.action}
          </button>
          <Show when={event.reason}>
            <span class="cell-sub">{event.reason}</span>
          </Show>
        </span>
      ),
    },
    { title: "Outcome", cell: (event) => <Outcome event={event} /> },
    {
      title: "Who",
      cell: (event) => <span class="break">{event.actor ?? event.identity ?? <span class="muted">nobody</span>}</span>,
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
    { title: "From", cell: (event) => <code class="muted">{event.address ?? "–"}</code> },
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
          placeholder="login, or NOT visitor"
          value={state.value("action")}
          onSearch={(action) => state.set({ action }, { replace: true })}
        />
        <ActorFilter value={state.value("actor")} onValue={(actor) => state.set({ actor }, { replace: true })} />
        <Select
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
        <TimeFilter label="From" value={state.value("from")} onValue={(from) => state.set({ from })} />
        <TimeFilter label="Until" value={state.value("to")} onValue={(to) => state.set({ to })} />
        <span class="grow" />
        <Switch label="Live tail" checked={tail()} onChecked={setTail} />
      </div>
      <Card flush>
        <DataTable
          label="Audit events"
          columns={columns}
          query={query}
          state={state}
          empty={<Empty icon="audit" title="Nothing recorded yet" text="Logins, refusals and changes appear here." />}
        />
      </Card>
      <Show when={opened()}>{(event) => <EventDetails event={event()} onClose={() => setOpened(null)} />}</Show>
    </Page>
  );
}

function Outcome(props: { event: AuditEvent }): JSX.Element {
  // What went well is the rule, so that what was refused stands out.
  return (
    <Show when={props.event.success} fallback={<Badge tone="bad">Refused</Badge>}>
      <span class="state-main muted">
        <Icon name="check" small /> Succeeded
      </span>
    </Show>
  );
}

function ActorFilter(props: { value: string; onValue: (value: string) => void }): JSX.Element {
  return (
    <input
      class="input input-narrow"
      aria-label="Actor"
      placeholder="Actor"
      value={props.value}
      spellcheck={false}
      onChange={(event) => props.onValue(event.currentTarget.value.trim())}
    />
  );
}

function TimeFilter(props: { label: string; value: string; onValue: (value: string) => void }): JSX.Element {
  return (
    <label class="inline-field">
      <span>{props.label}</span>
      <input
        class="input"
        type="datetime-local"
        value={props.value}
        onChange={(event) => props.onValue(event.currentTarget.value)}
      />
    </label>
  );
}

function EventDetails(props: { event: AuditEvent; onClose: () => void }): JSX.Element {
  const event = () => props.event;
  const text = (value: string | null | undefined) => value ?? <span class="muted">–</span>;
  return (
    <Dialog drawer title={event().action} onClose={props.onClose}>
      <dl class="facts">
        <Fact name="Outcome">
          <Outcome event={event()} />
        </Fact>
        <Fact name="Time">
          <Moment time={event().time} />
        </Fact>
        <Fact name="Reason">{text(event().reason)}</Fact>
        <Fact name="Actor">{text(event().actor)}</Fact>
        <Fact name="Claimed identity">{text(event().identity)}</Fact>
        <Fact name="Address">{text(event().address)}</Fact>
        <Fact name="Kind of credential">{text(event().authType)}</Fact>
        <Fact name="API key">{text(event().keyId)}</Fact>
        <Fact name="Organization">{text(event().orgName ?? event().orgId)}</Fact>
        <Fact name="Application">{text(event().appName ?? event().appId)}</Fact>
        <Fact name="Request id">{text(event().requestId)}</Fact>
        <Fact name="Row">{event().id}</Fact>
      </dl>
      <Show when={event().details}>
        <section class="stack-tight">
          <h3>Before and after</h3>
          <pre class="code-block">{JSON.stringify(event().details, null, 2)}</pre>
        </section>
      </Show>
    </Dialog>
  );
}

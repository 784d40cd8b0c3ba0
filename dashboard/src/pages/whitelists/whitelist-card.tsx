// One whitelist of agents: entries, adding, removing.

import { createSignal, Show, type JSX } from "solid-js";
import { addWhitelist, removeWhitelist } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import type { WhitelistEntry } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Address } from "../../ui/breaks.tsx";
import { Button, IconButton } from "../../ui/button.tsx";
import { Clip } from "../../ui/clip.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { TextField } from "../../ui/field.tsx";
import { FilterSelect } from "../../ui/filter.tsx";
import { createForm } from "../../ui/form.tsx";
import { FormDialog } from "../../ui/form-dialog.tsx";
import { plural } from "../../ui/format.ts";
import { useList } from "../../ui/list.ts";
import { createListState, type ListState } from "../../ui/list-state.ts";
import { Empty, Note } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { Badge } from "../../ui/state.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";

interface WhitelistProps {
  /** Path of the list below the portal's prefix. */
  path: string;
  title: string;
  lead: string;
  mayChange: boolean;
}

/** Asks, then removes; agents that no longer pass are closed by the server. */
function askRemove(path: string, entry: WhitelistEntry): void {
  confirm({
    title: `Remove ${entry.ipRange}?`,
    consequence: () => <Removal path={path} range={entry.ipRange} />,
    action: "Remove",
    done: `${entry.ipRange} was removed.`,
    run: () => removeWhitelist(path, entry.id),
  });
}

/** What removing a range does, with how many tunnels are served from there now. */
function Removal(props: { path: string; range: string }): JSX.Element {
  const [, kind, id = ""] = /^\/(organizations|applications|accounts)\/([^/]+)\//.exec(props.path) ?? [];
  const most = 200;
  const query = useQuery(() =>
    resources.tunnels({
      from: props.range,
      state: "connected",
      limit: most,
      ...(kind === "organizations" ? { org: id } : kind === "applications" ? { app: id } : {}),
    }),
  );
  const served = () => {
    if (query.isPending || query.data === undefined) return null;
    const { items, nextCursor } = query.data;
    const count = items.filter(({ accountId }) => kind !== "accounts" || accountId === id).length;
    if (count === 0 && nextCursor === null) return "No tunnel is served from there now.";
    const some = nextCursor === null ? "" : "at least ";
    return `From there ${some}${plural(count, "tunnel")} ${count === 1 ? "is" : "are"} served now.`;
  };
  return (
    <>
      <p role="status">{served()}</p>
      <p>
        Agents that connect from there and pass no other list are disconnected within a second, and refused from then
        on.
      </p>
    </>
  );
}

export function WhitelistCard(props: WhitelistProps): JSX.Element {
  const [adding, setAdding] = createSignal(false);
  const system = () => isAdmin() && props.path === "/whitelist";
  const state = createListState(system() ? ["q", "source"] : ["q"], { sort: "-createdAt", prefix: "wl-" });
  const query = useList(() => resources.whitelist(props.path, state.query()), state);
  const columns: Column<WhitelistEntry>[] = [
    { title: "Address or range", sort: "ipRange", wide: true, cell: (entry) => <RangeCell entry={entry} /> },
    { title: "Description", cell: (entry) => <DescriptionCell entry={entry} /> },
    { title: "Added", sort: "createdAt", cell: (entry) => <Ago time={entry.createdAt} never="at start" /> },
    {
      title: "",
      shrink: true,
      cell: (entry) => (
        <Show when={props.mayChange && entry.source !== "env"}>
          <span class="cell-actions">
            <IconButton
              small
              icon="trash"
              label={`Remove ${entry.ipRange}`}
              onClick={() => askRemove(props.path, entry)}
            />
          </span>
        </Show>
      ),
    },
  ];
  const addButton = () => (
    <Show when={props.mayChange}>
      <Button icon="plus" onClick={() => setAdding(true)}>
        Add a range
      </Button>
    </Show>
  );
  return (
    <Card title={props.title} lead={props.lead} flush actions={addButton()}>
      <div class="toolbar">
        <WhitelistSearch state={state} />
        <Show when={system()}>
          <FilterSelect
            label="Source"
            value={state.value("source")}
            onValue={(source) => state.set({ source })}
            options={[
              { value: "", label: "Any source" },
              { value: "database", label: "Added here" },
              { value: "env", label: "AGENT_WHITELIST" },
            ]}
          />
        </Show>
      </div>
      <DataTable
        label={props.title}
        columns={columns}
        query={query}
        state={state}
        empty={
          <Empty
            icon="shield"
            title="This list is empty"
            text="It lets no agent in by itself. An agent passes when any list that applies to its credential contains its address."
          >
            {addButton()}
          </Empty>
        }
      />
      <Show when={adding()}>
        <AddRange path={props.path} onClose={() => setAdding(false)} />
      </Show>
    </Card>
  );
}

/** Finds entries by their words, or by an address that they contain. */
export function WhitelistSearch(props: { state: ListState }): JSX.Element {
  return (
    <Search
      label="Search entries"
      placeholder="An address, a range, words, NOT …"
      value={props.state.value("q")}
      onSearch={(q) => props.state.set({ q }, { replace: true })}
    />
  );
}

export function DescriptionCell(props: { entry: WhitelistEntry }): JSX.Element {
  return (
    <Show when={props.entry.description} fallback={<span class="muted">none</span>}>
      {(description) => <Clip text={description()} limit={48} />}
    </Show>
  );
}

export function RangeCell(props: { entry: WhitelistEntry }): JSX.Element {
  const everything = () => props.entry.ipRange === "0.0.0.0/0" || props.entry.ipRange === "::/0";
  return (
    <span class="row">
      <Address address={props.entry.ipRange} strong />
      <Show when={everything()}>
        <Badge tone="warn">Everybody</Badge>
      </Show>
      <Show when={props.entry.source === "env"}>
        <Badge>set by AGENT_WHITELIST</Badge>
      </Show>
    </span>
  );
}

function AddRange(props: { path: string; onClose: () => void }): JSX.Element {
  const form = createForm({
    initial: { ipRange: "", description: "" },
    check: (values) => (values.ipRange.trim() === "" ? { ipRange: "Enter an address or a range." } : {}),
    submit: async ({ ipRange, description }) => {
      await addWhitelist(props.path, { ipRange: ipRange.trim(), description: description.trim() });
      toast(`Agents from ${ipRange.trim()} may connect.`);
      props.onClose();
    },
  });
  const everything = () => ["0.0.0.0/0", "::/0"].includes(form.values.ipRange.trim());
  return (
    <FormDialog title="Allow agents from a range" form={form} action="Add" onClose={props.onClose}>
      <TextField
        label="Address or range"
        mono
        placeholder="203.0.113.7 or 2001:db8::/48"
        hint="IPv4 or IPv6, a single address or CIDR."
        {...form.field("ipRange")}
        data-autofocus=""
      />
      <TextField label="Description" optional placeholder="Office, CI runners, …" {...form.field("description")} />
      <Show when={everything()}>
        <Note tone="warn" title="This allows everybody">
          <p>
            Any agent in the world that has a token may then connect. Its token is the only thing left to guard you.
          </p>
        </Note>
      </Show>
    </FormDialog>
  );
}

// API keys as a list, with making and revoking; of everything, of an organization, or of one application.

import { createSignal, Show, type JSX } from "solid-js";
import { deleteKey } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { canManage, isAdmin } from "../../api/session.ts";
import type { ApiKey } from "../../api/types.ts";
import { Button, IconButton } from "../../ui/button.tsx";
import { Clip } from "../../ui/clip.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { FilterSelect } from "../../ui/filter.tsx";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { Empty } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { Badge } from "../../ui/state.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago, now } from "../../ui/time.tsx";
import { ScopePicker } from "../scope-picker.tsx";
import { CreateKey } from "./create-key.tsx";

const scopeWords: Record<ApiKey["scope"], string> = {
  tunnel: "Opens tunnels",
  visitor: "Visits",
  both: "Opens and visits",
};

function askRevoke(key: ApiKey): void {
  confirm({
    title: `Revoke ${key.description || key.prefix}?`,
    consequence:
      "Agents and visitors that use it are refused at once and tunnels opened with it are closed. This can't be undone.",
    action: "Revoke",
    done: "The key was revoked.",
    run: () => deleteKey(key.id),
  });
}

/** `orgId` and `appId` narrow the list and are given to new keys. */
export function KeysPanel(props: { orgId?: string; appId?: string; title: string; lead: string }): JSX.Element {
  const [creating, setCreating] = createSignal(false);
  const free = [
    ...(isAdmin() && props.orgId === undefined ? ["org"] : []),
    ...(props.appId === undefined ? ["app"] : []),
  ];
  const state = createListState(["q", "state", ...free], {
    sort: "-createdAt",
    prefix: "key-",
    fixed: () => ({ org: isAdmin() ? props.orgId : undefined, app: props.appId }),
  });
  const query = useList(() => resources.apiKeys(state.query()), state);
  const expired = (key: ApiKey) => key.expiresAt !== null && Date.parse(key.expiresAt) < now();
  const columns: Column<ApiKey>[] = [
    {
      title: "Key",
      wide: true,
      cell: (key) => (
        <span class="cell-main">
          <span class="cell-title">
            <Clip text={key.description || "No description"} limit={48} />
          </span>
          <code class="cell-sub">{key.prefix}…</code>
        </span>
      ),
    },
    { title: "May", cell: (key) => <Badge tone="accent">{scopeWords[key.scope]}</Badge> },
    {
      title: "For",
      cell: (key) => (
        <Show when={key.appId} fallback={<Clip text={`all of ${key.orgName ?? "the organization"}`} />}>
          <Clip text={key.appName ?? "one application"} href={`/dashboard/applications/${key.appId}`} />
        </Show>
      ),
    },
    { title: "Last used", sort: "lastUsed", cell: (key) => <Ago time={key.lastUsed} /> },
    { title: "Created", sort: "createdAt", cell: (key) => <Ago time={key.createdAt} /> },
    {
      title: "Expires",
      cell: (key) => (
        <Show when={!expired(key)} fallback={<Badge tone="bad">Expired</Badge>}>
          <Ago time={key.expiresAt} never="never" />
        </Show>
      ),
    },
    {
      title: "",
      shrink: true,
      cell: (key) => (
        <Show when={canManage()}>
          <span class="cell-actions">
            <IconButton
              small
              icon="trash"
              label={`Revoke ${key.description || key.prefix}`}
              onClick={() => askRevoke(key)}
            />
          </span>
        </Show>
      ),
    },
  ];
  const button = () => (
    <Show when={canManage()}>
      <Button icon="plus" kind="primary" onClick={() => setCreating(true)}>
        New key
      </Button>
    </Show>
  );
  return (
    <Card title={props.title} lead={props.lead} flush actions={button()}>
      <div class="toolbar">
        <Search
          label="Search keys"
          placeholder="Description, how the key begins, NOT …"
          value={state.value("q")}
          onSearch={(q) => state.set({ q }, { replace: true })}
        />
        <FilterSelect
          label="State"
          value={state.value("state")}
          onValue={(value) => state.set({ state: value })}
          options={[
            { value: "", label: "Any state" },
            { value: "active", label: "Active" },
            { value: "expired", label: "Expired" },
          ]}
        />
        <Show when={free.includes("org")}>
          <ScopePicker kind="organizations" value={state.value("org")} onValue={(org) => state.set({ org })} />
        </Show>
        <Show when={free.includes("app")}>
          <ScopePicker
            kind="applications"
            value={state.value("app")}
            onValue={(app) => state.set({ app })}
            {...(props.orgId === undefined ? {} : { org: props.orgId })}
          />
        </Show>
      </div>
      <DataTable
        label={props.title}
        columns={columns}
        query={query}
        state={state}
        dim={expired}
        empty={
          <Empty
            icon="key"
            title="No keys yet"
            text="A key lets a machine open a tunnel, or pass an API key policy, without anybody's account."
          >
            {button()}
          </Empty>
        }
      />
      <Show when={creating()}>
        <CreateKey
          {...(props.orgId === undefined ? {} : { orgId: props.orgId })}
          {...(props.appId === undefined ? {} : { appId: props.appId })}
          onClose={() => setCreating(false)}
        />
      </Show>
    </Card>
  );
}

// Accounts as a list: of the server, or of one organization.

import { Show, type JSX } from "solid-js";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import type { Account } from "../../api/types.ts";
import { Clip } from "../../ui/clip.tsx";
import { FilterSelect } from "../../ui/filter.tsx";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { Empty } from "../../ui/note.tsx";
import { Card } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { Badge, Dot } from "../../ui/state.tsx";
import { ScopePicker } from "../scope-picker.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";

/** What an account may do, in words. */
export function roleOf(account: Account): string {
  if (account.isAdmin) return "System admin";
  if (account.isOrgAdmin) return "Organization admin";
  return account.orgId === null ? "No organization" : "Member";
}

export function AccountState(props: { account: Account }): JSX.Element {
  return (
    <span class="row">
      <span class="state-main">
        <Dot tone={props.account.active ? "good" : "bad"} />
        {props.account.active ? "Active" : "Deactivated"}
      </span>
      <Show when={props.account.totpEnabled}>
        <Badge>2FA</Badge>
      </Show>
      <Show when={props.account.isAdmin && !props.account.totpEnabled}>
        <Badge tone="warn">No 2FA</Badge>
      </Show>
    </span>
  );
}

/** `orgId` narrows to one organization; `actions` stand right of the filters. */
export function AccountsTable(props: { orgId?: string; actions?: JSX.Element; create?: JSX.Element }): JSX.Element {
  const everywhere = isAdmin() && props.orgId === undefined;
  const state = createListState(everywhere ? ["q", "active", "admin", "org"] : ["q", "active"], {
    sort: "-createdAt",
    searched: { by: ["username"], why: "Found by the beginning of the username, so the list is in its order." },
    fixed: () => (props.orgId === undefined ? {} : { org: props.orgId }),
  });
  const query = useList(() => resources.accounts(state.query()), state);
  const columns: Column<Account>[] = [
    {
      title: "Username",
      sort: "username",
      wide: true,
      cell: (account) => (
        <span class="cell-main">
          <Clip text={account.username} href={`/dashboard/accounts/${account.id}`} />
          <span class="cell-sub">{roleOf(account)}</span>
        </span>
      ),
    },
    { title: "State", cell: (account) => <AccountState account={account} /> },
    ...(everywhere
      ? [
          {
            title: "Organization",
            cell: (account: Account) => (
              <Show when={account.orgId} fallback={<span class="muted">none</span>}>
                <Clip text={account.orgName ?? ""} href={`/dashboard/organizations/${account.orgId}`} />
              </Show>
            ),
          },
        ]
      : []),
    { title: "Last used", sort: "lastUsed", cell: (account) => <Ago time={account.lastUsed} /> },
    { title: "Created", sort: "createdAt", cell: (account) => <Ago time={account.createdAt} /> },
  ];
  return (
    <>
      <div class="toolbar">
        <Search
          label="Search accounts"
          placeholder="How the username begins, or NOT …"
          value={state.value("q")}
          onSearch={(q) => state.set({ q }, { replace: true })}
        />
        <FilterSelect
          label="State"
          value={state.value("active")}
          onValue={(active) => state.set({ active })}
          options={[
            { value: "", label: "Any state" },
            { value: "true", label: "Active" },
            { value: "false", label: "Deactivated" },
          ]}
        />
        <Show when={everywhere}>
          <FilterSelect
            label="Role"
            value={state.value("admin")}
            onValue={(admin) => state.set({ admin })}
            options={[
              { value: "", label: "Any role" },
              { value: "true", label: "System admin" },
            ]}
          />
          <ScopePicker kind="organizations" value={state.value("org")} onValue={(org) => state.set({ org })} />
        </Show>
        <span class="grow" />
        {props.actions}
      </div>
      <Card flush>
        <DataTable
          label="Accounts"
          columns={columns}
          query={query}
          state={state}
          dim={(account) => !account.active}
          empty={
            <Empty
              icon="users"
              title="No accounts yet"
              text="An account gives a person or a machine a token to open tunnels with."
            >
              {props.create}
            </Empty>
          }
        />
      </Card>
    </>
  );
}

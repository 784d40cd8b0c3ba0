// All organizations of the server.

import { useNavigate } from "@solidjs/router";
import { createSignal, Show, type JSX } from "solid-js";
import { createOrganization } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import type { Organization } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { Clip } from "../../ui/clip.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm } from "../../ui/form.tsx";
import { FormDialog } from "../../ui/form-dialog.tsx";
import { formatCount } from "../../ui/format.ts";
import { useList } from "../../ui/list.ts";
import { createListState } from "../../ui/list-state.ts";
import { Empty } from "../../ui/note.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { Search } from "../../ui/search.tsx";
import { Badge, policyWord } from "../../ui/state.tsx";
import { DataTable, type Column } from "../../ui/table.tsx";
import { Ago } from "../../ui/time.tsx";
import { toast } from "../../ui/toast.tsx";

const count = (value: number | undefined) => (value === undefined ? <span class="muted">–</span> : formatCount(value));

const columns: Column<Organization>[] = [
  {
    title: "Name",
    sort: "name",
    wide: true,
    cell: (one) => (
      <span class="cell-main">
        <Clip text={one.name} href={`/dashboard/organizations/${one.id}`} />
      </span>
    ),
  },
  {
    title: "Visitor policy",
    cell: (one) =>
      one.hasPolicy ? <Badge tone="good">{policyWord(one.authType)}</Badge> : <Badge tone="warn">None: public</Badge>,
  },
  {
    title: "2FA",
    cell: (one) => (one.requireTotp ? <Badge tone="good">Required</Badge> : <span class="muted">optional</span>),
  },
  { title: "Members", end: true, cell: (one) => count(one.accountCount) },
  { title: "Applications", end: true, cell: (one) => count(one.applicationCount) },
  { title: "Created", sort: "createdAt", cell: (one) => <Ago time={one.createdAt} /> },
];

export default function Organizations(): JSX.Element {
  const [creating, setCreating] = createSignal(false);
  const state = createListState(["q"], {
    sort: "-createdAt",
    searched: { by: ["name"], why: "Found by the beginning of the name, so the list is in its order." },
  });
  const query = useList(() => resources.organizations(state.query()), state);
  const button = () => (
    <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
      New organization
    </Button>
  );
  return (
    <Page
      title="Organizations"
      lead="Each has its own members, applications, policy, keys and lists, and sees nothing of the others."
      actions={button()}
    >
      <div class="toolbar">
        <Search
          label="Search organizations"
          placeholder="How the name begins, or NOT …"
          value={state.value("q")}
          onSearch={(q) => state.set({ q }, { replace: true })}
        />
      </div>
      <Card flush>
        <DataTable
          label="Organizations"
          class="table-pairs"
          columns={columns}
          query={query}
          state={state}
          empty={
            <Empty
              icon="building"
              title="No organizations yet"
              text="Make one to give a team its own applications, policy and members."
            >
              {button()}
            </Empty>
          }
        />
      </Card>
      <Show when={creating()}>
        <CreateOrganization onClose={() => setCreating(false)} />
      </Show>
    </Page>
  );
}

function CreateOrganization(props: { onClose: () => void }): JSX.Element {
  const navigate = useNavigate();
  const form = createForm({
    initial: { name: "" },
    check: (values) => (values.name.trim() === "" ? { name: "Give it a name." } : {}),
    submit: async ({ name }) => {
      const { organization } = await createOrganization({ name: name.trim() });
      toast(`${organization.name} was created.`);
      props.onClose();
      navigate(`/dashboard/organizations/${organization.id}`);
    },
  });
  return (
    <FormDialog title="New organization" form={form} action="Create organization" onClose={props.onClose}>
      <TextField label="Name" {...form.field("name")} data-autofocus="" />
    </FormDialog>
  );
}

// All applications that the caller may see.

import { createSignal, Show, type JSX } from "solid-js";
import { canManage } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { Page } from "../../ui/page.tsx";
import { ApplicationsTable } from "./applications-table.tsx";
import { CreateApplication } from "./create-application.tsx";

export default function Applications(): JSX.Element {
  const [creating, setCreating] = createSignal(false);
  const button = () => (
    <Show when={canManage()}>
      <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
        New application
      </Button>
    </Show>
  );
  return (
    <Page
      title="Applications"
      lead="Names that belong to an organization for good, each with its own rules."
      actions={button()}
    >
      <ApplicationsTable create={button()} />
      <Show when={creating()}>
        <CreateApplication onClose={() => setCreating(false)} />
      </Show>
    </Page>
  );
}

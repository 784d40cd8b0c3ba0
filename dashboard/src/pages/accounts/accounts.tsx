// All accounts that the caller may see.

import { createSignal, Show, type JSX } from "solid-js";
import { canManage, isAdmin } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { Page } from "../../ui/page.tsx";
import { AccountsTable } from "./accounts-table.tsx";
import { CreateAccount } from "./create-account.tsx";

export default function Accounts(): JSX.Element {
  const [creating, setCreating] = createSignal(false);
  const button = () => (
    <Show when={canManage()}>
      <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
        New account
      </Button>
    </Show>
  );
  return (
    <Page
      title="Accounts"
      lead={
        isAdmin() ? "People and machines that open tunnels or use this dashboard." : "The members of your organization."
      }
      actions={button()}
    >
      <AccountsTable create={button()} />
      <Show when={creating()}>
        <CreateAccount onClose={() => setCreating(false)} />
      </Show>
    </Page>
  );
}

// The own API token: of everybody but system admins.

import { createSignal, Show, type JSX } from "solid-js";
import { newOwnToken } from "../../api/changes.ts";
import { me, serverUrl } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { Command } from "../../ui/copy.tsx";
import { createForm } from "../../ui/form.tsx";
import { FormDialog } from "../../ui/form-dialog.tsx";
import { Card, DangerRow } from "../../ui/page.tsx";
import { CurrentPassword } from "../password-fields.tsx";

export function TokenCard(): JSX.Element {
  const [asking, setAsking] = createSignal(false);
  return (
    <Card
      title="API token"
      lead="Your agents log in with it. It is stored as a hash, so the present one can't be shown."
    >
      <div class="stack">
        <p>Save server and token on a machine, then open a tunnel:</p>
        <Command text={`digit-link login --server ${serverUrl()}`} />
        <Command text="digit-link http 3000" />
        <DangerRow title="New token" text="The old one stops at once, and tunnels opened with it are closed.">
          <Button kind="danger" onClick={() => setAsking(true)}>
            Make a new token…
          </Button>
        </DangerRow>
      </div>
      <Show when={asking()}>
        <TokenDialog onClose={() => setAsking(false)} />
      </Show>
    </Card>
  );
}

function TokenDialog(props: { onClose: () => void }): JSX.Element {
  const [token, setToken] = createSignal<string | null>(null);
  const hasPassword = () => me()?.account.hasPassword ?? true;
  const form = createForm({
    initial: { currentPassword: "" },
    codes: { bad_credentials: "currentPassword" },
    check: (values) =>
      hasPassword() && values.currentPassword === "" ? { currentPassword: "Enter your password." } : {},
    submit: async ({ currentPassword }) => {
      setToken((await newOwnToken(hasPassword() ? { currentPassword } : {})).token);
    },
  });
  return (
    <FormDialog
      title="New API token"
      made={{ secret: token(), what: "API token", report: "The new token is in force; the old one has stopped." }}
      form={form}
      action="Make a new token"
      danger
      onClose={props.onClose}
    >
      <p>The present token stops working at once and tunnels opened with it are closed.</p>
      <Show when={hasPassword()}>
        <CurrentPassword {...form.field("currentPassword")} data-autofocus="" />
      </Show>
    </FormDialog>
  );
}

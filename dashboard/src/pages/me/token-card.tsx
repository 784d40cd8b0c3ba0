// The member's own API token.

import { createSignal, Show, type JSX } from "solid-js";
import { newOwnToken } from "../../api/changes.ts";
import { me } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { Command, SecretOnce } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { Card, DangerRow } from "../../ui/page.tsx";

export function TokenCard(): JSX.Element {
  const [asking, setAsking] = createSignal(false);
  return (
    <Card
      title="API token"
      lead="Your agents log in with it. It is stored as a hash, so the present one can't be shown."
    >
      <div class="stack">
        <p>Save server and token on a machine, then open a tunnel:</p>
        <Command text={`digit-link login --server ${location.origin}`} />
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
    <Dialog title="New API token" locked={token() !== null} onClose={props.onClose}>
      <Show
        when={token()}
        fallback={
          <Form
            form={form}
            actions={
              <>
                <Button onClick={props.onClose}>Cancel</Button>
                <Button kind="danger-solid" type="submit" busy={form.busy()}>
                  Make a new token
                </Button>
              </>
            }
          >
            <p>The present token stops working at once and tunnels opened with it are closed.</p>
            <Show when={hasPassword()}>
              <TextField
                label="Current password"
                type="password"
                autocomplete="current-password"
                value={form.values.currentPassword}
                onValue={(value) => form.set("currentPassword", value)}
                error={form.error("currentPassword")}
                data-autofocus=""
              />
            </Show>
          </Form>
        }
      >
        {(secret) => (
          <>
            <SecretOnce secret={secret()} what="API token" />
            <div class="form-actions">
              <Button kind="primary" onClick={props.onClose}>
                I have copied it
              </Button>
            </div>
          </>
        )}
      </Show>
    </Dialog>
  );
}

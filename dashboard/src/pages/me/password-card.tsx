// Changing the own password.

import { Show, type JSX } from "solid-js";
import { changePassword } from "../../api/changes.ts";
import { loadMe, me } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { Card } from "../../ui/page.tsx";
import { toast } from "../../ui/toast.tsx";

export function PasswordCard(): JSX.Element {
  const hasPassword = () => me()?.account.hasPassword ?? true;
  const empty = { currentPassword: "", newPassword: "", repeated: "" };
  const form = createForm({
    initial: empty,
    codes: { bad_credentials: "currentPassword" },
    check: (values) => ({
      ...(hasPassword() && values.currentPassword === "" ? { currentPassword: "Enter your current password." } : {}),
      ...(values.newPassword.length < 10 ? { newPassword: "At least 10 characters." } : {}),
      ...(values.newPassword !== values.repeated ? { repeated: "The two passwords differ." } : {}),
    }),
    submit: async ({ currentPassword, newPassword }) => {
      await changePassword({ ...(hasPassword() ? { currentPassword } : {}), newPassword });
      form.reset(empty);
      await loadMe();
      toast("Your password was changed; other sessions were logged out.");
    },
  });
  return (
    <Card title="Password" lead="A change logs out all your other sessions.">
      <Form
        form={form}
        start
        actions={
          <Button kind="primary" type="submit" busy={form.busy()} disabled={!form.dirty()}>
            Change password
          </Button>
        }
      >
        <Show when={hasPassword()}>
          <TextField
            label="Current password"
            type="password"
            autocomplete="current-password"
            {...form.field("currentPassword")}
          />
        </Show>
        <div class="grid-fields">
          <TextField
            label="New password"
            type="password"
            autocomplete="new-password"
            hint="At least 10 characters."
            {...form.field("newPassword")}
          />
          <TextField
            label="New password, once more"
            type="password"
            autocomplete="new-password"
            {...form.field("repeated")}
          />
        </div>
      </Form>
    </Card>
  );
}

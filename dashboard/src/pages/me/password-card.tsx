// Changing the own password.

import { Show, type JSX } from "solid-js";
import { changePassword } from "../../api/changes.ts";
import { loadMe, me } from "../../api/session.ts";
import { createForm, Form } from "../../ui/form.tsx";
import { Card } from "../../ui/page.tsx";
import { toast } from "../../ui/toast.tsx";
import { checkNewPassword, CurrentPassword, NewPassword } from "../password-fields.tsx";

export function PasswordCard(): JSX.Element {
  const hasPassword = () => me()?.account.hasPassword ?? true;
  const empty = { currentPassword: "", newPassword: "", repeated: "" };
  const form = createForm({
    initial: empty,
    codes: { bad_credentials: "currentPassword" },
    check: (values) => ({
      ...(hasPassword() && values.currentPassword === "" ? { currentPassword: "Enter your current password." } : {}),
      ...checkNewPassword(values.newPassword, values.repeated),
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
      <Form form={form} action="Change password">
        <Show when={hasPassword()}>
          <CurrentPassword {...form.field("currentPassword")} />
        </Show>
        <NewPassword {...form.field("newPassword")} />
        <NewPassword label="New password, once more" {...form.field("repeated")} hint="" />
      </Form>
    </Card>
  );
}

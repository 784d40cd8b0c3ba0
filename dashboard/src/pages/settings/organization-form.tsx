// Name and second factor of an organization, for its own admins and for system admins.

import type { JSX } from "solid-js";
import { me } from "../../api/session.ts";
import { CheckBox } from "../../ui/choice.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { toast } from "../../ui/toast.tsx";

export interface OrganizationSettings {
  name: string;
  requireTotp: boolean;
}

export function OrganizationForm(props: {
  settings: OrganizationSettings;
  /** Sends what was changed here: what somebody else has set meanwhile stays. */
  save: (changed: Partial<OrganizationSettings>) => Promise<unknown>;
}): JSX.Element {
  const form = createForm({
    initial: (): OrganizationSettings => ({ name: props.settings.name, requireTotp: props.settings.requireTotp }),
    check: (values) => (values.name.trim() === "" ? { name: "Give it a name." } : {}),
    ask: ({ requireTotp }) =>
      requireTotp && !props.settings.requireTotp
        ? {
            title: "Require two-factor authentication?",
            consequence: `Members without it can do nothing in the dashboard until they have enrolled, from their next click on${
              me()?.account.isAdmin || me()?.account.totpEnabled ? "" : "; you are one of them and begin at once"
            }. Tunnels stay open.`,
            action: "Require it",
          }
        : null,
    submit: async (_, { name, ...changed }) => {
      // Before saving: what was saved comes back as the settings, often before the answer.
      const hadName = props.settings.name;
      await props.save({ ...changed, ...(name === undefined ? {} : { name: name.trim() }) });
      toast(name === undefined || name.trim() === hadName ? "Saved." : `Saved: it is called ${name.trim()} now.`);
    },
  });
  return (
    <Form form={form} action="Save">
      <TextField label="Name" {...form.field("name")} />
      <CheckBox
        label="Require two-factor authentication"
        hint="Members without it must enrol before they can do anything else."
        checked={form.values.requireTotp}
        onChecked={(checked) => form.set("requireTotp", checked)}
      />
    </Form>
  );
}

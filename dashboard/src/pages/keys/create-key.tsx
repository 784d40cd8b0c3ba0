// A new API key; the key itself is shown once.

import { createSignal, Show, type JSX } from "solid-js";
import { createKey } from "../../api/changes.ts";
import { isAdmin } from "../../api/session.ts";
import type { ApiKey } from "../../api/types.ts";
import { ChoiceCards } from "../../ui/choice.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { createForm } from "../../ui/form.tsx";
import { FormDialog } from "../../ui/form-dialog.tsx";
import { OrganizationField } from "../organization-field.tsx";
import { PickerField } from "../picker-field.tsx";

const lifetimes = [
  { value: "", label: "Never expires" },
  { value: "7", label: "7 days" },
  { value: "30", label: "30 days" },
  { value: "90", label: "90 days" },
  { value: "365", label: "1 year" },
];

export function CreateKey(props: { orgId?: string; appId?: string; onClose: () => void }): JSX.Element {
  const [rawKey, setRawKey] = createSignal<string | null>(null);
  const pickOrg = () => isAdmin() && props.orgId === undefined;
  const form = createForm({
    initial: {
      description: "",
      scope: "tunnel" as ApiKey["scope"],
      expiresIn: "90",
      orgId: props.orgId ?? "",
      appId: props.appId ?? "",
    },
    check: (values) => ({
      ...(values.description.trim() === ""
        ? { description: "Say what the key is for; you will want to know later." }
        : {}),
      ...(pickOrg() && values.orgId === "" ? { orgId: "Choose the organization that the key belongs to." } : {}),
    }),
    submit: async ({ description, scope, expiresIn, orgId, appId }) => {
      const answer = await createKey({
        description: description.trim(),
        scope,
        ...(expiresIn === "" ? {} : { expiresIn: Number(expiresIn) }),
        ...(isAdmin() && orgId !== "" ? { orgId } : {}),
        ...(appId === "" ? {} : { appId }),
      });
      setRawKey(answer.rawKey);
    },
  });
  return (
    <FormDialog
      title="New API key"
      made={{ secret: rawKey(), what: "API key", title: "The key was made" }}
      form={form}
      action="Create key"
      onClose={props.onClose}
    >
      <TextField
        label="Description"
        placeholder="CI pipeline, staging server, …"
        {...form.field("description")}
        data-autofocus=""
      />
      <ChoiceCards
        legend="What it may do"
        {...form.field("scope")}
        options={[
          { value: "tunnel", label: "Open tunnels", hint: "For an agent." },
          { value: "visitor", label: "Visit", hint: "Passes an API key policy." },
          { value: "both", label: "Both", hint: "Only when one machine does both." },
        ]}
      />
      <Show when={pickOrg()}>
        <OrganizationField
          {...form.field("orgId")}
          none="Choose…"
          onValue={(value) => {
            form.set("orgId", value);
            form.set("appId", "");
          }}
        />
      </Show>
      <div class="grid-fields">
        <Show when={props.appId === undefined}>
          <PickerField
            kind="applications"
            label="Application"
            hint="A bound key opens no other application."
            none="All of the organization"
            org={isAdmin() ? form.values.orgId : undefined}
            disabled={isAdmin() && form.values.orgId === ""}
            {...form.field("appId")}
          />
        </Show>
        <SelectField label="Lifetime" {...form.field("expiresIn")} options={lifetimes} />
      </div>
    </FormDialog>
  );
}

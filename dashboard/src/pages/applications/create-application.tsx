// A new application: its name for people and its name in the address.

import { useNavigate } from "@solidjs/router";
import { Show, type JSX } from "solid-js";
import { createApplication } from "../../api/changes.ts";
import { baseDomain, isAdmin } from "../../api/session.ts";
import { TextField } from "../../ui/field.tsx";
import { createForm } from "../../ui/form.tsx";
import { FormDialog } from "../../ui/form-dialog.tsx";
import { OrganizationField } from "../organization-field.tsx";
import { toast } from "../../ui/toast.tsx";

const namePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** "My Shop" -> "my-shop". */
function toSubdomain(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .slice(0, 63)
    .replace(/^-+|-+$/g, "");
}

export function CreateApplication(props: { orgId?: string; onClose: () => void }): JSX.Element {
  const navigate = useNavigate();
  const pickOrg = () => isAdmin() && props.orgId === undefined;
  let typedSubdomain = false;
  const form = createForm({
    initial: { name: "", subdomain: "", orgId: props.orgId ?? "" },
    check: (values) => ({
      ...(values.name.trim() === "" ? { name: "Give it a name." } : {}),
      ...(namePattern.test(values.subdomain.trim())
        ? {}
        : { subdomain: "Use a to z, 0 to 9, and hyphens between them; at most 63." }),
      ...(pickOrg() && values.orgId === "" ? { orgId: "Choose the organization that owns it." } : {}),
    }),
    submit: async ({ name, subdomain, orgId }) => {
      const { application } = await createApplication({
        name: name.trim(),
        subdomain: subdomain.trim(),
        ...(isAdmin() ? { orgId } : {}),
      });
      toast(`${application.name} was created.`);
      props.onClose();
      navigate(`/dashboard/applications/${application.id}`);
    },
  });
  return (
    <FormDialog title="New application" form={form} action="Create application" onClose={props.onClose}>
      <TextField
        label="Name"
        placeholder="My Shop"
        value={form.values.name}
        onValue={(value) => {
          form.set("name", value);
          if (!typedSubdomain) form.set("subdomain", toSubdomain(value));
        }}
        error={form.error("name")}
        data-autofocus=""
      />
      <TextField
        label="Subdomain"
        mono
        suffix={`.${baseDomain()}`}
        value={form.values.subdomain}
        onValue={(value) => {
          typedSubdomain = true;
          form.set("subdomain", value.toLowerCase());
        }}
        error={form.error("subdomain")}
      />
      <Show when={pickOrg()}>
        <OrganizationField {...form.field("orgId")} none="Choose…" />
      </Show>
    </FormDialog>
  );
}

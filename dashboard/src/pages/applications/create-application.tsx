// A new application: its name for people and its name in the address.

import { useNavigate } from "@solidjs/router";
import { useQuery } from "@tanstack/solid-query";
import { Show, type JSX } from "solid-js";
import { createApplication } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { toast } from "../../ui/toast.tsx";

const namePattern = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/;

/** "My Shop" -> "my-shop". */
function toSubdomain(name: string): string {
  return name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, "-")
    .replace(/^-+|-+$/g, "")
    .slice(0, 63);
}

export function CreateApplication(props: { orgId?: string; onClose: () => void }): JSX.Element {
  const navigate = useNavigate();
  const pickOrg = () => isAdmin() && props.orgId === undefined;
  const organizations = useQuery(() => ({ ...resources.organizations({ limit: 200 }), enabled: pickOrg() }));
  let typedSubdomain = false;
  const form = createForm({
    initial: { name: "", subdomain: "", orgId: props.orgId ?? "" },
    check: (values) => ({
      ...(values.name.trim() === "" ? { name: "Give it a name." } : {}),
      ...(namePattern.test(values.subdomain) ? {} : { subdomain: "1 to 63 of a-z, 0-9 and -, not at an edge." }),
      ...(pickOrg() && values.orgId === "" ? { orgId: "Choose the organization that owns it." } : {}),
    }),
    submit: async ({ name, subdomain, orgId }) => {
      const { application } = await createApplication({
        name: name.trim(),
        subdomain,
        ...(isAdmin() ? { orgId } : {}),
      });
      toast(`${application.name} was created.`);
      props.onClose();
      navigate(`/dashboard/applications/${application.id}`);
    },
  });
  return (
    <Dialog title="New application" onClose={props.onClose}>
      <Form
        form={form}
        actions={
          <>
            <Button onClick={props.onClose}>Cancel</Button>
            <Button kind="primary" type="submit" busy={form.busy()}>
              Create application
            </Button>
          </>
        }
      >
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
          suffix={`.${location.hostname}`}
          value={form.values.subdomain}
          onValue={(value) => {
            typedSubdomain = true;
            form.set("subdomain", value.toLowerCase());
          }}
          error={form.error("subdomain")}
        />
        <Show when={pickOrg()}>
          <SelectField
            label="Organization"
            value={form.values.orgId}
            onValue={(value) => form.set("orgId", value)}
            error={form.error("orgId")}
            options={[
              { value: "", label: "Choose…" },
              ...(organizations.isPending ? [] : (organizations.data?.items ?? [])).map((one) => ({
                value: one.id,
                label: one.name,
              })),
            ]}
          />
        </Show>
      </Form>
    </Dialog>
  );
}

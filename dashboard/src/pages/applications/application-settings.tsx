// Renaming and deleting an application.

import { useNavigate } from "@solidjs/router";
import type { Accessor, JSX } from "solid-js";
import { deleteApplication, updateApplication } from "../../api/changes.ts";
import { baseDomain } from "../../api/session.ts";
import type { Application } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { leaveGone } from "../../ui/guard.ts";
import { Card, DangerRow } from "../../ui/page.tsx";
import { toast } from "../../ui/toast.tsx";

export function ApplicationSettings(props: { application: Accessor<Application> }): JSX.Element {
  const navigate = useNavigate();
  const application = props.application;
  const form = createForm({
    initial: () => ({ name: application().name, subdomain: application().subdomain }),
    check: (values) => ({
      ...(values.name.trim() === "" ? { name: "Give it a name." } : {}),
      ...(values.subdomain.trim() === "" ? { subdomain: "Give it a subdomain." } : {}),
    }),
    ask: (_, { subdomain }) => {
      const { name, subdomain: old, activeTunnelCount } = application();
      if (subdomain === undefined || subdomain.trim() === old) return null;
      return {
        title: `Move ${name} to ${subdomain.trim()}?`,
        consequence: `${application().url} stops working at once and ${old} becomes free for anybody. ${
          activeTunnelCount > 0 ? "Its live tunnel is closed now; agents" : "Agents"
        } must ask for the new name.`,
        action: "Change the subdomain",
      };
    },
    submit: async (_, { name, subdomain }) => {
      await updateApplication(application().id, {
        ...(name === undefined ? {} : { name: name.trim() }),
        ...(subdomain === undefined || subdomain.trim() === application().subdomain
          ? {}
          : { subdomain: subdomain.trim() }),
      });
      toast("Saved.");
    },
  });
  const askDelete = () =>
    confirm({
      title: `Delete ${application().name}?`,
      consequence: `Its tunnels close at once, its policy, limiter, keys and whitelist are deleted, and ${application().subdomain} becomes free for anybody. This can't be undone.`,
      action: "Delete application",
      typeName: application().subdomain,
      done: `${application().name} was deleted.`,
      run: () => deleteApplication(application().id),
      after: () => leaveGone(() => navigate("/dashboard/applications")),
    });
  return (
    <>
      <Card title="Names">
        <Form form={form} action="Save">
          <TextField label="Name" {...form.field("name")} />
          <TextField
            label="Subdomain"
            mono
            suffix={`.${baseDomain()}`}
            hint="A new subdomain closes the live tunnel: agents must ask for the new name, and old links stop working."
            value={form.values.subdomain}
            onValue={(value) => form.set("subdomain", value.toLowerCase())}
            error={form.error("subdomain")}
          />
        </Form>
      </Card>
      <Card title="Danger zone" danger>
        <DangerRow title="Delete this application" text="Closes its tunnels and frees its name.">
          <Button kind="danger" onClick={askDelete}>
            Delete…
          </Button>
        </DangerRow>
      </Card>
    </>
  );
}

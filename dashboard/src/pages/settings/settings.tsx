// Settings of the caller's own organization.

import { useQuery } from "@tanstack/solid-query";
import type { JSX } from "solid-js";
import { saveSettings } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { loadMe } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { CheckBox } from "../../ui/choice.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form, guardUnsaved } from "../../ui/form.tsx";
import { Load } from "../../ui/load.tsx";
import { Card, Page } from "../../ui/page.tsx";
import { toast } from "../../ui/toast.tsx";

export default function OrgSettings(): JSX.Element {
  const query = useQuery(() => ({ ...resources.orgSettings(), refetchOnWindowFocus: false }));
  return (
    <Page title="Settings" narrow>
      <Card title="Organization">
        <Load query={query}>{(settings) => <SettingsForm settings={settings()} />}</Load>
      </Card>
    </Page>
  );
}

function SettingsForm(props: { settings: { name: string; requireTotp: boolean } }): JSX.Element {
  const form = createForm({
    initial: { name: props.settings.name, requireTotp: props.settings.requireTotp },
    check: (values) => (values.name.trim() === "" ? { name: "Give it a name." } : {}),
    submit: async ({ name, requireTotp }) => {
      await saveSettings({ name: name.trim(), requireTotp });
      await loadMe();
      toast("Saved.");
    },
  });
  guardUnsaved(form.dirty);
  return (
    <Form
      form={form}
      start
      actions={
        <Button kind="primary" type="submit" busy={form.busy()} disabled={!form.dirty()}>
          Save
        </Button>
      }
    >
      <TextField label="Name" {...form.field("name")} />
      <CheckBox
        label="Require two-factor authentication"
        hint="Members without it must enrol at their next log-in before they can do anything else."
        checked={form.values.requireTotp}
        onChecked={(checked) => form.set("requireTotp", checked)}
      />
    </Form>
  );
}

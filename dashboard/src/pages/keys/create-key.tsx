// A new API key; the key itself is shown once.

import { useQuery } from "@tanstack/solid-query";
import { createSignal, Show, type JSX } from "solid-js";
import { createKey } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import type { ApiKey } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { ChoiceCards } from "../../ui/choice.tsx";
import { SecretOnce } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";

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
  const organizations = useQuery(() => ({ ...resources.organizations({ limit: 200 }), enabled: pickOrg() }));
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
  const applications = useQuery(() => ({
    ...resources.applications({ limit: 200, org: isAdmin() ? form.values.orgId : undefined }),
    enabled: props.appId === undefined && (!isAdmin() || form.values.orgId !== ""),
  }));
  return (
    <Dialog
      title={rawKey() === null ? "New API key" : "The key was made"}
      locked={rawKey() !== null}
      onClose={props.onClose}
    >
      <Show
        when={rawKey()}
        fallback={
          <Form
            form={form}
            actions={
              <>
                <Button onClick={props.onClose}>Cancel</Button>
                <Button kind="primary" type="submit" busy={form.busy()}>
                  Create key
                </Button>
              </>
            }
          >
            <TextField
              label="Description"
              placeholder="CI pipeline, staging server, …"
              value={form.values.description}
              onValue={(value) => form.set("description", value)}
              error={form.error("description")}
              data-autofocus=""
            />
            <ChoiceCards
              legend="What it may do"
              value={form.values.scope}
              onValue={(scope) => form.set("scope", scope)}
              error={form.error("scope")}
              options={[
                { value: "tunnel", label: "Open tunnels", hint: "For an agent." },
                { value: "visitor", label: "Visit", hint: "Passes an API key policy." },
                { value: "both", label: "Both", hint: "Only when one machine does both." },
              ]}
            />
            <Show when={pickOrg()}>
              <SelectField
                label="Organization"
                value={form.values.orgId}
                onValue={(value) => {
                  form.set("orgId", value);
                  form.set("appId", "");
                }}
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
            <div class="grid-fields">
              <Show when={props.appId === undefined}>
                <SelectField
                  label="Application"
                  hint="A bound key opens no other application."
                  value={form.values.appId}
                  onValue={(value) => form.set("appId", value)}
                  error={form.error("appId")}
                  options={[
                    { value: "", label: "All of the organization" },
                    ...(applications.isPending ? [] : (applications.data?.items ?? [])).map((one) => ({
                      value: one.id,
                      label: one.subdomain,
                    })),
                  ]}
                />
              </Show>
              <SelectField
                label="Lifetime"
                value={form.values.expiresIn}
                onValue={(value) => form.set("expiresIn", value)}
                options={lifetimes}
                error={form.error("expiresIn")}
              />
            </div>
          </Form>
        }
      >
        {(secret) => (
          <>
            <SecretOnce secret={secret()} what="API key" />
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

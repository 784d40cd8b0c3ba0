// A new account; its API token is shown once, right here.

import { useQuery } from "@tanstack/solid-query";
import { createSignal, Show, type JSX } from "solid-js";
import { createAccount } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import { Button } from "../../ui/button.tsx";
import { ChoiceCards } from "../../ui/choice.tsx";
import { Command, SecretOnce } from "../../ui/copy.tsx";
import { Dialog } from "../../ui/dialog.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";

type Role = "member" | "orgAdmin" | "admin";

/** `orgId` fixes the organization (its page, or the organization portal). */
export function CreateAccount(props: { orgId?: string; onClose: () => void }): JSX.Element {
  const [token, setToken] = createSignal<string | null>(null);
  const free = () => isAdmin() && props.orgId === undefined;
  const organizations = useQuery(() => ({ ...resources.organizations({ limit: 200 }), enabled: free() }));
  const form = createForm({
    initial: { username: "", password: "", orgId: props.orgId ?? "", role: "member" as Role },
    check: (values) => ({
      ...(values.username.trim() === "" ? { username: "Choose a username." } : {}),
      ...(values.password !== "" && values.password.length < 10 ? { password: "At least 10 characters." } : {}),
      ...(values.role === "orgAdmin" && free() && values.orgId === ""
        ? { orgId: "An organization admin needs an organization." }
        : {}),
    }),
    submit: async ({ username, password, orgId, role }) => {
      const answer = await createAccount({
        username: username.trim(),
        ...(password === "" ? {} : { password }),
        ...(role === "admin" ? { isAdmin: true } : {}),
        ...(role === "orgAdmin" ? { isOrgAdmin: true } : {}),
        ...(isAdmin() && orgId !== "" && role !== "admin" ? { orgId } : {}),
      });
      setToken(answer.token);
    },
  });
  const roles = () => [
    { value: "member" as const, label: "Member", hint: "Opens tunnels, sees the organization." },
    { value: "orgAdmin" as const, label: "Organization admin", hint: "Manages everything of one organization." },
    ...(free()
      ? [{ value: "admin" as const, label: "System admin", hint: "Manages this whole server; needs 2FA." }]
      : []),
  ];
  return (
    <Dialog
      title={token() === null ? "New account" : `${form.values.username} was created`}
      locked={token() !== null}
      onClose={props.onClose}
    >
      <Show
        when={token()}
        fallback={
          <Form
            form={form}
            actions={
              <>
                <Button onClick={props.onClose}>Cancel</Button>
                <Button kind="primary" type="submit" busy={form.busy()}>
                  Create account
                </Button>
              </>
            }
          >
            <TextField
              label="Username"
              value={form.values.username}
              onValue={(value) => form.set("username", value)}
              error={form.error("username")}
              data-autofocus=""
            />
            <ChoiceCards
              legend="Role"
              options={roles()}
              value={form.values.role}
              onValue={(role) => form.set("role", role)}
              error={form.error("role")}
            />
            <Show when={free() && form.values.role !== "admin"}>
              <SelectField
                label="Organization"
                value={form.values.orgId}
                onValue={(value) => form.set("orgId", value)}
                error={form.error("orgId")}
                options={[
                  { value: "", label: "None" },
                  ...(organizations.isPending ? [] : (organizations.data?.items ?? [])).map((one) => ({
                    value: one.id,
                    label: one.name,
                  })),
                ]}
              />
            </Show>
            <TextField
              label="Password"
              optional
              type="password"
              autocomplete="new-password"
              hint="Without one the account can open tunnels, but not log in here."
              value={form.values.password}
              onValue={(value) => form.set("password", value)}
              error={form.error("password")}
            />
          </Form>
        }
      >
        {(secret) => (
          <>
            <SecretOnce secret={secret()} what="API token" />
            <p>The account's owner connects with it like this:</p>
            <Command text={`digit-link login --server ${location.origin}`} />
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

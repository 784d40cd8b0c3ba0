// A new account; its API token is shown once, right here.

import { createSignal, Show, type JSX } from "solid-js";
import { createAccount } from "../../api/changes.ts";
import { isAdmin, serverUrl } from "../../api/session.ts";
import { ChoiceCards } from "../../ui/choice.tsx";
import { Command } from "../../ui/copy.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm } from "../../ui/form.tsx";
import { FormDialog } from "../../ui/form-dialog.tsx";
import { checkNewPassword, NewPassword } from "../password-fields.tsx";
import { OrganizationField } from "../organization-field.tsx";

type Role = "member" | "orgAdmin" | "admin";

/** `orgId` fixes the organization (its page, or the organization portal). */
export function CreateAccount(props: { orgId?: string; onClose: () => void }): JSX.Element {
  const [token, setToken] = createSignal<string | null>(null);
  const free = () => isAdmin() && props.orgId === undefined;
  const form = createForm({
    initial: { username: "", email: "", password: "", orgId: props.orgId ?? "", role: "member" as Role },
    check: (values) => ({
      ...(values.username.trim() === "" ? { username: "Choose a username." } : {}),
      ...(values.password === "" ? {} : checkNewPassword(values.password, values.password, "password")),
      ...(values.role === "orgAdmin" && free() && values.orgId === ""
        ? { orgId: "An organization admin needs an organization." }
        : {}),
    }),
    submit: async ({ username, email, password, orgId, role }) => {
      const answer = await createAccount({
        username: username.trim(),
        ...(isAdmin() && email.trim() !== "" ? { email: email.trim() } : {}),
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
    <FormDialog
      title="New account"
      made={{
        secret: token(),
        what: "API token",
        title: `${form.values.username} was created`,
        more: (
          <>
            <p>The account's owner connects with it like this:</p>
            <Command text={`digit-link login --server ${serverUrl()}`} />
          </>
        ),
      }}
      form={form}
      action="Create account"
      onClose={props.onClose}
    >
      <TextField label="Username" {...form.field("username")} data-autofocus="" />
      <ChoiceCards legend="Role" options={roles()} {...form.field("role")} />
      <Show when={free() && form.values.role !== "admin"}>
        <OrganizationField {...form.field("orgId")} none="None" />
      </Show>
      <Show when={isAdmin()}>
        <TextField
          label="E-mail"
          optional
          type="email"
          hint="Whoever proves it at a sign-in provider is this account."
          {...form.field("email")}
        />
      </Show>
      <NewPassword
        label="Password"
        optional
        hint="At least 10 characters. Without one the account can open tunnels, but not log in here."
        {...form.field("password")}
      />
    </FormDialog>
  );
}

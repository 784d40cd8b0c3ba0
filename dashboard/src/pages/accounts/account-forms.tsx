// The small forms of an account's page.

import { useQuery } from "@tanstack/solid-query";
import { Show, type JSX } from "solid-js";
import * as changes from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin } from "../../api/session.ts";
import type { Account } from "../../api/types.ts";
import { Button } from "../../ui/button.tsx";
import { CheckBox } from "../../ui/choice.tsx";
import { SelectField, TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { toast } from "../../ui/toast.tsx";

export function RenameForm(props: { account: Account }): JSX.Element {
  const form = createForm({
    initial: { username: props.account.username },
    check: (values) => (values.username.trim() === "" ? { username: "Enter a username." } : {}),
    submit: async ({ username }) => {
      await changes.renameAccount(props.account.id, username.trim());
      toast(`Renamed to ${username.trim()}.`);
    },
  });
  return (
    <Form
      form={form}
      actions={
        <Button type="submit" busy={form.busy()} disabled={!form.dirty()}>
          Rename
        </Button>
      }
    >
      <TextField label="Username" {...form.field("username")} />
    </Form>
  );
}

/** System admins only. */
export function EmailForm(props: { account: Account }): JSX.Element {
  const form = createForm({
    initial: { email: props.account.email ?? "" },
    submit: async ({ email }) => {
      const address = email.trim() === "" ? null : email.trim();
      await changes.setAccountEmail(props.account.id, address);
      toast(address === null ? "The e-mail was removed." : "The e-mail was set.");
    },
  });
  return (
    <Form
      form={form}
      actions={
        <Button type="submit" busy={form.busy()} disabled={!form.dirty()}>
          Set e-mail
        </Button>
      }
    >
      <TextField
        label="E-mail"
        optional
        type="email"
        hint={
          props.account.isAdmin
            ? "System admins link a sign-in provider themselves; an address alone does not let them in."
            : "Whoever proves it at a sign-in provider is this account. A change logs the account out everywhere."
        }
        {...form.field("email")}
      />
    </Form>
  );
}

export function PasswordForm(props: { account: Account }): JSX.Element {
  const form = createForm({
    initial: { password: "" },
    check: (values) => (values.password.length < 10 ? { password: "At least 10 characters." } : {}),
    submit: async ({ password }) => {
      await changes.setAccountPassword(props.account.id, password);
      toast(`The password of ${props.account.username} was set.`);
      form.reset({ password: "" });
    },
  });
  return (
    <Form
      form={form}
      actions={
        <Button type="submit" busy={form.busy()} disabled={!form.dirty()}>
          Set password
        </Button>
      }
    >
      <TextField
        label="New password"
        type="password"
        autocomplete="new-password"
        hint="Logs the account out everywhere."
        {...form.field("password")}
      />
    </Form>
  );
}

/** Organization (system admins only) and whether it administrates it. */
export function MoveForm(props: { account: Account }): JSX.Element {
  const organizations = useQuery(() => ({ ...resources.organizations({ limit: 200 }), enabled: isAdmin() }));
  const form = createForm({
    initial: { orgId: props.account.orgId ?? "", isOrgAdmin: props.account.isOrgAdmin },
    submit: async ({ orgId, isOrgAdmin }) => {
      const { account } = props;
      const target = orgId === "" ? null : orgId;
      if (target !== account.orgId) await changes.moveAccount(account.id, target);
      if (isOrgAdmin !== account.isOrgAdmin && target !== null) await changes.setOrgAdmin(account.id, isOrgAdmin);
      toast("Saved.");
    },
  });
  const options = () => {
    const all = organizations.isPending
      ? []
      : (organizations.data?.items ?? []).map((one) => ({ value: one.id, label: one.name }));
    const own = { value: props.account.orgId ?? "", label: props.account.orgName ?? "None" };
    return [
      { value: "", label: "None" },
      ...(own.value === "" || all.some((one) => one.value === own.value) ? all : [own, ...all]),
    ];
  };
  return (
    <Show when={!props.account.isAdmin} fallback={<p class="muted">A system admin is in no organization.</p>}>
      <Form
        form={form}
        actions={
          <Button type="submit" busy={form.busy()} disabled={!form.dirty()}>
            Save
          </Button>
        }
      >
        <Show when={isAdmin()}>
          <SelectField label="Organization" {...form.field("orgId")} options={options()} />
        </Show>
        <CheckBox
          label="Organization admin"
          hint="Manages members, applications, policies, keys and whitelists of the organization."
          checked={form.values.isOrgAdmin}
          disabled={form.values.orgId === ""}
          onChecked={(checked) => form.set("isOrgAdmin", checked)}
        />
      </Form>
    </Show>
  );
}

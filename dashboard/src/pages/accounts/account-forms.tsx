// The small forms of an account's page. Each says what a change does to whoever is logged in, and asks before it.

import { Show, type JSX } from "solid-js";
import * as changes from "../../api/changes.ts";
import { isAdmin, me } from "../../api/session.ts";
import type { Account } from "../../api/types.ts";
import { CheckBox } from "../../ui/choice.tsx";
import type { Agreement } from "../../ui/confirm.tsx";
import { TextField } from "../../ui/field.tsx";
import { createForm, Form } from "../../ui/form.tsx";
import { toast } from "../../ui/toast.tsx";
import { OrganizationField } from "../organization-field.tsx";
import { checkNewPassword, NewPassword } from "../password-fields.tsx";

const isSelf = (account: Account) => account.id === me()?.account.id;

export function RenameForm(props: { account: Account }): JSX.Element {
  const form = createForm({
    initial: () => ({ username: props.account.username }),
    check: (values) => (values.username.trim() === "" ? { username: "Enter a username." } : {}),
    submit: async ({ username }) => {
      await changes.renameAccount(props.account.id, username.trim());
      toast(`Renamed to ${username.trim()}.`);
    },
  });
  return (
    <Form form={form} action="Rename" kind="default">
      <TextField
        label="Username"
        hint="The next log-in takes the new name; sessions, token and tunnels stay."
        {...form.field("username")}
      />
    </Form>
  );
}

/** System admins only. */
export function EmailForm(props: { account: Account }): JSX.Element {
  const addressOf = (email: string) => (email.trim() === "" ? null : email.trim());
  const form = createForm({
    initial: () => ({ email: props.account.email ?? "" }),
    ask: ({ email }) => {
      const { username, email: old } = props.account;
      const address = addressOf(email);
      const opens = props.account.isAdmin
        ? "A system admin links a sign-in provider by hand; the address alone opens nothing."
        : `Whoever proves ${address ?? "it"} at a sign-in provider is ${username} from now on.`;
      return {
        title: address === null ? `Remove the e-mail of ${username}?` : `Set the e-mail of ${username}?`,
        consequence: `${username} is logged out everywhere. ${address === null ? `${old ?? "It"} opens this account no more.` : opens}`,
        action: address === null ? "Remove the e-mail" : "Set the e-mail",
      };
    },
    submit: async ({ email }) => {
      const address = addressOf(email);
      await changes.setAccountEmail(props.account.id, address);
      toast(address === null ? "The e-mail was removed." : "The e-mail was set.");
    },
  });
  return (
    <Form form={form} action="Set e-mail" kind="default">
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

/** For one's own password there is the page of one's own account, which asks for the present one. */
export function PasswordForm(props: { account: Account }): JSX.Element {
  const form = createForm({
    initial: { password: "" },
    check: ({ password }) => checkNewPassword(password, password, "password"),
    ask: () => ({
      title: `Set the password of ${props.account.username}?`,
      consequence: `${
        props.account.hasPassword ? "The present password stops working" : "The account can log in here from now on"
      }, and it is logged out everywhere. Its token and tunnels stay.`,
      action: "Set the password",
    }),
    submit: async ({ password }) => {
      await changes.setAccountPassword(props.account.id, password);
      toast(`The password of ${props.account.username} was set.`);
      form.reset({ password: "" });
    },
  });
  return (
    <Show
      when={!isSelf(props.account)}
      fallback={
        <p class="muted">
          Your own password is changed on <a href="/dashboard/me">your account's page</a>.
        </p>
      }
    >
      <Form form={form} action="Set password" kind="default">
        <NewPassword hint="At least 10 characters. Logs the account out everywhere." {...form.field("password")} />
      </Form>
    </Show>
  );
}

/** Organization (system admins only) and whether it administrates it. */
export function MoveForm(props: { account: Account }): JSX.Element {
  let place = props.account.orgName ?? "None";
  /** Where it was when somebody consented to the change. */
  let basedOn = props.account.orgId;
  const form = createForm({
    initial: () => ({ orgId: props.account.orgId ?? "", isOrgAdmin: props.account.isOrgAdmin }),
    ask: (values): Agreement | null => {
      basedOn = props.account.orgId;
      return placeQuestion(props.account, { ...values, place });
    },
    submit: async ({ orgId, isOrgAdmin }) => {
      const { account } = props;
      const target = orgId === "" ? null : orgId;
      const moves = target !== basedOn;
      // Whoever moves starts as a member there.
      const wasOrgAdmin = !moves && account.isOrgAdmin;
      if (moves) await changes.moveAccount(account.id, { orgId: target, basedOn });
      if (isOrgAdmin !== wasOrgAdmin && target !== null)
        await changes.setOrgAdmin(account.id, { isOrgAdmin, basedOn: target });
      form.reset({ orgId, isOrgAdmin: isOrgAdmin && target !== null });
      toast(moves ? `${account.username} was moved.` : `The role of ${account.username} was changed.`);
    },
  });
  /** A role that it has where it is goes no further by itself: it may have been taken from it meanwhile. */
  const choosePlace = (orgId: string) => {
    form.set("orgId", orgId);
    if (props.account.isOrgAdmin) form.set("isOrgAdmin", orgId === props.account.orgId);
  };
  return (
    <Show when={!props.account.isAdmin} fallback={<p class="muted">A system admin is in no organization.</p>}>
      <Form form={form} action="Save" kind="default">
        <Show when={isAdmin()}>
          <OrganizationField
            {...form.field("orgId")}
            onValue={choosePlace}
            none="None"
            onNamed={(name) => (place = name)}
          />
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

/** What a new place or role does; null when both stay as they are. */
function placeQuestion(account: Account, to: { orgId: string; place: string; isOrgAdmin: boolean }): Agreement | null {
  const { username } = account;
  const becomes = to.isOrgAdmin && to.orgId !== "" ? "an admin" : "a member";
  if (to.orgId !== (account.orgId ?? "")) {
    const lost = account.orgName === null ? "" : ` It sees nothing of ${account.orgName} any more.`;
    return {
      title: to.orgId === "" ? `Take ${username} out of ${account.orgName}?` : `Move ${username} to ${to.place}?`,
      consequence: `It is logged out everywhere and its tunnels are closed at once.${lost}${
        to.orgId === ""
          ? " Tunnels that it opens later are under no organization's policy: open to the world."
          : ` In ${to.place} it is ${becomes}.`
      }`,
      action: "Move the account",
    };
  }
  if (to.isOrgAdmin === account.isOrgAdmin) return null;
  const own = isSelf(account) ? " This is your own account." : "";
  return to.isOrgAdmin
    ? {
        title: `Make ${username} an admin of ${account.orgName}?`,
        consequence: `It may then change everything of the organization: members, applications, policies, keys and whitelists. It is logged out and has to log in again.${own}`,
        action: "Make it an admin",
      }
    : {
        title: `Make ${username} a member of ${account.orgName}?`,
        consequence: `It may then only look, and open tunnels. It is logged out and has to log in again; its tunnels stay open.${own}`,
        action: "Make it a member",
      };
}

// One account: facts, what can be changed, its own whitelist, and what ends it.

import { useNavigate, useParams } from "@solidjs/router";
import { createSignal, Show, type Accessor, type JSX } from "solid-js";
import * as changes from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import { canManage, isAdmin, me } from "../../api/session.ts";
import type { Account } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Button } from "../../ui/button.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { SecretDialog } from "../../ui/form-dialog.tsx";
import { leaveGone } from "../../ui/guard.ts";
import { Load } from "../../ui/load.tsx";
import { Card, DangerRow, Fact, Page } from "../../ui/page.tsx";
import { Ago, Moment } from "../../ui/time.tsx";
import { WhitelistCard } from "../whitelists/whitelist-card.tsx";
import { AccountState, roleOf } from "./accounts-table.tsx";
import { EmailForm, MoveForm, PasswordForm, RenameForm } from "./account-forms.tsx";

export default function AccountPage(): JSX.Element {
  const params = useParams<{ id: string }>();
  const query = useQuery(() => resources.account(params.id));
  const name = () => (query.isPending ? "Account" : (query.data?.username ?? "Account"));
  return (
    <Page title={name()} crumbs={[{ href: "/dashboard/accounts", label: "Accounts" }]}>
      <Load query={query} list={{ href: "/dashboard/accounts", label: "Accounts" }}>
        {(account) => <Content account={account} />}
      </Load>
    </Page>
  );
}

function Content(props: { account: Accessor<Account> }): JSX.Element {
  const navigate = useNavigate();
  const account = props.account;
  const [token, setToken] = createSignal<string | null>(null);
  const self = () => account().id === me()?.account.id;

  const askToken = () =>
    confirm({
      title: `New API token for ${account().username}?`,
      consequence:
        "The old token stops working at once and tunnels opened with it are closed. Agents need the new one.",
      action: "Make a new token",
      run: async () => setToken((await changes.regenerateToken(account().id)).token),
    });
  const askDeactivate = () =>
    confirm({
      title: `Deactivate ${account().username}?`,
      consequence:
        "It is logged out everywhere and its tunnels are closed at once. Nothing is deleted; you can activate it again.",
      action: "Deactivate",
      done: `${account().username} was deactivated.`,
      run: () => changes.deactivateAccount(account().id),
    });
  const askDelete = () =>
    confirm({
      title: `Delete ${account().username} for good?`,
      consequence:
        "Its tunnels close, its token and whitelist go away, and the username becomes free. The audit log keeps what it did. This can't be undone.",
      action: "Delete for good",
      typeName: account().username,
      done: `${account().username} was deleted.`,
      run: () => changes.deleteAccount(account().id),
      after: () => leaveGone(() => navigate("/dashboard/accounts")),
    });
  const askTotp = () =>
    confirm({
      title: `Reset two-factor authentication of ${account().username}?`,
      consequence:
        "The authenticator and all recovery codes stop working and the account is logged out. Do this only when you know who is asking.",
      action: "Reset",
      done: "Two-factor authentication was reset.",
      run: () => changes.resetTotp(account().id),
    });

  return (
    <>
      <Card>
        <dl class="facts">
          <Fact name="State">
            <AccountState account={account()} />
          </Fact>
          <Fact name="Role">{roleOf(account())}</Fact>
          <Fact name="Organization">
            <Show when={account().orgId} fallback={<span class="muted">none</span>}>
              <Show when={isAdmin()} fallback={account().orgName}>
                <a href={`/dashboard/organizations/${account().orgId}`}>{account().orgName}</a>
              </Show>
            </Show>
          </Fact>
          <Fact name="Dashboard log-in">{account().hasPassword ? "Has a password" : "No password: token only"}</Fact>
          <Fact name="Last used">
            <Ago time={account().lastUsed} />
          </Fact>
          <Fact name="Created">
            <Moment time={account().createdAt} />
          </Fact>
        </dl>
      </Card>
      <Show when={canManage()}>
        <div class="grid-2">
          <Card title="Log-in">
            <div class="stack-loose">
              <RenameForm account={account()} />
              <PasswordForm account={account()} />
              <Show when={isAdmin()}>
                <EmailForm account={account()} />
              </Show>
            </div>
          </Card>
          <Card title="Place and role" lead="Sessions and tunnels that the new place does not permit are closed.">
            <MoveForm account={account()} />
          </Card>
        </div>
        <WhitelistCard
          path={`/accounts/${account().id}/whitelist`}
          title="Own whitelist"
          lead="Addresses from which agents with this account's token may connect, besides those of its organization and the system."
          mayChange={canManage()}
        />
        <Card title="Danger zone" danger>
          <Show when={isAdmin() || !self()}>
            <DangerRow title="New API token" text="For a lost or leaked token. The old one stops at once.">
              <Button kind="danger" onClick={askToken}>
                New token…
              </Button>
            </DangerRow>
          </Show>
          <Show when={account().totpEnabled && !self()}>
            <DangerRow title="Reset two-factor authentication" text="For a lost authenticator.">
              <Button kind="danger" onClick={askTotp}>
                Reset…
              </Button>
            </DangerRow>
          </Show>
          <Show
            when={account().active}
            fallback={
              <DangerRow title="Activate" text="Its token and password work again.">
                <Button onClick={() => confirmActivate(account())}>Activate…</Button>
              </DangerRow>
            }
          >
            <DangerRow
              title="Deactivate"
              text={self() ? "This is your own account." : "Logs it out and closes its tunnels; can be undone."}
            >
              <Button kind="danger" disabled={self()} onClick={askDeactivate}>
                Deactivate…
              </Button>
            </DangerRow>
          </Show>
          <DangerRow title="Delete for good" text="Can't be undone. The audit log stays.">
            <Button kind="danger" disabled={self()} onClick={askDelete}>
              Delete…
            </Button>
          </DangerRow>
        </Card>
      </Show>
      <Show when={token()}>
        {(secret) => (
          <SecretDialog
            title="New API token"
            secret={secret()}
            what="API token"
            report={`The new token of ${account().username} is in force; the old one has stopped.`}
            onClose={() => setToken(null)}
          />
        )}
      </Show>
    </>
  );
}

function confirmActivate(account: Account): void {
  confirm({
    title: `Activate ${account.username}?`,
    consequence: "Its token and password work again at once.",
    action: "Activate",
    harmless: true,
    done: `${account.username} is active.`,
    run: () => changes.activateAccount(account.id),
  });
}

// The own account: password, second factor, sessions, token, appearance.

import { useParams } from "@solidjs/router";
import { Match, Show, Switch, type JSX } from "solid-js";
import { isAdmin, me } from "../../api/session.ts";
import { OnlyFor } from "../../shell/not-found.tsx";
import { Card, Fact, Page, Tabs } from "../../ui/page.tsx";
import { Moment } from "../../ui/time.tsx";
import { roleOf } from "../accounts/accounts-table.tsx";
import { AppearanceCard } from "./appearance-card.tsx";
import { ProvidersCard } from "./providers-card.tsx";
import { PasswordCard } from "./password-card.tsx";
import { SessionsCard } from "./sessions-card.tsx";
import { TokenCard } from "./token-card.tsx";
import { TotpCard } from "./totp-card.tsx";

export default function MePage(): JSX.Element {
  const params = useParams<{ tab?: string }>();
  return (
    <Page title="My account" narrow>
      <Tabs
        label="Parts of my account"
        tabs={[
          { href: "/dashboard/me", label: "Security" },
          { href: "/dashboard/me/sessions", label: "Sessions" },
          ...(isAdmin() ? [] : [{ href: "/dashboard/me/token", label: "API token" }]),
          { href: "/dashboard/me/appearance", label: "Appearance" },
        ]}
      />
      <Switch>
        <Match when={params.tab === "sessions"}>
          <SessionsCard />
        </Match>
        <Match when={params.tab === "token"}>
          <Show when={!isAdmin()} fallback={<OnlyFor who="accounts that are not system admins" />}>
            <TokenCard />
          </Show>
        </Match>
        <Match when={params.tab === "appearance"}>
          <AppearanceCard />
        </Match>
        <Match when={true}>
          <Show when={me()}>
            {(self) => (
              <Card>
                <dl class="facts">
                  <Fact name="Username">{self().account.username}</Fact>
                  <Fact name="Role">{roleOf(self().account)}</Fact>
                  <Fact name="Organization">{self().organization?.name ?? <span class="muted">none</span>}</Fact>
                  <Fact name="Created">
                    <Moment time={self().account.createdAt} />
                  </Fact>
                </dl>
              </Card>
            )}
          </Show>
          <PasswordCard />
          <TotpCard />
          <ProvidersCard />
        </Match>
      </Switch>
    </Page>
  );
}

// One organization, seen by a system admin: members, applications, policy, keys, lists, settings.

import { useNavigate, useParams } from "@solidjs/router";
import { createSignal, lazy, Match, Show, Suspense, Switch, type Accessor, type JSX } from "solid-js";
import { deleteOrganization, updateOrganization } from "../../api/changes.ts";
import * as resources from "../../api/resources.ts";
import type { Organization } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { Button } from "../../ui/button.tsx";
import { confirm } from "../../ui/confirm.tsx";
import { leaveGone } from "../../ui/guard.ts";
import { Load } from "../../ui/load.tsx";
import { Card, DangerRow, Page, Tabs } from "../../ui/page.tsx";
import { AccountsTable } from "../accounts/accounts-table.tsx";
import { CreateAccount } from "../accounts/create-account.tsx";
import { ApplicationsTable } from "../applications/applications-table.tsx";
import { CreateApplication } from "../applications/create-application.tsx";
import { Limits } from "../limits/limits.tsx";
import { KeysPanel } from "../keys/keys-panel.tsx";
import { OrganizationForm } from "../settings/organization-form.tsx";
import { WhitelistCard } from "../whitelists/whitelist-card.tsx";

const PolicyEditor = lazy(() => import("../policy/policy-editor.tsx"));
const TrafficCard = lazy(() => import("../overview/traffic-card.tsx"));

export default function OrganizationPage(): JSX.Element {
  const params = useParams<{ id: string; tab?: string }>();
  const query = useQuery(() => resources.organization(params.id));
  const root = () => `/dashboard/organizations/${params.id}`;
  return (
    <Page
      title={query.isPending ? "Organization" : (query.data?.name ?? "Organization")}
      crumbs={[{ href: "/dashboard/organizations", label: "Organizations" }]}
    >
      <Load query={query} list={{ href: "/dashboard/organizations", label: "Organizations" }}>
        {(organization) => (
          <>
            <Tabs
              label="Parts of the organization"
              tabs={[
                { href: root(), label: "Applications" },
                { href: `${root()}/members`, label: "Members" },
                { href: `${root()}/traffic`, label: "Traffic" },
                { href: `${root()}/policy`, label: "Visitor policy" },
                { href: `${root()}/limits`, label: "Limits" },
                { href: `${root()}/keys`, label: "API keys" },
                { href: `${root()}/whitelist`, label: "Agent whitelist" },
                { href: `${root()}/settings`, label: "Settings" },
              ]}
            />
            <Suspense>
              <Switch fallback={<ApplicationsTab organization={organization} />}>
                <Match when={params.tab === "members"}>
                  <MembersTab organization={organization} />
                </Match>
                <Match when={params.tab === "traffic"}>
                  <TrafficCard org={organization().id} />
                </Match>
                <Match when={params.tab === "policy"}>
                  <PolicyEditor owner={`/organizations/${organization().id}`} mayChange />
                </Match>
                <Match when={params.tab === "limits"}>
                  <Limits owner={`/organizations/${organization().id}`} mayChange />
                </Match>
                <Match when={params.tab === "keys"}>
                  <KeysPanel
                    orgId={organization().id}
                    title="API keys"
                    lead="Of this organization and its applications."
                  />
                </Match>
                <Match when={params.tab === "whitelist"}>
                  <WhitelistCard
                    path={`/organizations/${organization().id}/whitelist`}
                    title="Agent whitelist"
                    lead="Counts for every member and key of this organization, besides the system's list."
                    mayChange
                  />
                </Match>
                <Match when={params.tab === "settings"}>
                  <SettingsTab organization={organization} />
                </Match>
              </Switch>
            </Suspense>
          </>
        )}
      </Load>
    </Page>
  );
}

function MembersTab(props: { organization: Accessor<Organization> }): JSX.Element {
  const [creating, setCreating] = createSignal(false);
  return (
    <>
      <AccountsTable
        orgId={props.organization().id}
        actions={
          <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
            New member
          </Button>
        }
      />
      <Show when={creating()}>
        <CreateAccount orgId={props.organization().id} onClose={() => setCreating(false)} />
      </Show>
    </>
  );
}

function ApplicationsTab(props: { organization: Accessor<Organization> }): JSX.Element {
  const [creating, setCreating] = createSignal(false);
  const button = () => (
    <Button kind="primary" icon="plus" onClick={() => setCreating(true)}>
      New application
    </Button>
  );
  return (
    <>
      <ApplicationsTable orgId={props.organization().id} actions={button()} create={button()} />
      <Show when={creating()}>
        <CreateApplication orgId={props.organization().id} onClose={() => setCreating(false)} />
      </Show>
    </>
  );
}

function SettingsTab(props: { organization: Accessor<Organization> }): JSX.Element {
  const navigate = useNavigate();
  const organization = props.organization;
  const askDelete = () =>
    confirm({
      title: `Delete ${organization().name}?`,
      consequence:
        "Its policy, limiter, keys and whitelist go with it. It must have no applications and no members left. This can't be undone.",
      action: "Delete organization",
      typeName: organization().name,
      done: `${organization().name} was deleted.`,
      run: () => deleteOrganization(organization().id),
      after: () => leaveGone(() => navigate("/dashboard/organizations")),
    });
  return (
    <>
      <Card title="Settings">
        <OrganizationForm
          settings={organization()}
          save={(settings) => updateOrganization(organization().id, settings)}
        />
      </Card>
      <Card title="Danger zone" danger>
        <DangerRow title="Delete this organization" text="Only possible when no application and no member is left.">
          <Button kind="danger" onClick={askDelete}>
            Delete…
          </Button>
        </DangerRow>
      </Card>
    </>
  );
}

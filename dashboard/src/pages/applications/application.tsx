// One application: whether it works right now, who may visit, its keys, lists, limiter and settings.

import { useParams } from "@solidjs/router";
import { lazy, Match, Show, Suspense, Switch, type JSX } from "solid-js";
import { useLive } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { canManage } from "../../api/session.ts";
import type { Application } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { OnlyFor } from "../../shell/not-found.tsx";
import { LinkButton } from "../../ui/button.tsx";
import { CopyButton } from "../../ui/copy.tsx";
import { Icon } from "../../ui/icon.tsx";
import { Load } from "../../ui/load.tsx";
import { Page, Tabs } from "../../ui/page.tsx";
import { AccessBadge } from "../../ui/state.tsx";
import { KeysPanel } from "../keys/keys-panel.tsx";
import { LimiterCard } from "../limits/limiter-card.tsx";
import { WhitelistCard } from "../whitelists/whitelist-card.tsx";
import { ApplicationOverview } from "./application-overview.tsx";
import { ApplicationSettings } from "./application-settings.tsx";

const PolicyEditor = lazy(() => import("../policy/policy-editor.tsx"));

export default function ApplicationPage(): JSX.Element {
  const params = useParams<{ id: string; tab?: string }>();
  const query = useQuery(() => resources.application(params.id));
  const root = () => `/dashboard/applications/${params.id}`;
  useLive();
  const loaded = (): Application | undefined => (query.isPending ? undefined : query.data);
  return (
    <Page
      title={loaded()?.name ?? "Application"}
      crumbs={[{ href: "/dashboard/applications", label: "Applications" }]}
      aside={<Show when={loaded()}>{(application) => <AccessBadge application={application()} />}</Show>}
      lead={
        <Show when={loaded()}>
          {(application) => (
            <span class="row row-one-line">
              <a href={application().url} target="_blank" rel="noreferrer" class="break">
                {application().url}
              </a>
              <CopyButton text={application().url} what="URL" />
            </span>
          )}
        </Show>
      }
      actions={
        <Show when={loaded()}>
          {(application) => (
            <>
              <LinkButton href={`/dashboard/requests?app=${application().id}`} icon="requests">
                Requests
              </LinkButton>
              <a class="button button-default" href={application().url} target="_blank" rel="noreferrer">
                <Icon name="open" /> Open
              </a>
            </>
          )}
        </Show>
      }
    >
      <Load query={query} list={{ href: "/dashboard/applications", label: "Applications" }}>
        {(application) => (
          <>
            <Tabs
              label="Parts of the application"
              tabs={[
                { href: root(), label: "Now" },
                { href: `${root()}/policy`, label: "Visitor policy" },
                { href: `${root()}/keys`, label: "API keys" },
                { href: `${root()}/whitelist`, label: "Agent whitelist" },
                { href: `${root()}/limiter`, label: "Limiter" },
                ...(canManage() ? [{ href: `${root()}/settings`, label: "Settings" }] : []),
              ]}
            />
            <Suspense>
              <Switch fallback={<ApplicationOverview application={application} />}>
                <Match when={params.tab === "policy"}>
                  <PolicyEditor
                    owner={`/applications/${application().id}`}
                    application={application()}
                    mayChange={canManage()}
                  />
                </Match>
                <Match when={params.tab === "keys"}>
                  <KeysPanel
                    orgId={application().orgId}
                    appId={application().id}
                    title="API keys of this application"
                    lead="They open no other application. Keys of the whole organization work here, too."
                  />
                </Match>
                <Match when={params.tab === "whitelist"}>
                  <WhitelistCard
                    path={`/applications/${application().id}/whitelist`}
                    title="Agent whitelist"
                    lead="Counts for keys that are bound to this application, besides the lists of the organization and the system."
                    mayChange={canManage()}
                  />
                </Match>
                <Match when={params.tab === "limiter"}>
                  <LimiterCard owner={`/applications/${application().id}`} mayChange={canManage()} />
                </Match>
                <Match when={params.tab === "settings"}>
                  <Show when={canManage()} fallback={<OnlyFor who="admins of the organization" />}>
                    <ApplicationSettings application={application} />
                  </Show>
                </Match>
              </Switch>
            </Suspense>
          </>
        )}
      </Load>
    </Page>
  );
}

// The overview: what is live now, traffic over time, the busiest tunnels, who was refused.

import { createEffect, createMemo, createSignal, lazy, Match, Show, Suspense, Switch, type JSX } from "solid-js";
import { liveStats, pollWhileLost, useLive } from "../../api/live-data.ts";
import * as resources from "../../api/resources.ts";
import { isAdmin, me, portal, serverUrl } from "../../api/session.ts";
import type { Stats } from "../../api/types.ts";
import { useQuery } from "../../api/use-query.ts";
import { LinkButton } from "../../ui/button.tsx";
import { Command } from "../../ui/copy.tsx";
import { createFollow, FollowSwitch } from "../../ui/follow.tsx";
import { formatBytes, formatCompact, formatCount } from "../../ui/format.ts";
import { Empty } from "../../ui/note.tsx";
import { Card, Page, Stat } from "../../ui/page.tsx";
import { Spark } from "../../ui/spark.tsx";
import { Bar } from "../../ui/skeleton.tsx";
import { TopTunnels } from "./top-tunnels.tsx";
import { RecentRefusals } from "./refusals.tsx";

// The chart's library comes after the numbers.
const TrafficCard = lazy(() => import("./traffic-card.tsx"));

/** Of the line beside the rate of requests. */
const secondsShown = 60;

export default function Overview(): JSX.Element {
  return (
    <Switch>
      <Match when={portal() === "none"}>
        <WithoutOrganization />
      </Match>
      <Match when={true}>
        <Live />
      </Match>
    </Switch>
  );
}

function Live(): JSX.Element {
  useLive();
  const follow = createFollow();
  const stats = useQuery(() => ({ ...resources.stats(), refetchInterval: pollWhileLost(15_000) }));
  const [lately, setLately] = createSignal<number[]>([]);
  createEffect(() => {
    const now = liveStats();
    if (now !== null) setLately((before) => [...before, now.requestsPerSecond].slice(-secondsShown));
  });
  const known = (): Partial<Stats> => (stats.isPending ? {} : (stats.data ?? {}));
  const number = (value: number | undefined, format: (value: number) => string) => (
    <Show when={value !== undefined} fallback={stats.isPending ? <Bar width="4rem" /> : "–"}>
      {format(value ?? 0)}
    </Show>
  );
  const activeTunnels = () => liveStats()?.activeTunnels ?? known().activeTunnels;
  // The count may be some seconds old: what was seen here is never again the first.
  const wasOpened = createMemo((before: boolean) => before || (activeTunnels() ?? 0) > 0, false);
  const isFirst = () => known().totalTunnels === 0 && !wasOpened();

  return (
    <Page
      title="Overview"
      lead={
        isAdmin()
          ? "Everything on this server, live."
          : `Everything of ${me()?.organization?.name ?? "your organization"}, live.`
      }
      actions={<FollowSwitch follow={follow} />}
    >
      <dl class="stats">
        <Stat name="Tunnels connected" value={number(activeTunnels(), formatCount)} note="with a live session" />
        <Stat
          name="Requests per second"
          value={
            <Show when={liveStats()} fallback="–">
              {(now) => formatCompact(now().requestsPerSecond)}
            </Show>
          }
          note={
            <Show when={liveStats()} fallback="not known now">
              {(now) => `${formatBytes(now().bytesPerSecond)}/s`}
            </Show>
          }
        >
          <Spark values={lately()} slots={secondsShown} />
        </Stat>
        <Stat name="Sent to visitors" value={number(known().totalBytesSent, formatBytes)} note="in all" />
        <Stat name="Received from visitors" value={number(known().totalBytesReceived, formatBytes)} note="in all" />
        <Stat
          name="Accounts"
          value={number(known().activeAccounts, formatCount)}
          note={
            known().totalAccounts === undefined ? "active" : `active, of ${formatCount(known().totalAccounts ?? 0)}`
          }
        />
      </dl>
      <Show when={isFirst()}>
        <Card
          title="Open your first tunnel"
          lead="Run this beside something that listens on port 3000. The agent's address must be on a whitelist."
        >
          <Command text={`digit-link http 3000 --server ${serverUrl()}`} />
        </Card>
      </Show>
      <Suspense fallback={<ChartPlaceholder />}>
        <TrafficCard />
      </Suspense>
      <div class="grid-2">
        <TopTunnels follow={follow} isFirst={isFirst()} />
        <RecentRefusals follow={follow} />
      </div>
    </Page>
  );
}

function ChartPlaceholder(): JSX.Element {
  return (
    <Card title="Traffic">
      <div class="chart-space" role="status" aria-label="Loading the chart" />
    </Card>
  );
}

/** An account that is in no organization: what it can do, and who can change that. */
function WithoutOrganization(): JSX.Element {
  return (
    <Page title={`Hello, ${me()?.account.username ?? ""}`}>
      <Empty
        icon="building"
        title="You are in no organization yet"
        text="You can open tunnels under names of your own. To see applications, policies and traffic here, ask an administrator to put your account into an organization."
      >
        <LinkButton href="/dashboard/me" kind="primary">
          My account
        </LinkButton>
      </Empty>
    </Page>
  );
}
